import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config, Linux } from "../spec/config.ts";
import { defaultConfig } from "../spec/default-config.ts";
import { MS } from "../spec/mount-options.ts";
import { type CreatePlanInput, planCreate } from "./create-plan.ts";
import { addHooks, stateTail } from "./hook-plan.ts";
import { nested, pairs, readPlan, valuesOf } from "./plan.fixture.ts";
import { Plan } from "./plan.ts";

const input = (config: Partial<Config>, more: Partial<CreatePlanInput> = {}): CreatePlanInput => ({
  id: "one",
  config: { ...defaultConfig(), ...config },
  bundle: "/bundle",
  rootfs: "/bundle/rootfs",
  files: {
    lxcPath: "/state/lxc",
    lxcConfig: "/state/lxc.conf",
    rootfs: "/state/rootfs",
    lxcLog: "/state/lxc.log",
    startFifo: "/state/start.fifo",
    resultFifo: "/state/result.fifo",
    hooks: "/state/hooks",
  },
  monitorGroups: ["/sys/fs/cgroup/a/m", "/sys/fs/cgroup/b/m"],
  mounts: { bundle: "/bundle", hierarchies: [], userNamespace: false, cgroupNamespace: true },
  process: {
    capabilities: { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n },
    rlimits: [],
    preserveFds: 0,
  },
  ...more,
});

const plan = (config: Partial<Config> = {}, more: Partial<CreatePlanInput> = {}): Plan =>
  planCreate(input(config, more));
const linux = (change: Linux): Partial<Config> => ({ linux: { ...defaultConfig().linux, ...change } });
const value = (from: Plan, key: string): string | undefined => valuesOf(from, key)[0];

test("files, groups and names", () => {
  const made = plan({ hostname: "h", domainname: "d.example" });
  expect(Object.fromEntries(pairs(made))).toMatchObject({
    id: "one",
    rootfs: "/bundle/rootfs",
    "lxc-path": "/state/lxc",
    "lxc-config": "/state/lxc.conf",
    "lxc-log": "/state/lxc.log",
    "start-fifo": "/state/start.fifo",
    "result-fifo": "/state/result.fifo",
    "hooks-folder": "/state/hooks",
    hostname: "h",
    domainname: "d.example",
    "root-readonly": "1",
    loopback: "1",
  });
  expect(valuesOf(made, "monitor-cgroup")).toEqual(["/sys/fs/cgroup/a/m", "/sys/fs/cgroup/b/m"]);
  for (const key of ["rootfs-reach", "console-socket", "console-fd", "pidfd-socket", "user-namespace"]) {
    expect(valuesOf(made, key)).toEqual([]);
  }
});

test("the ends that a caller gives", () => {
  const made = plan(
    {},
    { consoleSocket: "/c", consoleFd: 5, pidfdSocket: "/p", rootfsReach: "/state/rootfs" },
  );
  expect(
    ["console-socket", "console-fd", "pidfd-socket", "rootfs-reach"].map((key) => value(made, key)),
  ).toEqual(["/c", "5", "/p", "/state/rootfs"]);
});

test("the state is JSON once pid and status stand before it", () => {
  const annotations = { "org.example": 'a "b"\n' };
  const tail = value(plan({ annotations }), "state") ?? "";
  expect(JSON.parse(`{"pid":1,"status":"creating",${tail}`)).toEqual({
    pid: 1,
    status: "creating",
    ociVersion: defaultConfig().ociVersion,
    id: "one",
    bundle: "/bundle",
    annotations,
  });
  expect(JSON.parse(`{${stateTail({ ociVersion: "1", id: "a", bundle: "/", annotations: {} })}`)).toEqual({
    ociVersion: "1",
    id: "a",
    bundle: "/",
    annotations: {},
  });
});

