import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { applyResources } from "./apply.ts";
import { inheritCpuset } from "./cpuset.ts";
import { applyDevices } from "./devices.ts";
import { TestLeaf } from "./groups.fixture.ts";
import { detectLayout } from "./hierarchy.ts";
import { Leaf } from "./leaf.ts";
import { watchOom } from "./oom-watch.ts";
import { probeResources } from "./probe.ts";

const v2 = detectLayout().mode === "unified";
const LIMIT = 64 * 1024 * 1024;

describe("applyResources on real groups", () => {
  test("limits as the kernel shows them; a second time changes them, up and down", async () => {
    await using made = new TestLeaf();
    const { leaf } = made;
    const read = (controller: string, v1: string, v2file: string) => leaf.read(controller, v2 ? v2file : v1);
    const swap = leaf.has("memory", v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
    applyResources(leaf, {
      memory: { limit: LIMIT, reservation: LIMIT / 2, ...(swap ? { swap: LIMIT * 2 } : {}) },
      cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: "0", mems: "0" },
      pids: { limit: 30 },
    });
    expect(read("memory", "memory.limit_in_bytes", "memory.max")).toBe(String(LIMIT));
    expect(read("memory", "memory.soft_limit_in_bytes", "memory.low")).toBe(String(LIMIT / 2));
    if (swap)
      expect(read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max")).toBe(
        String(v2 ? LIMIT : LIMIT * 2),
      );
    expect(read("cpu", "cpu.shares", "cpu.weight")).toBe(v2 ? "59" : "512");
    expect(v2 ? leaf.read("cpu", "cpu.max") : leaf.read("cpu", "cpu.cfs_quota_us")).toBe(
      v2 ? "20000 50000" : "20000",
    );
    expect(leaf.read("cpuset", "cpuset.cpus")).toBe("0");
    expect(leaf.read("pids", "pids.max")).toBe("30");
    for (const factor of [3, 1]) {
      applyResources(leaf, {
        memory: { limit: LIMIT * factor, ...(swap ? { swap: LIMIT * factor * 2 } : {}) },
        cpu: { quota: 20_000 * factor, period: 50_000 * factor },
      });
      expect(read("memory", "memory.limit_in_bytes", "memory.max")).toBe(String(LIMIT * factor));
    }
    applyResources(leaf, { memory: { limit: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } });
    expect(leaf.read("pids", "pids.max")).toBe("max");
    expect(read("memory", "memory.limit_in_bytes", "memory.max")).toMatch(/^(max|922337\d+)$/);
  });

  test("the limits bite: a fork beyond pids fails", async () => {
    await using made = new TestLeaf();
    applyResources(made.leaf, { pids: { limit: 1 } });
    const child = made.run("sleep 1; echo no");
    await child.exited;
    expect(await new Response(child.stderr).text()).toContain("fork");
  });

  test("an update that fails half-way is taken back, and names the property", async () => {
    await using made = new TestLeaf();
    applyResources(made.leaf, { pids: { limit: 30 }, cpu: { cpus: "0" } });
    expect(() =>
      applyResources(made.leaf, { cpu: { cpus: "0", mems: "4095" }, pids: { limit: 40 } }),
    ).toThrow(/linux\.resources\.cpu\.mems: write "4095" to .*cpuset\.mems/);
    expect(made.leaf.read("pids", "pids.max")).toBe("30");
    expect(() => applyResources(made.leaf, { memory: { limit: LIMIT * 2 }, cpu: { quota: 1 } })).toThrow(
      "the kernel takes no such value here",
    );
    expect(made.leaf.read("memory", v2 ? "memory.max" : "memory.limit_in_bytes")).toMatch(
      /^(max|922337\d+)$/,
    );
  });

  test("what cannot be is refused whole, before anything is written", async () => {
    await using made = new TestLeaf();
    const refused = () =>
      applyResources(made.leaf, {
        pids: { limit: 7 },
        unified: { "nosuch.max": "1" },
        network: { classID: 1 },
      });
    expect(refused).toThrow(/unified\["nosuch.max"\]/);
    expect(refused).toThrow(/network\.classID/);
    expect(made.leaf.read("pids", "pids.max")).toBe("max");
  });

  test("v1: a limit below what is in use says what is in use", async () => {
    await using made = new TestLeaf();
    if (v2) return;
    const child = made.run("head -c 30000000 /dev/zero | tail -c 30000000 | (read x; sleep 60)");
    for (
      let i = 0;
      i < 100 && Number(made.leaf.read("memory", "memory.usage_in_bytes")) < 20_000_000;
      i += 1
    ) {
      await Bun.sleep(20);
    }
    expect(child.exitCode).toBeNull();
    expect(() => applyResources(made.leaf, { memory: { limit: 500_000 } })).toThrow(
      /linux\.resources\.memory\.limit: unable to set memory limit to 500000 \(current usage: \d+, peak usage: \d+\)/,
    );
  });

  test("v2: checkBeforeUpdate refuses instead of killing", async () => {
    await using made = new TestLeaf();
    if (!v2) return;
    made.run("sleep 60");
    await Bun.sleep(100);
    expect(() => applyResources(made.leaf, { memory: { limit: 4096, checkBeforeUpdate: true } })).toThrow(
      "rejecting memory limit 4096 < usage",
    );
    expect(made.leaf.read("memory", "memory.max")).toBe("max");
  });
});

