/** runtime-spec config-linux.md: devices, network devices, sysctl, paths, resources; what is refused. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runChecked } from "../../../src/host/process.ts";
import { capabilities, TestBundle } from "./bundle.ts";

describe("devices", () => {
  test("those that every container has, and the links", async () => {
    await using bundle = await TestBundle.make();
    const said = await bundle.output({
      script:
        "cd /dev; stat -c '%n %F %t:%T %a' null zero full random urandom tty; for l in fd stdin stdout stderr ptmx; do readlink $l; done",
    });
    expect(said.split("\n")).toEqual([
      "null character special file 1:3 666",
      "zero character special file 1:5 666",
      "full character special file 1:7 666",
      "random character special file 1:8 666",
      "urandom character special file 1:9 666",
      "tty character special file 5:0 666",
      "/proc/self/fd",
      "/proc/self/fd/0",
      "/proc/self/fd/1",
      "/proc/self/fd/2",
      "pts/ptmx",
    ]);
  });

  test("the config's: kinds, numbers, mode and owner; what is not allowed cannot be opened", async () => {
    await using bundle = await TestBundle.make();
    const said = await bundle.output({
      script:
        "stat -c '%F %t:%T %a %u:%g' /dev/c /dev/b /dev/p; head -c1 /dev/c | wc -c; head -c1 /dev/b 2>&1; true",
      process: { capabilities: capabilities("CAP_DAC_OVERRIDE") },
      linux: {
        devices: [
          { path: "/dev/c", type: "c", major: 1, minor: 5, fileMode: 0o600, uid: 5, gid: 6 },
          { path: "/dev/b", type: "b", major: 7, minor: 0 },
          { path: "/dev/p", type: "p", fileMode: 0o640 },
        ],
        resources: { devices: [{ allow: false, access: "rwm" }] },
      },
    });
    expect(said.split("\n")).toEqual([
      "character special file 1:5 600 5:6",
      "block special file 7:0 666 0:0",
      "fifo 0:0 640 0:0",
      "1",
      "head: /dev/b: Operation not permitted",
    ]);
  });
});

describe("netDevices", () => {
  /** A veth pair of the host, one end to be moved; taken away at the end. */
  class Pair implements AsyncDisposable {
    readonly moved = `lx${process.pid % 100_000}a`;
    readonly kept = `lx${process.pid % 100_000}b`;
    static async make(): Promise<Pair> {
      const pair = new Pair();
      await runChecked([
        "ip",
        "link",
        "add",
        pair.moved,
        "mtu",
        "1400",
        "type",
        "veth",
        "peer",
        "name",
        pair.kept,
      ]);
      await runChecked(["ip", "address", "add", "192.0.2.5/24", "dev", pair.moved]);
      await runChecked(["ip", "-6", "address", "add", "2001:db8::5/64", "dev", pair.moved, "nodad"]);
      return pair;
    }
    async [Symbol.asyncDispose](): Promise<void> {
      await run(["ip", "link", "delete", this.kept]);
    }
  }

  test("move in with a new name, MTU and global addresses, and are up", async () => {
    await using pair = await Pair.make();
    await using bundle = await TestBundle.make();
    const mac = readFileSync(`/sys/class/net/${pair.moved}/address`, "utf8").trim();
    const said = await bundle.output({
      script:
        "ip -o addr show eth7 | grep -v fe80; cat /sys/class/net/eth7/mtu /sys/class/net/eth7/address; ip link show eth7",
      linux: { netDevices: { [pair.moved]: { name: "eth7" } } },
    });
    expect(said).toContain("192.0.2.5/24");
    expect(said).toContain("2001:db8::5/64");
    expect(said).toContain(`1400\n${mac}\n`);
    expect(said).toMatch(/<.*\bUP\b.*>/);
  });

  test("a template lets the kernel number it; without a name it keeps its own", async () => {
    await using pair = await Pair.make();
    await using bundle = await TestBundle.make();
    const said = await bundle.output({
      script: "ls /sys/class/net; ip -o -4 addr show net0",
      linux: { netDevices: { [pair.moved]: { name: "net%d" }, [pair.kept]: {} } },
    });
    expect(said.split("\n").slice(0, 3).sort()).toEqual(["lo", pair.kept, "net0"].sort());
    expect(said).toContain("192.0.2.5/24");
  });

  test("a missing device, a taken name, the host's own namespace: refused by name, nothing moved", async () => {
    await using pair = await Pair.make();
    await using bundle = await TestBundle.make();
    const refused = async (change: Parameters<TestBundle["run"]>[0], text: string) => {
      const { exitCode, stderr } = await bundle.run(change);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(text);
    };
    await refused({ linux: { netDevices: { nosuch0: {} } } }, "linux.netDevices.nosuch0");
    await refused(
      { linux: { netDevices: { [pair.moved]: { name: "lo" } } } },
      "has a network device lo already",
    );
    const host = { namespaces: { network: null }, linux: { netDevices: { [pair.moved]: {} } } };
    await refused(host, "needs a network namespace of the container's own");
    expect(existsSync(`/sys/class/net/${pair.moved}`)).toBe(true);
    expect(await bundle.leftovers()).toEqual([]);
  });
});