describe("namespaces", () => {
  const given = (...namespaces: NonNullable<Linux["namespaces"]>) => plan(linux({ namespaces }));

  test("loopback is for a network of its own", () => {
    expect(valuesOf(given({ type: "network", path: "/n" }), "loopback")).toEqual([]);
    expect(valuesOf(given(), "loopback")).toEqual([]);
    expect(valuesOf(given({ type: "network" }), "loopback")).toEqual(["1"]);
  });

  test("a user namespace, new or joined", () => {
    expect(value(given({ type: "user" }), "user-namespace")).toBe("1");
    expect(value(given({ type: "user", path: "/u" }), "user-namespace")).toBe("1");
  });

  test("without a mount namespace of its own it moves to ours, or to the one that is named", () => {
    expect(value(given(), "mount-namespace")).toBe("/proc/self/ns/mnt");
    expect(value(given({ type: "mount", path: "/m" }), "mount-namespace")).toBe("/m");
    expect(value(given({ type: "mount", path: "/m" }), "mount-place")).toBe("/state/rootfs");
    expect(valuesOf(given({ type: "mount" }), "mount-place")).toEqual([]);
  });

  test("a cgroup namespace by its path; an empty path is none", () => {
    expect(value(given({ type: "cgroup", path: "/c" }), "cgroup-namespace")).toBe("/c");
    expect(valuesOf(given({ type: "cgroup", path: "" }), "cgroup-namespace")).toEqual([]);
    expect(valuesOf(given({ type: "cgroup" }), "cgroup-namespace")).toEqual([]);
  });

  test("time: joined, or new with offsets as the kernel takes them", () => {
    expect(value(given({ type: "time", path: "/t" }), "time-path")).toBe("/t");
    expect(valuesOf(given({ type: "time", path: "/t" }), "time-new")).toEqual([]);
    const offsets = plan(
      linux({
        namespaces: [{ type: "time" }],
        timeOffsets: { boottime: { secs: -5 }, monotonic: { secs: 1, nanosecs: 2 } },
      }),
    );
    expect(valuesOf(offsets, "time-new")).toEqual(["1"]);
    expect(valuesOf(offsets, "time-offset")).toEqual(["monotonic 1 2\n", "boottime -5 0\n"]);
    expect(valuesOf(given({ type: "time" }), "time-offset")).toEqual([]);
  });
});

test("the root's propagation, by mount(2)'s numbers", () => {
  const of = (rootfsPropagation: NonNullable<Linux["rootfsPropagation"]>) =>
    value(plan(linux({ rootfsPropagation })), "root-propagation");
  expect(of("rslave")).toBe(`${MS.SLAVE | MS.REC}`);
  expect(of("shared")).toBe(`${MS.SHARED}`);
  expect(valuesOf(plan(), "root-propagation")).toEqual([]);
});

test("sysctls by their path below /proc", () => {
  const made = plan(linux({ sysctl: { "net.ipv4.ip_forward": "1", "kernel.shmmax": "2" } }));
  expect(nested(made, "sysctl")).toEqual([
    [
      ["path", "sys/net/ipv4/ip_forward"],
      ["value", "1"],
    ],
    [
      ["path", "sys/kernel/shmmax"],
      ["value", "2"],
    ],
  ]);
});

test("masked and readonly paths, the mask with the mount label", () => {
  const made = plan(linux({ maskedPaths: ["/a", "/b"], readonlyPaths: ["/c"] }), {
    mounts: { ...input({}).mounts, mountLabel: "l:c1,c2" },
  });
  expect(valuesOf(made, "masked")).toEqual(["/a", "/b"]);
  expect(valuesOf(made, "readonly")).toEqual(["/c"]);
  expect(value(made, "mask-data")).toBe('context="l:c1,c2"');
  expect(valuesOf(plan(), "mask-data")).toEqual([]);
});

test("mounts come in order, then devices and links", () => {
  const kinds = readPlan(plan()).map(({ key }) => key);
  const first = (key: string) => kinds.indexOf(key);
  expect(first("filesystem")).toBeGreaterThan(-1);
  expect(first("device")).toBeGreaterThan(kinds.lastIndexOf("filesystem"));
  expect(first("process")).toBe(kinds.length - 1);
});

