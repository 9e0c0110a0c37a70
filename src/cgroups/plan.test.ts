import { describe, expect, test } from "bun:test";
import type { Resources } from "../spec/config.ts";
import { planResources } from "./plan.ts";
import { ioWeightOf } from "./plan-block-io.ts";
import type { PlanContext } from "./plan-builder.ts";
import { weightOfShares } from "./plan-cpu.ts";

/** A machine with these controllers; every file is there but `without`; the leaf's files hold `content`. */
const machine = (
  version: 1 | 2,
  options: { content?: Record<string, string>; without?: string[]; controllers?: string[] } = {},
): PlanContext => ({
  version: (controller) => {
    const v1 = ["memory", "cpu", "cpuset", "pids", "blkio", "hugetlb", "rdma", "net_cls", "net_prio"];
    const v2 = ["memory", "cpu", "cpuset", "pids", "io", "hugetlb", "rdma", "cgroup"];
    return (options.controllers ?? (version === 1 ? v1 : v2)).includes(controller) ? version : undefined;
  },
  has: (_, file) => !(options.without ?? []).includes(file),
  read: (_, file) => options.content?.[file],
});

const writes = (resources: Resources, context: PlanContext) => {
  const plan = planResources(resources, context);
  expect(plan.faults).toEqual([]);
  return plan.writes.map(({ controller, file, value }) => `${controller}/${file}=${value}`);
};
const faults = (resources: Resources, context: PlanContext) =>
  planResources(resources, context).faults.map(({ path, probe }) => `${path} ${probe}`);

describe("memory on v1", () => {
  const table: [string, Resources["memory"], Record<string, string>, string[]][] = [
    ["limit", { limit: 1000 }, {}, ["memory/memory.limit_in_bytes=1000"]],
    ["zero means unset", { limit: 0, swap: 0, reservation: 0 }, {}, []],
    [
      "first limits: limit, then the sum",
      { limit: 100, swap: 200 },
      {},
      ["memory/memory.limit_in_bytes=100", "memory/memory.memsw.limit_in_bytes=200"],
    ],
    [
      "raising: the sum first",
      { limit: 300, swap: 400 },
      { "memory.limit_in_bytes": "100" },
      ["memory/memory.memsw.limit_in_bytes=400", "memory/memory.limit_in_bytes=300"],
    ],
    [
      "lowering: the limit first",
      { limit: 50, swap: 60 },
      { "memory.limit_in_bytes": "100" },
      ["memory/memory.limit_in_bytes=50", "memory/memory.memsw.limit_in_bytes=60"],
    ],
    [
      "lifting lifts the sum too",
      { limit: -1 },
      { "memory.limit_in_bytes": "100" },
      ["memory/memory.memsw.limit_in_bytes=-1", "memory/memory.limit_in_bytes=-1"],
    ],
    [
      "everything else",
      {
        reservation: 5n,
        kernelTCP: 6,
        kernel: 7,
        swappiness: 10,
        disableOOMKiller: true,
        useHierarchy: true,
      },
      {},
      [
        "memory/memory.soft_limit_in_bytes=5",
        "memory/memory.kmem.limit_in_bytes=7",
        "memory/memory.kmem.tcp.limit_in_bytes=6",
        "memory/memory.swappiness=10",
        "memory/memory.oom_control=1",
      ],
    ],
    ["more than 2^53", { limit: 9007199254740993n }, {}, ["memory/memory.limit_in_bytes=9007199254740993"]],
    ["useHierarchy changes", { useHierarchy: false }, {}, ["memory/memory.use_hierarchy=0"]],
    ["the OOM killer back on", { disableOOMKiller: false }, {}, ["memory/memory.oom_control=0"]],
  ];
  test.each(table)("%s", (_, memory, content, expected) => {
    expect(writes({ memory: memory ?? {} }, machine(1, { content }))).toEqual(expected);
  });

  test("no swap accounting: no limit is fine, a limit is refused", () => {
    const without = ["memory.memsw.limit_in_bytes"];
    expect(writes({ memory: { limit: -1, swap: -1 } }, machine(1, { without }))).toEqual([
      "memory/memory.limit_in_bytes=-1",
    ]);
    expect(faults({ memory: { limit: 5, swap: 6 } }, machine(1, { without }))).toEqual([
      "linux.resources.memory.swap file",
    ]);
  });

  test("contradictions", () => {
    expect(faults({ memory: { limit: 10, swap: 5 } }, machine(1))).toEqual([
      "linux.resources.memory.swap value",
    ]);
    expect(faults({ memory: { limit: -2 } }, machine(1))).toEqual(["linux.resources.memory.limit value"]);
    expect(faults({ memory: { swappiness: 101 } }, machine(1))).toEqual([
      "linux.resources.memory.swappiness value",
    ]);
  });
});