describe("sysctl and paths", () => {
  test("sysctls of the container's own namespaces", async () => {
    await using bundle = await TestBundle.make();
    const sysctl = {
      "net.ipv4.ip_forward": "1",
      "kernel.msgmax": "4242",
      "net.ipv4.ping_group_range": "0 100",
    };
    const said = await bundle.output({
      script:
        "cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax; tr -s '\\t' ' ' < net/ipv4/ping_group_range",
      linux: { sysctl },
    });
    expect(said.split("\n")).toEqual(["1", "4242", "0 100"]);
  });

  test("a sysctl of the whole machine is refused by name", async () => {
    await using bundle = await TestBundle.make();
    const before = readFileSync("/proc/sys/vm/swappiness", "utf8");
    const { exitCode, stderr } = await bundle.run({ linux: { sysctl: { "vm.swappiness": "1" } } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("vm.swappiness");
    expect(readFileSync("/proc/sys/vm/swappiness", "utf8")).toBe(before);
  });

  test("masked and read-only paths, missing ones and links included", async () => {
    await using bundle = await TestBundle.make();
    mkdirSync(join(bundle.rootfs, "hidden"));
    writeFileSync(join(bundle.rootfs, "hidden/file"), "secret");
    writeFileSync(join(bundle.rootfs, "secret"), "secret");
    mkdirSync(join(bundle.rootfs, "fixed"));
    symlinkSync("/etc/../secret", join(bundle.rootfs, "link"));
    const said = await bundle.output({
      script: "ls /hidden; cat /secret /link; touch /fixed/x 2>&1; touch /hidden/x 2>&1; true",
      linux: {
        maskedPaths: ["/hidden", "/secret", "/link", "/no/such"],
        readonlyPaths: ["/fixed", "/nor/this"],
      },
    });
    expect(said.split("\n")).toEqual([
      "touch: /fixed/x: Read-only file system",
      "touch: /hidden/x: Read-only file system",
    ]);
  });
});

describe("resources", () => {
  test("limits are in the container's groups before the program runs", async () => {
    await using bundle = await TestBundle.make();
    const pid = await bundle.create({
      script: "true",
      linux: {
        cgroupsPath: `/lxcri-spec-${process.pid}/deep/${bundle.id}`,
        resources: {
          memory: { limit: 64 * 1024 * 1024 },
          pids: { limit: 33 },
          cpu: { quota: 50_000, period: 100_000, shares: 512 },
        },
      },
    });
    const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
    expect(groups).toContain(`/lxcri-spec-${process.pid}/deep/${bundle.id}`);
    const path = `lxcri-spec-${process.pid}/deep/${bundle.id}`;
    const unified = existsSync("/sys/fs/cgroup/cgroup.controllers");
    const read = (v1: string, v2: string) =>
      readFileSync(
        unified ? `/sys/fs/cgroup/${path}/${v2}` : `/sys/fs/cgroup/${v1.replace("/", `/${path}/`)}`,
        "utf8",
      ).trim();
    expect(read("memory/memory.limit_in_bytes", "memory.max")).toBe(`${64 * 1024 * 1024}`);
    expect(read("pids/pids.max", "pids.max")).toBe("33");
    expect(read("cpu/cpu.cfs_quota_us", "cpu.max")).toMatch(/^50000/);
    await bundle.ok("delete", "--force", bundle.id);
    for (const deep of [`lxcri-spec-${process.pid}/deep`, `lxcri-spec-${process.pid}`]) {
      await run(["sh", "-c", 'rmdir /sys/fs/cgroup/"$0" /sys/fs/cgroup/*/"$0"', deep]);
    }
  });
});

describe("what a probe refuses, is refused by name before anything is made", () => {
  const probes: readonly (readonly [string, boolean, object, string])[] = [
    [
      "AppArmor",
      existsSync("/sys/kernel/security/apparmor"),
      { process: { apparmorProfile: "p" } },
      "process.apparmorProfile",
    ],
    [
      "SELinux",
      existsSync("/sys/fs/selinux/enforce"),
      { process: { selinuxLabel: "a:b:c:s0" } },
      "process.selinuxLabel",
    ],
    [
      "mount label",
      existsSync("/sys/fs/selinux/enforce"),
      { linux: { mountLabel: "a:b:c:s0" } },
      "linux.mountLabel",
    ],
    [
      "resctrl",
      existsSync("/sys/fs/resctrl/schemata"),
      { linux: { intelRdt: { closID: "c" } } },
      "linux.intelRdt",
    ],
  ];
  for (const [what, present, change, path] of probes) {
    test.skipIf(present)(`${what}: ${path}`, async () => {
      await using bundle = await TestBundle.make();
      const { exitCode, stderr } = await bundle.run(change);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(path);
      expect(await bundle.leftovers()).toEqual([]);
      expect(existsSync(bundle.root)).toBe(false);
    });
  }
});