describe("hooks", () => {
  const hook = { path: "/bin/hook", args: ["hook", "a b"], env: ["A=1"], timeout: 5 };

  test("all that a hook has, in the order of the document", () => {
    const made = new Plan();
    addHooks(made, "poststart", [hook, { path: "/bin/two" }], "/bundle");
    addHooks(made, "poststop", undefined);
    expect(nested(made, "hook")).toEqual([
      [
        ["kind", "poststart"],
        ["path", "/bin/hook"],
        ["arg", "hook"],
        ["arg", "a b"],
        ["env", "A=1"],
        ["timeout", "5"],
        ["cwd", "/bundle"],
      ],
      [
        ["kind", "poststart"],
        ["path", "/bin/two"],
        ["cwd", "/bundle"],
      ],
    ]);
  });

  test("those of the runtime's namespace run in the bundle, and the mount hook waits for them", () => {
    const made = plan({ hooks: { createRuntime: [hook], createContainer: [hook], startContainer: [hook] } });
    const folders = nested(made, "hook").map((pairsOf) => {
      const { kind = "", cwd = "-" } = Object.fromEntries(pairsOf);
      return `${kind} ${cwd}`;
    });
    expect(folders).toEqual(["createRuntime /bundle", "createContainer -", "startContainer -"]);
    expect(valuesOf(made, "runtime-hooks")).toEqual(["1"]);
    expect(valuesOf(plan({ hooks: { createContainer: [hook] } }), "runtime-hooks")).toEqual([]);
    expect(valuesOf(plan({ hooks: { prestart: [hook] } }), "runtime-hooks")).toEqual(["1"]);
  });
});

test("a seccomp agent gets its metadata as a JSON string", () => {
  const made = plan({}, { listener: { path: "/agent", metadata: 'a"b' } });
  expect([value(made, "listener-path"), value(made, "listener-metadata")]).toEqual(["/agent", '"a\\"b"']);
  expect(valuesOf(plan({}, { listener: { path: "/agent", metadata: "" } }), "listener-metadata")).toEqual([]);
});

test("execCPUAffinity is not for init", () => {
  const process = { ...defaultConfig().process, execCPUAffinity: { initial: "0", final: "0" } };
  const inner = nested(plan({ process }), "process")[0] ?? [];
  expect(inner.map(([key]) => key)).toContain("arg");
  expect(inner.map(([key]) => key)).not.toContain("affinity");
  expect(inner.map(([key]) => key)).not.toContain("affinity-initial");
});

describe("both sides know the same keys", () => {
  const native = join(import.meta.dir, "../../native");
  const source = readdirSync(native)
    .filter((name) => name.endsWith(".c"))
    .map((name) => readFileSync(join(native, name), "utf8"))
    .join("\n");
  const text = (folder: string, ...names: readonly string[]) =>
    names.map((name) => readFileSync(join(import.meta.dir, folder, name), "utf8")).join("\n");
  const rooms =
    text("", "create-plan.ts", "device-plan.ts", "hook-plan.ts", "mount-plan.ts", "process-plan.ts") +
    text("../containers", "exec.ts", "hooks.ts", "run.ts", "shortcuts.ts");
  const written = new Set([
    ...[...rooms.matchAll(/\.add(?:All)?\(\s*"([a-z-]+)"/g)].map(([, key = ""]) => key),
    ...[...rooms.matchAll(/key: (?:early \? )?"([a-z-]+)"(?: : "([a-z-]+)")?/g)].flatMap((match) =>
      match.slice(1).filter((key) => key !== undefined),
    ),
    ...["bounding", "effective", "permitted", "inheritable", "ambient"].map((set) => `cap-${set}`),
  ]);
  const read = new Set(
    [
      ...source.matchAll(/plan_(?:get|find|number|unsigned|list|count)\([^;"]*?"([a-z-]+)"/g),
      ...source.matchAll(/strcmp\((?:record\.)key, "([a-z-]+)"\)/g),
      ...source.matchAll(
        /(?:open_namespace|set_idmap|process_pin|userns_make)\([^;]*?"([a-z-]+)"(?:, "([a-z-]+)")?\)/g,
      ),
    ].flatMap((match) => match.slice(1).filter((key) => key !== undefined)),
  );

  test("all that is written is read", () => {
    expect(written.size).toBeGreaterThan(80);
    expect([...written].filter((key) => !read.has(key)).sort()).toEqual([]);
  });

  test("all that is read is written", () => {
    expect([...read].filter((key) => !written.has(key)).sort()).toEqual([]);
  });
});