describe("memory on v2", () => {
  const table: [string, Resources["memory"], Record<string, string>, string[]][] = [
    [
      "swap is the difference",
      { limit: 100, swap: 150, reservation: 50 },
      {},
      ["memory/memory.swap.max=50", "memory/memory.max=100", "memory/memory.low=50"],
    ],
    [
      "the same: no swap",
      { limit: 100, swap: 100 },
      {},
      ["memory/memory.swap.max=0", "memory/memory.max=100"],
    ],
    ["all unlimited", { limit: -1 }, {}, ["memory/memory.swap.max=max", "memory/memory.max=max"]],
    ["swap unlimited", { swap: -1 }, {}, ["memory/memory.swap.max=max"]],
    [
      "memory unlimited, swap not",
      { limit: -1, swap: 9 },
      {},
      ["memory/memory.swap.max=9", "memory/memory.max=max"],
    ],
    ["an update of swap alone", { swap: 150 }, { "memory.max": "100" }, ["memory/memory.swap.max=50"]],
    ["the same without limit", { swap: 150 }, { "memory.max": "max" }, ["memory/memory.swap.max=150"]],
    [
      "checked and fine",
      { limit: 100, checkBeforeUpdate: true },
      { "memory.current": "99" },
      ["memory/memory.max=100"],
    ],
    ["no-ops", { kernel: -1, kernelTCP: 0, disableOOMKiller: false, useHierarchy: true }, {}, []],
    ["reservation lifted", { reservation: -1 }, {}, ["memory/memory.low=max"]],
  ];
  test.each(table)("%s", (_, memory, content, expected) => {
    expect(writes({ memory: memory ?? {} }, machine(2, { content }))).toEqual(expected);
  });

  test("what v2 has not is refused, each by its name", () => {
    const memory = { kernel: 5, kernelTCP: 5, swappiness: 5, disableOOMKiller: true, useHierarchy: false };
    expect(faults({ memory }, machine(2))).toEqual(
      Object.keys(memory).map((name) => `linux.resources.memory.${name} version`),
    );
  });

  test("contradictions", () => {
    expect(faults({ memory: { swap: 50 } }, machine(2))).toEqual(["linux.resources.memory.swap value"]);
    expect(faults({ memory: { limit: 9, swap: 5 } }, machine(2))).toEqual([
      "linux.resources.memory.swap value",
    ]);
    expect(faults({ memory: { swap: 50 } }, machine(2, { content: { "memory.max": "60" } }))).toEqual([
      "linux.resources.memory.swap value",
    ]);
    const busy = machine(2, { content: { "memory.current": "101" } });
    expect(planResources({ memory: { limit: 100, checkBeforeUpdate: true } }, busy).faults[0]?.message).toBe(
      "rejecting memory limit 100 < usage 101",
    );
  });

  test("without swap accounting no limit of swap needs no file", () => {
    const context = machine(2, { without: ["memory.swap.max"] });
    expect(writes({ memory: { limit: -1, swap: -1 } }, context)).toEqual(["memory/memory.max=max"]);
    expect(faults({ memory: { limit: 1, swap: 1 } }, context)).toEqual(["linux.resources.memory.swap file"]);
  });
});

