import { describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { applyResources } from "./apply.ts";
import { TestLeaf } from "./groups.fixture.ts";
import { detectLayout } from "./hierarchy.ts";
import { Leaf } from "./leaf.ts";
import { members, pressure, table } from "./stats-files.ts";
import { statsLine } from "./stats-json.ts";
import { readStats } from "./stats-read.ts";

/** A leaf of plain files, for counters that this machine does not have. */
function written(files: Record<string, string>, key: string): { leaf: Leaf; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "stats-"));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(`${folder}/${file}`), { recursive: true });
    writeFileSync(`${folder}/${file}`, `${text}\n`);
  }
  return { leaf: new Leaf({ [key]: folder }), remove: () => rmSync(folder, { recursive: true }) };
}

describe("formats", () => {
  test("lists, tables and pressure", () => {
    expect(members("0-2,5")).toEqual([0, 1, 2, 5]);
    expect(members("")).toEqual([]);
    expect(members("x")).toEqual([]);
    expect(table("a 1\nb x\n\nc 3")).toEqual({ a: 1n, c: 3n });
    expect(pressure(undefined)).toBeUndefined();
    expect(pressure("some avg10=1.50 avg60=0.00 avg300=0.25 total=7\nfull avg10=0.00")).toEqual({
      some: { avg10: 1.5, avg60: 0, avg300: 0.25, total: 7n },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 0n },
    });
  });
});

test("a real group's counters are those of its processes", async () => {
  await using made = new TestLeaf();
  applyResources(made.leaf, { memory: { limit: 50_003_968 }, pids: { limit: 20 } });
  const child = made.run("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 60 & echo done; wait");
  await child.stdout.getReader().read();
  const stats = readStats(made.leaf);
  expect(stats.cpu.usage.total).toBeGreaterThan(1_000_000n);
  expect(stats.memory.usage.limit).toBe(50_003_968n);
  expect(stats.memory.usage.usage).toBeGreaterThan(0n);
  expect(Object.keys(stats.memory.raw).length).toBeGreaterThan(10);
  expect(stats.pids).toEqual({ current: 2n, limit: 20n });
});

test("the line has runc's names; what is 64 bits keeps its digits", async () => {
  await using made = new TestLeaf();
  const line = statsLine("web", readStats(made.leaf));
  const { type, id, data } = JSON.parse(line);
  expect([type, id]).toEqual(["stats", "web"]);
  const names = ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"];
  expect(Object.keys(data)).toEqual(names);
  expect(Object.keys(data.cpu.usage)).toContain("kernel");
  for (const kind of ["usage", "swap", "kernel", "kernelTCP"]) {
    expect(Object.keys(data.memory[kind])).toContain("limit");
    expect(Object.keys(data.memory[kind])).toContain("failcnt");
  }
  expect(data.network_interfaces).toBeNull();
  expect(data.cpuset).toHaveProperty("sched_relax_domain_level");
  expect(line).toMatch(/"limit":(18446744073709551615|9223372036854771712)\D/);
});

const runc = Bun.which("runc") !== null && existsSync("/bin/busybox") && detectLayout().mode !== "unified";
if (!runc) console.warn("skipped: the comparison with runc needs runc, busybox-static and cgroup v1");

test.skipIf(!runc)("the line is runc's own, field by field, for the same container", async () => {
  const bundle = mkdtempSync(join(tmpdir(), "runc-"));
  const id = `lxcri-test-runc-${process.pid}`;
  const call = (...args: string[]) =>
    Bun.spawnSync(["runc", "--root", `${bundle}/root`, ...args], { cwd: bundle });
  try {
    mkdirSync(`${bundle}/rootfs/bin`, { recursive: true });
    copyFileSync("/bin/busybox", `${bundle}/rootfs/bin/sleep`);
    call("spec");
    const config = JSON.parse(readFileSync(`${bundle}/config.json`, "utf8"));
    config.process = { ...config.process, terminal: false, args: ["sleep", "600"], rlimits: [] };
    config.linux.cgroupsPath = `/${id}`;
    config.linux.resources = { ...config.linux.resources, memory: { limit: 50_003_968 }, pids: { limit: 9 } };
    writeFileSync(`${bundle}/config.json`, JSON.stringify(config));
    const started = Bun.spawn(["runc", "--root", `${bundle}/root`, "run", "-d", id], {
      cwd: bundle,
      stdio: ["ignore", "ignore", "ignore"],
    });
    expect(await started.exited).toBe(0);
    const leaf = new Leaf(
      Object.fromEntries(detectLayout().hierarchies.map((h) => [h.key, `${h.root}/${id}`])),
    );
    const both = () =>
      [call("events", "--stats", id).stdout.toString(), statsLine(id, readStats(leaf))] as const;
    let [theirs, ours] = both();
    // Counters of a container that has just started still move between the two looks.
    for (let i = 0; i < 50 && !Bun.deepEquals(comparable(theirs), comparable(ours)); i += 1) {
      await Bun.sleep(20);
      [theirs, ours] = both();
    }
    expect(comparable(ours)).toEqual(comparable(theirs));
  } finally {
    call("delete", "--force", id);
    rmSync(bundle, { recursive: true });
  }
});

