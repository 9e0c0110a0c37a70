import { describe, expect, test } from "bun:test";
import { documentWith, faultsWith, judge, judgeWith } from "../testing.ts";

const good: [string, unknown][] = [
  [
    "memory",
    {
      memory: {
        limit: 1,
        reservation: 2,
        swap: -1,
        kernel: -1,
        kernelTCP: 0,
        swappiness: 100,
        disableOOMKiller: true,
        useHierarchy: false,
        checkBeforeUpdate: true,
      },
    },
  ],
  ["memory with as much swap in it", { memory: { limit: 5, swap: 5 } }],
  [
    "cpu",
    {
      cpu: {
        shares: 1024,
        quota: 5,
        burst: 5,
        period: 5,
        realtimeRuntime: 9,
        realtimePeriod: 9,
        cpus: "2-3",
        mems: "0-7,9",
        idle: 1,
      },
    },
  ],
  ["cpu without a quota", { cpu: { quota: -1, burst: 100 } }],
  ["pids", { pids: { limit: 0 } }],
  [
    "block I/O",
    {
      blockIO: {
        weight: 10,
        leafWeight: 10,
        weightDevice: [{ major: 8, minor: 0, leafWeight: 300 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 300 }],
      },
    },
  ],
  [
    "huge pages",
    {
      hugepageLimits: [
        { pageSize: "2MB", limit: 0 },
        { pageSize: "64KB", limit: 1 },
      ],
    },
  ],
  ["network", { network: { classID: 1048577, priorities: [{ name: "eth0", priority: 500 }] } }],
  ["rdma", { rdma: { mlx5_1: { hcaHandles: 3 }, rxe3: { hcaObjects: 1 } } }],
  ["unified", { unified: { "io.max": "259:0 rbps=1\n253:0 rbps=2", "hugetlb.1GB.max": "1" } }],
  [
    "device rules",
    { devices: [{ allow: false }, { allow: true, type: "c", major: 10, minor: 229, access: "rw" }] },
  ],
];
for (const [name, resources] of good) {
  test(`takes ${name}`, () => {
    const verdict = judgeWith({ "linux.resources": resources });
    expect(verdict).toMatchObject({ faults: [], warnings: [] });
    expect(verdict.config?.linux?.resources as unknown).toEqual(resources);
  });
}