describe("cpu", () => {
  test.each([
    [2, 1],
    [102, 17],
    [1024, 100],
    [262_144, 10_000],
    [1_000_000, 10_000],
  ])("%p shares weigh %p", (shares, weight) => {
    expect(weightOfShares(shares)).toBe(weight);
  });

  test("weight never falls as shares rise", () => {
    let before = 0;
    for (let shares = 2; shares <= 262_144; shares += 37) {
      const weight = weightOfShares(shares);
      expect(weight).toBeGreaterThanOrEqual(before);
      before = weight;
    }
  });

  const table: [string, 1 | 2, Resources["cpu"], Record<string, string>, string[]][] = [
    [
      "v1 with everything",
      1,
      {
        shares: 512,
        quota: 50_000,
        period: 100_000,
        burst: 10,
        cpus: "0-1",
        mems: "0",
        realtimePeriod: 5,
        realtimeRuntime: 2,
      },
      {},
      [
        "cpu/cpu.shares=512",
        "cpu/cpu.cfs_period_us=100000",
        "cpu/cpu.cfs_quota_us=50000",
        "cpu/cpu.cfs_burst_us=10",
        "cpu/cpu.rt_runtime_us=2",
        "cpu/cpu.rt_period_us=5",
        "cpuset/cpuset.cpus=0-1",
        "cpuset/cpuset.mems=0",
      ],
    ],
    [
      "v1, a shorter period goes last",
      1,
      { quota: 5000, period: 10_000 },
      { "cpu.cfs_period_us": "100000" },
      ["cpu/cpu.cfs_quota_us=5000", "cpu/cpu.cfs_period_us=10000"],
    ],
    [
      "a smaller burst goes before the quota",
      1,
      { quota: 5000, burst: 1000 },
      { "cpu.cfs_burst_us": "9000" },
      ["cpu/cpu.cfs_burst_us=1000", "cpu/cpu.cfs_quota_us=5000"],
    ],
    ["v1 quota lifted", 1, { quota: -1 }, {}, ["cpu/cpu.cfs_quota_us=-1"]],
    [
      "longer real-time period first",
      1,
      { realtimePeriod: 2_000_000, realtimeRuntime: 9 },
      {},
      ["cpu/cpu.rt_period_us=2000000", "cpu/cpu.rt_runtime_us=9"],
    ],
    ["v2", 2, { shares: 1024, quota: 50_000 }, {}, ["cpu/cpu.weight=100", "cpu/cpu.max=50000 100000"]],
    ["v2 quota lifted", 2, { quota: -1, period: 5000 }, {}, ["cpu/cpu.max=max 5000"]],
    [
      "v2 period alone keeps the quota",
      2,
      { period: 5000 },
      { "cpu.max": "700 100000" },
      ["cpu/cpu.max=700 5000"],
    ],
    [
      "v2 quota alone keeps the period",
      2,
      { quota: 900 },
      { "cpu.max": "700 2000" },
      ["cpu/cpu.max=900 2000"],
    ],
    [
      "v2 burst after a higher quota",
      2,
      { quota: 900, burst: 800 },
      { "cpu.max.burst": "0" },
      ["cpu/cpu.max=900 100000", "cpu/cpu.max.burst=800"],
    ],
    [
      "idle last",
      2,
      { shares: 1024, idle: 1 },
      { "cpu.idle": "0" },
      ["cpu/cpu.weight=100", "cpu/cpu.idle=1"],
    ],
    [
      "idle already: the kernel takes no weight",
      2,
      { shares: 1024, idle: 1 },
      { "cpu.idle": "1" },
      ["cpu/cpu.idle=1"],
    ],
    [
      "no longer idle: first",
      1,
      { shares: 10, idle: 0 },
      { "cpu.idle": "1" },
      ["cpu/cpu.idle=0", "cpu/cpu.shares=10"],
    ],
    ["nothing", 2, { cpus: "", shares: 0 }, {}, []],
  ];
  test.each(table)("%s", (_, version, cpu, content, expected) => {
    expect(writes({ cpu: cpu ?? {} }, machine(version, { content }))).toEqual(expected);
  });

  test("what cannot be is refused by name", () => {
    expect(faults({ cpu: { realtimeRuntime: 1, realtimePeriod: 2 } }, machine(2))).toEqual([
      "linux.resources.cpu.realtimeRuntime version",
      "linux.resources.cpu.realtimePeriod version",
    ]);
    expect(faults({ cpu: { quota: 10, burst: 11 } }, machine(1))).toEqual([
      "linux.resources.cpu.burst value",
    ]);
    expect(faults({ cpu: { cpus: "0\n1" } }, machine(1))).toEqual(["linux.resources.cpu.cpus value"]);
    expect(faults({ cpu: { mems: "0" } }, machine(2, { controllers: ["cpu"] }))).toEqual([
      "linux.resources.cpu.mems controller",
    ]);
    expect(faults({ cpu: { shares: 5 } }, machine(2, { controllers: [] }))).toEqual([
      "linux.resources.cpu controller",
    ]);
    expect(faults({ cpu: { burst: 1 } }, machine(1, { without: ["cpu.cfs_burst_us"] }))).toEqual([
      "linux.resources.cpu.burst file",
    ]);
  });
});