/** Without huge pages, which runc does not look for in the v2 hierarchy of a hybrid machine. */
function comparable(line: string): unknown {
  const event = JSON.parse(line);
  return { ...event, data: { ...event.data, hugetlb: {} } };
}

test("v2 counters, in runc's units", () => {
  const { leaf, remove } = written(
    {
      "cgroup.controllers": "cpu cpuset io memory hugetlb pids",
      "cpu.stat": "usage_usec 10\nuser_usec 6\nsystem_usec 4\nnr_periods 3\nnr_throttled 2\nthrottled_usec 5",
      "cpu.pressure":
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0",
      "memory.stat": "anon 1\nfile 4096",
      "memory.current": "8192",
      "memory.peak": "9000",
      "memory.max": "16384",
      "memory.events": "low 0\nhigh 0\nmax 6\noom 0\noom_kill 2",
      "memory.swap.current": "100",
      "memory.swap.max": "200",
      "pids.current": "3",
      "pids.max": "max",
      "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\nrubbish",
      "hugetlb.2MB.current": "4096",
      "hugetlb.2MB.events": "max 9",
    },
    "unified",
  );
  try {
    const stats = readStats(leaf);
    expect(leaf.oomKills()).toBe(2);
    expect(stats.cpu.usage).toMatchObject({ total: 10_000n, user: 6000n, kernel: 4000n });
    expect(stats.cpu.throttling).toEqual({ periods: 3n, throttledPeriods: 2n, throttledTime: 5000n });
    expect(stats.cpu.psi?.some.total).toBe(1n);
    expect(stats.memory).toMatchObject({
      cache: 4096n,
      usage: { limit: 16_384n, usage: 8192n, max: 9000n, failcnt: 6n },
      swap: { limit: 16_584n, usage: 8292n },
    });
    expect(stats.pids).toEqual({ current: 3n, limit: 0n });
    const entry = (op: string, value: bigint) => ({ major: 8n, minor: 0n, op, value });
    expect(stats.blkio.tables).toEqual({
      ioServiceBytesRecursive: [entry("Read", 1n), entry("Write", 2n)],
      ioServicedRecursive: [entry("Read", 3n), entry("Write", 4n)],
    });
    expect(stats.hugetlb).toEqual({ "2MB": { usage: 4096n, max: 0n, failcnt: 9n } });
    const line = statsLine("x", stats, { l3_cache_schema: "L3:0=f" });
    expect(line).toContain('"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":1}');
    expect(line).toContain('"intel_rdt":{"l3_cache_schema":"L3:0=f"}');
    expect(line).toContain('"hugetlb":{"2MB":{"usage":4096,"failcnt":9}}');
    expect(line).toContain('"psi":{"some":{"avg10":0,"avg60":0,"avg300":0,"total":1}');
  } finally {
    remove();
  }
});

test("v1 block counters come from the scheduler that has counted", () => {
  const { leaf, remove } = written(
    {
      "blkio.bfq.io_service_bytes_recursive": "Total 0",
      "blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Total 4096\nTotal 4096",
      "blkio.throttle.io_serviced_recursive": "8:0 7",
    },
    "blkio",
  );
  try {
    expect(readStats(leaf).blkio.tables).toEqual({
      ioServiceBytesRecursive: [
        { major: 8n, minor: 0n, op: "Read", value: 4096n },
        { major: 8n, minor: 0n, op: "Total", value: 4096n },
      ],
      ioServicedRecursive: [{ major: 8n, minor: 0n, op: "", value: 7n }],
    });
  } finally {
    remove();
  }
});

test("v1 huge pages: reservations where they are counted", () => {
  const { leaf, remove } = written(
    {
      "hugetlb.2MB.usage_in_bytes": "1",
      "hugetlb.2MB.rsvd.usage_in_bytes": "2",
      "hugetlb.2MB.rsvd.max_usage_in_bytes": "3",
      "hugetlb.2MB.rsvd.failcnt": "4",
    },
    "hugetlb",
  );
  try {
    expect(readStats(leaf).hugetlb).toEqual({ "2MB": { usage: 2n, max: 3n, failcnt: 4n } });
  } finally {
    remove();
  }
});