const bad: [unknown, string][] = [
  [{ memory: { limit: -2 } }, "memory.limit: -2 is out of range: -1 to 9223372036854775807"],
  [{ memory: { limit: "5m" } }, "memory.limit: must be a whole number, not a string"],
  [{ memory: { limit: 1.5 } }, "memory.limit: must be a whole number, not 1.5"],
  [
    { memory: { limit: 10, swap: 9 } },
    "memory.swap: 9 is memory plus swap, so it must not be below the limit 10",
  ],
  [{ memory: { swappiness: 101 } }, "memory.swappiness: 101 is out of range: 0 to 100"],
  [{ cpu: { quota: 5, burst: 6 } }, "cpu.burst: 6 is above the quota 5"],
  [{ cpu: { shares: -1 } }, "cpu.shares: -1 is out of range: 0 to 9007199254740991"],
  [{ cpu: { cpus: "0-" } }, 'cpu.cpus: "0-" is not a list such as "0-3,7"'],
  [{ cpu: { mems: "0;1" } }, 'cpu.mems: "0;1" is not a list such as "0-3,7"'],
  [{ cpu: { idle: 2 } }, "cpu.idle: 2 is out of range: 0 to 1"],
  [{ pids: { limit: -2 } }, "pids.limit: -2 is out of range: -1 to 9007199254740991"],
  [{ blockIO: { weight: 65536 } }, "blockIO.weight: 65536 is out of range: 0 to 65535"],
  [
    { blockIO: { weightDevice: [{ major: 8, minor: 0 }] } },
    "blockIO.weightDevice[0]: needs weight or leafWeight",
  ],
  [
    { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0 }] } },
    "blockIO.throttleReadBpsDevice[0].rate: is required",
  ],
  [
    { hugepageLimits: [{ pageSize: "2M", limit: 1 }] },
    'hugepageLimits[0].pageSize: "2M" is not a page size such as 64KB, 2MB or 1GB',
  ],
  [{ hugepageLimits: [{ pageSize: "2MB" }] }, "hugepageLimits[0].limit: is required"],
  [
    {
      hugepageLimits: [
        { pageSize: "2MB", limit: 1 },
        { pageSize: "2MB", limit: 1 },
      ],
    },
    "hugepageLimits[1].pageSize: 2MB is given twice",
  ],
  [{ network: { classID: 4294967296 } }, "network.classID: 4294967296 is out of range: 0 to 4294967295"],
  [
    { network: { priorities: [{ name: "a b", priority: 1 }] } },
    'network.priorities[0].name: "a b" is no network device name',
  ],
  [{ rdma: { mlx: {} } }, "rdma.mlx: needs hcaHandles or hcaObjects"],
  [{ rdma: { "a b": { hcaObjects: 1 } } }, 'rdma["a b"]: is no RDMA device name'],
  [{ rdma: { mlx: { hcaObjects: "many" } } }, "rdma.mlx.hcaObjects: must be a whole number, not a string"],
  [
    { unified: { "../memory.max": "1" } },
    'unified["../memory.max"]: is no cgroup file name such as memory.high',
  ],
  [{ unified: { "a/b": "1" } }, 'unified["a/b"]: is no cgroup file name such as memory.high'],
  [{ unified: { "memory..max": "1" } }, 'unified["memory..max"]: is no cgroup file name such as memory.high'],
  [{ unified: { "": "1" } }, 'unified[""]: is no cgroup file name such as memory.high'],
  [{ unified: { "memory.high": 1 } }, 'unified["memory.high"]: must be a string, not a number'],
  [{ devices: [{}] }, "devices[0].allow: is required"],
  [{ devices: [{ allow: true, type: "p" }] }, 'devices[0].type: "p" is not one of a, c, b'],
  [
    { devices: [{ allow: true, access: "rx" }] },
    'devices[0].access: "rx" is not made of the letters r, w and m',
  ],
  [{ devices: [{ allow: true, major: -2 }] }, "devices[0].major: -2 is out of range: -1 to 4294967295"],
];
for (const [resources, fault] of bad) {
  test(`refuses: ${fault}`, () => {
    expect(faultsWith({ "linux.resources": resources })).toEqual([`linux.resources.${fault}`]);
  });
}

test("64-bit limits are exact", () => {
  const text = documentWith({
    "linux.resources": {
      memory: { limit: 111, swap: -1 },
      hugepageLimits: [{ pageSize: "1GB", limit: 222 }],
      blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 333 }] },
    },
  })
    .replace("111", "9223372036854771712")
    .replace("222", "18446744073709551615")
    .replace("333", "9007199254740993");
  const resources = judge(text).config?.linux?.resources;
  expect(String(resources?.memory?.limit)).toBe("9223372036854771712");
  expect(resources?.memory?.swap).toBe(-1);
  expect(String(resources?.hugepageLimits?.[0]?.limit)).toBe("18446744073709551615");
  expect(String(resources?.blockIO?.throttleReadBpsDevice?.[0]?.rate)).toBe("9007199254740993");
  expect(judge(text.replace("9223372036854771712", "9223372036854775808")).faults).toEqual([
    "linux.resources.memory.limit: 9223372036854775808 is out of range: -1 to 9223372036854775807",
  ]);
});

describe("what callers write differently", () => {
  test("device numbers of -1 mean all", () => {
    const { config } = judgeWith({
      "linux.resources.devices": [
        { allow: true, type: "c", major: 5, minor: -1, access: "rwm" },
        { allow: true, type: "", major: -1, minor: 3, access: "" },
      ],
    });
    expect(config?.linux?.resources?.devices).toEqual([
      { allow: true, type: "c", major: 5, access: "rwm" },
      { allow: true, minor: 3 },
    ]);
  });

  test("old names of block I/O are read as the new ones, with a warning", () => {
    const { config, warnings } = judgeWith({
      "linux.resources.blockIO": { blkioWeight: 500, blkioLeafWeight: null },
    });
    expect(config?.linux?.resources?.blockIO).toEqual({ weight: 500 });
    expect(warnings).toEqual(['linux.resources.blockIO.blkioWeight: is an old name, read as "weight"']);
    expect(faultsWith({ "linux.resources.blockIO": { blkioWeight: "heavy" } })).toEqual([
      "linux.resources.blockIO.blkioWeight: must be a whole number, not a string",
    ]);
  });
});
