import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConmonPlan, conmonArguments } from "./conmon.ts";
import { findDevice, haltSignal, lxcfsFiles, seccompArchitecture } from "./facts.ts";
import { hostsText, writeIdentityFiles, writeSystemHostname } from "./identity-files.ts";
import { isVolumeName, prepareVolume, removeVolume, volumeFolder } from "./volumes.ts";

const folder = mkdtempSync(join(tmpdir(), "lxcri-facts-"));
afterAll(() => rmSync(folder, { recursive: true }));
const make = (name: string): string => {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
};

describe("the node", () => {
  test("lxcfs: what it serves, nothing where it does not run", () => {
    expect(lxcfsFiles(make("no-lxcfs"))).toEqual([]);
    const root = make("lxcfs");
    make("lxcfs/proc");
    make("lxcfs/sys/devices/system/cpu");
    writeFileSync(join(root, "proc/meminfo"), "");
    expect(lxcfsFiles(root)).toEqual(["proc/meminfo", "sys/devices/system/cpu"]);
  });

  test("machines with a seccomp profile", () => {
    expect([seccompArchitecture("x64"), seccompArchitecture("arm64")]).toEqual(["x64", "arm64"]);
    expect(() => seccompArchitecture("riscv64")).toThrow("no seccomp profile for riscv64");
  });

  test("devices", () => {
    const at = (source: string) => findDevice({ source, destination: "/dev/x", access: "rw" });
    expect(at("/dev/null")).toEqual({
      ...{ source: "/dev/null", destination: "/dev/x", access: "rw" },
      ...{ type: "c", major: 1, minor: 3 },
    });
    expect(() => at("/dev/nosuch")).toThrow("--device /dev/nosuch: no such file");
    expect(() => at("/dev")).toThrow("is not a device");
  });
});

test.each([
  ["/lib/systemd/systemd", "SIGRTMIN+3"],
  ["../bin/busybox", "SIGUSR2"],
  ["/usr/sbin/runit", "SIGPWR"],
])("an init that is %s stops by %s", (target, signal) => {
  const root = make(`init-${signal}`);
  make(`init-${signal}/sbin`);
  symlinkSync(target, join(root, "sbin/init"));
  expect(haltSignal(root)).toBe(signal);
  expect(haltSignal(make("no-init"))).toBe("SIGPWR");
});

describe("identity", () => {
  test("hostname, hosts, and name servers for those that have a network", () => {
    const etc = make("etc");
    writeFileSync(join(folder, "host-resolv"), "nameserver 192.0.2.1\n");
    const write = (
      network: Parameters<typeof writeIdentityFiles>[1]["network"],
      hostFile = join(folder, "host-resolv"),
    ) => writeIdentityFiles(etc, { hostname: "web", network }, { uid: 12, gid: 34 }, hostFile);
    expect(write({ kind: "host" })).toEqual({
      ...{ hostname: "../etc/hostname", hosts: "../etc/hosts", resolvConf: "../etc/resolv.conf" },
    });
    expect(readFileSync(join(etc, "hostname"), "utf8")).toBe("web\n");
    expect(readFileSync(join(etc, "hosts"), "utf8")).toBe(hostsText("web"));
    expect(readFileSync(join(etc, "resolv.conf"), "utf8")).toBe("nameserver 192.0.2.1\n");
    expect(statSync(join(etc, "hosts"))).toMatchObject({ uid: 12, gid: 34, mode: 0o100644 });
    write({ kind: "none" });
    expect(readFileSync(join(etc, "resolv.conf"), "utf8")).not.toContain("nameserver");
    write({ kind: "host" }, join(folder, "missing"));
    expect(readFileSync(join(etc, "resolv.conf"), "utf8")).toBe("");
  });

  test("a system's host name never goes to a file of the host", () => {
    const root = make("system");
    make("system/etc");
    writeFileSync(join(folder, "victim"), "safe");
    symlinkSync(join(folder, "victim"), join(root, "etc/hostname"));
    writeSystemHostname(root, "ct", { uid: 5, gid: 6 });
    expect(readFileSync(join(folder, "victim"), "utf8")).toBe("safe");
    expect(lstatSync(join(root, "etc/hostname"))).toMatchObject({ uid: 5, gid: 6, mode: 0o100644 });
    expect(readFileSync(join(root, "etc/hostname"), "utf8")).toBe("ct\n");
    expect(() => writeSystemHostname(make("empty"), "ct", { uid: 0, gid: 0 })).not.toThrow();
  });
});

describe("volumes", () => {
  test("names", () => {
    expect(["a", "a.b_c-d", "9"].every(isVolumeName)).toBe(true);
    expect(["", "..", "/a", "a/b", "a b", "-a"].some(isVolumeName)).toBe(false);
    expect(() => volumeFolder("/x", "../y")).toThrow("volume name");
  });

  test("a new one has the image's content and owner; one that is there stays; links lead nowhere else", async () => {
    const dataRoot = make("data");
    const rootfs = make("rootfs");
    make("rootfs/srv/www");
    writeFileSync(join(rootfs, "srv/www/index"), "page");
    symlinkSync("/etc", join(rootfs, "out"));
    const volume = await prepareVolume(dataRoot, "www", { rootfs, destination: "/srv/www" });
    expect(readFileSync(join(volume, "index"), "utf8")).toBe("page");
    writeFileSync(join(volume, "index"), "changed");
    await prepareVolume(dataRoot, "www", { rootfs, destination: "/srv/www" });
    expect(readFileSync(join(volume, "index"), "utf8")).toBe("changed");
    const outside = await prepareVolume(dataRoot, "out", { rootfs, destination: "/out" });
    expect(existsSync(join(outside, "passwd"))).toBe(false);
    const mapping = [{ containerID: 0, hostID: 1000, size: 10 }];
    const idMaps = { uidMappings: mapping, gidMappings: mapping };
    const empty = await prepareVolume(dataRoot, "empty", { rootfs, destination: "/nosuch", idMaps });
    expect(statSync(empty)).toMatchObject({ uid: 1000, gid: 1000, mode: 0o40755 });
    removeVolume(dataRoot, "www");
    expect(existsSync(volume)).toBe(false);
  });
});

test("conmon's arguments", () => {
  const plan: ConmonPlan = {
    program: "/program",
    id: "web",
    bundle: "/b",
    log: "/l",
    root: "/r",
    cgroupManager: "cgroupfs",
    terminal: true,
    stdin: true,
    keepStdin: true,
    exitCommand: ["rm", "web"],
  };
  const text = conmonArguments(plan).join(" ");
  expect(text).toContain(
    "--runtime /program --runtime-arg --root=/r --runtime-arg --cgroup-manager=cgroupfs",
  );
  expect(text).toContain("--log-path k8s-file:/l");
  expect(text).toEndWith(
    "--terminal --stdin --leave-stdin-open --exit-command /program --exit-command-arg rm --exit-command-arg web",
  );
  const { exitCommand: _, ...without } = { ...plan, terminal: false, stdin: false, keepStdin: false };
  expect(conmonArguments(without).join(" ")).not.toMatch(/--terminal|--stdin|--leave|--exit-command/);
});
