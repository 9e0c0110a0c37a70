/** Every kind of limit on cgroup v2, its change, and what it does to a container. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import type { Resources } from "../../src/spec/config.ts";
import { eventually } from "../conformance/engine.ts";
import { control, VmContainers } from "./containers.fixture.ts";

const containers = new VmContainers();
afterAll(() => containers.dispose());

const disk = readFileSync("/sys/block/vda/dev", "utf8").trim();
const [major = 0, minor = 0] = disk.split(":").map(Number);
const sleep = ["/bin/sleep", "1000"];

const resources: Resources = {
  memory: { limit: 64 << 20, swap: 96 << 20, reservation: 16 << 20 },
  cpu: { shares: 2048, quota: 50_000, period: 100_000, burst: 10_000, cpus: "0-1", mems: "0" },
  pids: { limit: 20 },
  blockIO: {
    weight: 500,
    throttleReadBpsDevice: [{ major, minor, rate: 1 << 20 }],
    throttleWriteIOPSDevice: [{ major, minor, rate: 100 }],
  },
  hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }],
  unified: { "memory.high": String(48 << 20), "cgroup.max.descendants": "7" },
};
const expected: Readonly<Record<string, string>> = {
  "memory.max": String(64 << 20),
  "memory.swap.max": String(32 << 20),
  "memory.low": String(16 << 20),
  "memory.high": String(48 << 20),
  "cpu.weight": "174",
  "cpu.max": "50000 100000",
  "cpu.max.burst": "10000",
  "cpuset.cpus": "0-1",
  "cpuset.mems": "0",
  "pids.max": "20",
  "io.weight": "default 4950",
  "io.max": `${disk} rbps=1048576 wbps=max riops=max wiops=100`,
  "hugetlb.2MB.max": String(4 << 20),
  "hugetlb.2MB.rsvd.max": String(4 << 20),
  "cgroup.max.descendants": "7",
};
const values = (group: string, files: readonly string[]): Record<string, string> =>
  Object.fromEntries(files.map((file) => [file, control(group, file)]));

test("all limits are the leaf's, and change one by one", async () => {
  const id = "lxcri-vm-limits";
  const linux = { cgroupsPath: `/lxcri-vm/${id}`, resources };
  expect(await containers.create(id, sleep, { linux })).toBe("");
  const group = containers.group(id);
  expect(group).toBe(`/sys/fs/cgroup/lxcri-vm/${id}`);
  expect(values(group, Object.keys(expected))).toEqual({ ...expected });

  const change = { memory: { limit: 32 << 20, swap: 32 << 20 }, pids: { limit: -1 }, cpu: { idle: 1 } };
  const file = `${containers.folder}/resources.json`;
  await Bun.write(file, JSON.stringify(change));
  await containers.ok("update", "--resources", file, id);
  expect(values(group, ["memory.max", "memory.swap.max", "pids.max", "cpu.idle", "cpu.max"])).toEqual({
    "memory.max": String(32 << 20),
    "memory.swap.max": "0",
    "pids.max": "max",
    "cpu.idle": "1",
    "cpu.max": "50000 100000",
  });
  const refused = await containers.run("update", "--kernel-memory", "1000000", id);
  expect(refused).toMatchObject({ exitCode: 1 });
  expect(refused.stderr).toContain("memory.kernel");
  expect(await containers.remove(id)).toEqual([]);
});

test("more processes than the limit cannot be started", async () => {
  const id = "lxcri-vm-pids";
  const linux = { resources: { pids: { limit: 2 } } };
  const result = await containers.foreground(id, ["/bin/sh", "-c", "sleep 9 & sleep 9 & sleep 9"], { linux });
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain("can't fork");
});

test("a limit that the kernel does not have is refused by name, and nothing is made", async () => {
  const id = "lxcri-vm-none";
  const linux = { resources: { unified: { "memory.nothing": "1" }, memory: { swappiness: 10 } } };
  const result = await containers.foreground(id, ["/bin/true"], { linux });
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain('linux.resources.unified["memory.nothing"]');
  expect(existsSync(`/sys/fs/cgroup/lxcri-${id}`)).toBe(false);
});

const vda = { path: "/dev/vda", type: "b", major, minor, fileMode: 0o666 } as const;
const onlyRead = { allow: true, type: "b", major, minor, access: "r" } as const;
const nothing = { allow: false, access: "rwm" } as const;
/** Opens the disk for reading, then for writing. */
const tryBoth = ["/bin/sh", "-c", "(: </dev/vda) && echo read; (: >/dev/vda) && echo written"];

test("devices: only what the rules allow, and the defaults, can be opened", async () => {
  const id = "lxcri-vm-devices";
  const linux = { devices: [vda], resources: { devices: [nothing, onlyRead] } };
  await containers.start(id, sleep, { linux });
  const { stdout, stderr } = await containers.run("exec", id, ...tryBoth);
  expect({ stdout, stderr }).toEqual({
    stdout: "read\n",
    stderr: "/bin/sh: can't create /dev/vda: Operation not permitted\n",
  });
  await containers.ok("exec", id, "/bin/sh", "-c", "echo x >/dev/null; exec 3</dev/urandom");

  const file = `${containers.folder}/devices.json`;
  await Bun.write(file, JSON.stringify({ devices: [nothing] }));
  await containers.ok("update", "--resources", file, id);
  expect((await containers.run("exec", id, ...tryBoth)).stdout).toBe("");
  expect(await containers.remove(id)).toEqual([]);
});

test("pause stops every process, resume lets them go on", async () => {
  const id = "lxcri-vm-pause";
  await containers.start(id, ["/bin/sh", "-c", "while :; do echo tick; sleep 0.05; done"]);
  await eventually("ticks", () => containers.output(id).includes("tick"));
  await containers.ok("pause", id);
  const { status } = JSON.parse(await containers.ok("state", id));
  expect(status).toBe("paused");
  expect(control(containers.group(id), "cgroup.events")).toContain("frozen 1");
  const ticks = containers.output(id).length;
  expect((await containers.run("exec", id, "/bin/true")).stderr).toContain("paused");
  await Bun.sleep(500);
  expect(containers.output(id).length).toBe(ticks);
  await containers.ok("resume", id);
  await eventually("ticks again", () => containers.output(id).length > ticks);
  await containers.ok("pause", id);
  expect(await containers.remove(id)).toEqual([]);
});

test("an OOM kill is told by events, and is exit code 137", async () => {
  const id = "lxcri-vm-oom";
  const linux = { resources: { memory: { limit: 16 << 20, swap: 16 << 20 } } };
  const hog = ["/bin/busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
  expect(await containers.create(id, ["/bin/sh", "-c", `${hog.join(" ")}; exit $?`], { linux })).toBe("");
  const events = Bun.spawn(containers.argv("events", "--interval", "1s", id), { stdout: "pipe" });
  try {
    const types = typesOf(events.stdout);
    expect((await types.next()).value).toBe("stats");
    await containers.ok("start", id);
    let seen: unknown;
    for await (const type of types) {
      seen = type;
      if (type === "oom") break;
    }
    expect(seen).toBe("oom");
  } finally {
    events.kill();
    await events.exited;
  }
  expect(await containers.remove(id)).toEqual([]);
  const result = await containers.foreground("lxcri-vm-oom-code", hog, { linux });
  expect(result.exitCode).toBe(137);
});

/** The type of each event. */
async function* typesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line).type;
  }
}