describe("blockIO", () => {
  const device = { major: 8, minor: 16 };
  const io = {
    weight: 500,
    weightDevice: [{ ...device, weight: 300 }],
    throttleReadBpsDevice: [{ ...device, rate: 1000 }],
    throttleWriteBpsDevice: [{ ...device, rate: 0 }],
    throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 20n }],
    throttleWriteIOPSDevice: [{ ...device, rate: 30 }],
  };

  test("v1, with the names of its scheduler", () => {
    const leaf = { leafWeight: 10, weightDevice: [{ ...device, weight: 300, leafWeight: 200 }] };
    const throttles = [
      "blkio/blkio.throttle.read_bps_device=8:16 1000",
      "blkio/blkio.throttle.write_bps_device=8:16 0",
      "blkio/blkio.throttle.read_iops_device=8:0 20",
      "blkio/blkio.throttle.write_iops_device=8:16 30",
    ];
    expect(writes({ blockIO: { ...io, ...leaf } }, machine(1))).toEqual([
      "blkio/blkio.weight=500",
      "blkio/blkio.leaf_weight=10",
      "blkio/blkio.weight_device=8:16 300",
      "blkio/blkio.leaf_weight_device=8:16 200",
      ...throttles,
    ]);
    const bfq = machine(1, { without: ["blkio.weight", "blkio.weight_device"] });
    expect(writes({ blockIO: io }, bfq)).toEqual([
      "blkio/blkio.bfq.weight=500",
      "blkio/blkio.bfq.weight_device=8:16 300",
      ...throttles,
    ]);
  });

  test("v2: one io.max line per device, weights scaled unless BFQ takes them", () => {
    const max = ["io/io.max=8:16 rbps=1000 wbps=max wiops=30", "io/io.max=8:0 riops=20"];
    expect(writes({ blockIO: io }, machine(2))).toEqual([
      "io/io.bfq.weight=default 500",
      "io/io.bfq.weight=8:16 300",
      ...max,
    ]);
    expect(writes({ blockIO: io }, machine(2, { without: ["io.bfq.weight"] }))).toEqual([
      "io/io.weight=default 4950",
      "io/io.weight=8:16 2930",
      ...max,
    ]);
  });

  test("weights end where they should", () => {
    expect([10, 100, 1000].map(ioWeightOf)).toEqual([1, 910, 10_000]);
  });

  test("refused", () => {
    const none = { ...device };
    expect(faults({ blockIO: { weightDevice: [none] } }, machine(1))).toEqual([
      "linux.resources.blockIO.weightDevice value",
    ]);
    expect(
      faults({ blockIO: { leafWeight: 5, weightDevice: [{ ...device, leafWeight: 5 }] } }, machine(2)),
    ).toEqual(["linux.resources.blockIO.leafWeight version", "linux.resources.blockIO.weightDevice version"]);
    expect(
      faults({ blockIO: { weight: 5 } }, machine(2, { without: ["io.bfq.weight", "io.weight"] })),
    ).toEqual(["linux.resources.blockIO.weight file"]);
    expect(faults({ blockIO: { weight: 5 } }, machine(2, { controllers: ["cpu"] }))).toEqual([
      "linux.resources.blockIO controller",
    ]);
  });
});