test("OOM kills are told and counted", async () => {
  await using made = new TestLeaf();
  const { leaf } = made;
  expect(leaf.oomKills()).toBe(0);
  using watch = watchOom(leaf);
  const aborted = watch.next(AbortSignal.timeout(30));
  expect(await aborted).toBeUndefined();

  using second = watchOom(leaf);
  const swap = leaf.has("memory", v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
  applyResources(leaf, { memory: { limit: 8_000_000, ...(swap ? { swap: 8_000_000 } : {}) } });
  const kills = second.next(AbortSignal.timeout(20_000));
  const child = made.run("tail /dev/zero");
  await child.exited;
  expect(await kills).toBeGreaterThan(0);
  expect(leaf.oomKills()).toBeGreaterThan(0);
});

test("an OOM watch ends when it is closed while waiting, and needs a memory controller", async () => {
  await using made = new TestLeaf();
  const watch = watchOom(made.leaf);
  const abort = new AbortController();
  const waiting = watch.next(abort.signal);
  await Bun.sleep(20);
  abort.abort();
  expect(await waiting).toBeUndefined();
  watch.close();
  watch.close();
  expect(() => watchOom(new Leaf({ pids: "/x" }))).toThrow("has no memory controller");
});

describe("probeResources", () => {
  const layout = detectLayout();
  const groups = () =>
    layout.hierarchies.map((h) => readdirSync(h.root).filter((name) => name.startsWith("lxcri-probe")));

  test("what is applied here passes, what this kernel lacks is named; no group stays", () => {
    expect(
      probeResources(layout, { memory: { limit: 1 }, cpu: { shares: 2, burst: 1 }, pids: { limit: 1 } }),
    ).toEqual([]);
    const faults = probeResources(layout, {
      network: { classID: 1 },
      unified: { "nosuch.max": "1" },
      hugepageLimits: [{ pageSize: "3MB", limit: 1 }],
      blockIO: { leafWeight: 5 },
    });
    const paths = faults.map((fault) => fault.path);
    expect(paths).toContain('linux.resources.unified["nosuch.max"]');
    expect(paths).toContain("linux.resources.hugepageLimits[0]");
    expect(paths).toContain("linux.resources.blockIO.leafWeight");
    for (const left of groups()) expect(left).toEqual([]);
  });

  test("device rules that cannot be kept are named before anything is made", () => {
    const hole = { allow: false, type: "c", major: 136, minor: 0, access: "r" } as const;
    const wide = { allow: true, type: "c", major: 136 } as const;
    expect(probeResources(layout, { devices: [wide] })).toEqual([]);
    expect(probeResources(layout, { devices: [wide, hole] })).toMatchObject(
      [{ path: "linux.resources.devices", probe: "value", message: /^cannot deny c 136:0 r/ }].map(
        (fault) => ({ ...fault, message: expect.stringMatching(fault.message) }),
      ),
    );
    const pidsOnly = {
      mode: "legacy",
      hierarchies: layout.hierarchies.filter((h) => h.key === "pids"),
    } as const;
    expect(probeResources(pidsOnly, { devices: [wide] })).toMatchObject([{ probe: "controller" }]);
  });

  test("a probe group that a killed process left is used and removed", () => {
    const first = layout.hierarchies.find((h) => h.controllers.includes(v2 ? "memory" : "blkio"));
    const left = `${first?.root}/lxcri-probe-${process.pid}`;
    mkdirSync(left);
    expect(
      probeResources(layout, v2 ? { unified: { "memory.nosuch": "1" } } : { blockIO: { leafWeight: 5 } }),
    ).toHaveLength(1);
    expect(existsSync(left)).toBe(false);
  });
});

describe("devices", () => {
  const views = (made: TestLeaf) => [
    made.leaf,
    ...(v2 || made.leaf.unified === undefined ? [] : [new Leaf({ unified: made.leaf.unified })]),
  ];
  const attempt = async (made: TestLeaf, script: string) => {
    const child = made.run(script);
    const [code, said] = await Promise.all([child.exited, new Response(child.stderr).text()]);
    return code === 0 ? "ok" : said.includes("Operation not permitted") ? "denied" : said;
  };

  test("the rules decide what a process may open and make, with the v1 controller and with BPF", async () => {
    await using made = new TestLeaf();
    const node = `/tmp/${made.name}`;
    for (const leaf of views(made)) {
      await applyDevices(leaf, []);
      expect(await attempt(made, "head -c1 /dev/zero >/dev/null")).toBe("ok");
      expect(await attempt(made, "head -c1 /dev/urandom >/dev/null")).toBe("ok");
      expect(await attempt(made, "head -c0 /dev/kmsg")).toBe("denied");
      expect(await attempt(made, `mknod ${node} c 1 11 && rm ${node}`)).toBe("ok");

      await applyDevices(leaf, [{ allow: true, type: "c", major: 1, minor: 11, access: "r" }]);
      expect(await attempt(made, "exec 3</dev/kmsg")).toBe("ok");
      expect(await attempt(made, "exec 3>/dev/kmsg")).toBe("denied");
      expect(await attempt(made, "exec 3<>/dev/kmsg")).toBe("denied");

      await applyDevices(leaf, [
        { allow: true },
        { allow: false, type: "c", major: 1, minor: 11, access: "w" },
      ]);
      expect(await attempt(made, "exec 3</dev/kmsg")).toBe("ok");
      expect(await attempt(made, "exec 3>/dev/kmsg")).toBe("denied");
      expect(await attempt(made, "exec 3<>/dev/kmsg")).toBe("denied");

      await applyDevices(leaf, [{ allow: true }]);
      expect(await attempt(made, "exec 3<>/dev/kmsg")).toBe("ok");
    }
  });

  test("an update leaves no moment without rules, and no second program", async () => {
    await using made = new TestLeaf();
    if (made.leaf.unified === undefined) return;
    const leaf = new Leaf({ unified: made.leaf.unified });
    await applyDevices(leaf, []);
    const child = made.run(
      "i=0; while [ $i -lt 200 ]; do i=$((i+1)); head -c0 /dev/kmsg 2>/dev/null && echo open; done; echo end",
    );
    let running = true;
    void child.exited.then(() => {
      running = false;
    });
    for (let i = 0; i < 200 && running; i += 1) {
      await applyDevices(
        leaf,
        i % 2 === 0 ? [{ allow: true, type: "c", major: 1, minor: 12, access: "r" }] : [],
      );
      await Bun.sleep(1);
    }
    expect(await new Response(child.stdout).text()).toBe("end\n");
    await applyDevices(leaf, [{ allow: true }]);
    expect(await attempt(made, "head -c0 /dev/kmsg")).toBe("ok");
  });

  test("no hierarchy for them, or no group, is an error", async () => {
    expect(applyDevices(new Leaf({ pids: "/x" }), [])).rejects.toThrow("no cgroup hierarchy can hold them");
    expect(applyDevices(new Leaf({ unified: "/sys/fs/cgroup/lxcri-none" }), [])).rejects.toThrow(
      "device rules of",
    );
  });
});

test("v1: empty cpusets are filled from above", async () => {
  await using made = new TestLeaf();
  const folder = made.leaf.version("cpuset") === 1 ? made.leaf.folderOf("cpuset") : undefined;
  if (folder === undefined) return;
  mkdirSync(`${folder}/a/b`, { recursive: true });
  expect(readFileSync(`${folder}/a/b/cpuset.cpus`, "utf8").trim()).toBe("");
  writeFileSync(`${folder}/cpuset.cpus`, "0");
  inheritCpuset(
    detectLayout().hierarchies.find((h) => h.key === "cpuset")?.root ?? "",
    `${folder}/a/b/missing`,
  );
  expect(readFileSync(`${folder}/a/b/cpuset.cpus`, "utf8").trim()).toBe("0");
  expect(readFileSync(`${folder}/a/b/cpuset.mems`, "utf8").trim()).not.toBe("");
});