describe("pids, huge pages, network, rdma", () => {
  test("pids: -1 lifts, 0 is a limit, absent is nothing", () => {
    expect(writes({ pids: { limit: -1 } }, machine(2))).toEqual(["pids/pids.max=max"]);
    expect(writes({ pids: { limit: 0 } }, machine(1))).toEqual(["pids/pids.max=0"]);
    expect(writes({ pids: {} }, machine(1, { controllers: [] }))).toEqual([]);
    expect(faults({ pids: { limit: 5 } }, machine(1, { controllers: [] }))).toEqual([
      "linux.resources.pids.limit controller",
    ]);
  });

  test("huge pages: faults and reservations, where the kernel counts those", () => {
    const hugepageLimits = [{ pageSize: "2MB", limit: 4096 }];
    expect(writes({ hugepageLimits }, machine(1))).toEqual([
      "hugetlb/hugetlb.2MB.limit_in_bytes=4096",
      "hugetlb/hugetlb.2MB.rsvd.limit_in_bytes=4096",
    ]);
    expect(writes({ hugepageLimits }, machine(2, { without: ["hugetlb.2MB.rsvd.max"] }))).toEqual([
      "hugetlb/hugetlb.2MB.max=4096",
    ]);
    expect(faults({ hugepageLimits }, machine(2, { without: ["hugetlb.2MB.max"] }))).toEqual([
      "linux.resources.hugepageLimits[0] file",
    ]);
    expect(faults({ hugepageLimits: [{ pageSize: "../2MB", limit: 1 }] }, machine(2))).toEqual([
      "linux.resources.hugepageLimits[0] value",
    ]);
    expect(faults({ hugepageLimits }, machine(2, { controllers: [] }))).toEqual([
      "linux.resources.hugepageLimits[0] controller",
    ]);
  });

  test("network is of v1", () => {
    const network = { classID: 1048577, priorities: [{ name: "eth0", priority: 5 }] };
    expect(writes({ network }, machine(1))).toEqual([
      "net_cls/net_cls.classid=1048577",
      "net_prio/net_prio.ifpriomap=eth0 5",
    ]);
    expect(faults({ network }, machine(2))).toEqual([
      "linux.resources.network.classID controller",
      "linux.resources.network.priorities controller",
    ]);
    expect(faults({ network: { priorities: [{ name: "a b", priority: 1 }] } }, machine(1))).toEqual([
      "linux.resources.network.priorities[0] value",
    ]);
  });

  test("rdma", () => {
    const rdma = { mlx5_1: { hcaHandles: 3, hcaObjects: 10 }, rxe3: { hcaObjects: 7 } };
    expect(writes({ rdma }, machine(2))).toEqual([
      "rdma/rdma.max=mlx5_1 hca_handle=3 hca_object=10",
      "rdma/rdma.max=rxe3 hca_object=7",
    ]);
    expect(faults({ rdma: { "a b": { hcaHandles: 1 } } }, machine(1))).toEqual([
      "linux.resources.rdma.a b value",
    ]);
    expect(faults({ rdma: { a: {} } }, machine(1, { controllers: [] }))).toEqual([
      "linux.resources.rdma.a controller",
    ]);
  });
});

describe("unified", () => {
  test("is written as it stands, one write a line", () => {
    const unified = {
      "io.max": "259:0 rbps=1\n253:0 rbps=2\n",
      "memory.high": "max",
      "cgroup.max.depth": "3",
    };
    expect(writes({ unified }, machine(2))).toEqual([
      "io/io.max=259:0 rbps=1",
      "io/io.max=253:0 rbps=2",
      "memory/memory.high=max",
      "cgroup/cgroup.max.depth=3",
    ]);
    expect(writes({ unified: { "io.latency": "" } }, machine(2))).toEqual(["io/io.latency="]);
  });

  test.each([
    "../../etc/passwd",
    "memory/max",
    "memory",
    ".max",
    "cgroup.procs",
    "cgroup.kill",
    "Memory.max",
  ])("%p is refused", (file) => {
    expect(faults({ unified: { [file]: "1" } }, machine(2))).toEqual([
      `linux.resources.unified["${file}"] value`,
    ]);
  });

  test("a controller that is absent, on v1, or has no such file", () => {
    expect(faults({ unified: { "misc.max": "x 1" } }, machine(2))).toEqual([
      'linux.resources.unified["misc.max"] controller',
    ]);
    expect(faults({ unified: { "memory.max": "1" } }, machine(1))).toEqual([
      'linux.resources.unified["memory.max"] version',
    ]);
    expect(faults({ unified: { "memory.nosuch": "1" } }, machine(2, { without: ["memory.nosuch"] }))).toEqual(
      ['linux.resources.unified["memory.nosuch"] file'],
    );
  });
});

test("all faults are given at once", () => {
  const resources = { memory: { swappiness: 5 }, cpu: { realtimeRuntime: 5 }, network: { classID: 1 } };
  expect(faults(resources, machine(2))).toHaveLength(3);
});
