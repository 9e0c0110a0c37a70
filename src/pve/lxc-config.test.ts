import { describe, expect, test } from "bun:test";
import { parseConfig } from "./config-text.ts";
import { generateLxcConfig, type LxcConfigNode, memoryHigh } from "./lxc-config.ts";

const NODE: LxcConfigNode = {
  bridgeMtu: (bridge) => (bridge === "vmbr0" ? 1500 : undefined),
  device: (path) =>
    ({ "/dev/null": { kind: "c", major: 1, minor: 3 }, "/dev/sda": { kind: "b", major: 8, minor: 0 } })[
      path
    ] as { kind: "b" | "c"; major: number; minor: number } | undefined,
};
const BASE = "arch: amd64\nostype: debian\nrootfs: local:x\n";
const linesOf = (more: string): string[] =>
  generateLxcConfig(100, parseConfig(BASE + more, 100).config, NODE) ?? [];
const withKey = (more: string, key: string): string[] => linesOf(more).filter((line) => line.startsWith(key));

test("a template has no configuration, an incomplete container cannot have one", () => {
  expect(generateLxcConfig(100, parseConfig("template: 1\n", 100).config, NODE)).toBeUndefined();
  for (const key of ["arch", "ostype", "rootfs"]) {
    const text = BASE.split("\n")
      .filter((line) => !line.startsWith(key))
      .join("\n");
    expect(() => generateLxcConfig(100, parseConfig(text, 100).config, NODE)).toThrow(`lacks '${key}'`);
  }
});

test("memory.high leaves an eighth of a per cent, 128 MiB at most", () => {
  expect(memoryHigh(16 * 2 ** 20)).toBe(16 * 2 ** 20 - 2 ** 17);
  expect(memoryHigh(2 ** 36)).toBe(2 ** 36 - 2 ** 27);
});

test("own profiles and mappings take the place of the generated ones", () => {
  const own =
    "unprivileged: 1\nlxc.apparmor.profile: unconfined\nlxc.seccomp.profile: /x\nlxc.idmap: u 0 1 2\n";
  expect(withKey(own, "lxc.apparmor")).toEqual(["lxc.apparmor.profile = unconfined"]);
  expect(withKey(own, "lxc.seccomp")).toEqual(["lxc.seccomp.profile = /x"]);
  expect(withKey(own, "lxc.idmap")).toEqual(["lxc.idmap = u 0 1 2"]);
});

test("devices are allowed by their numbers", () => {
  expect(withKey("dev10: /dev/sda,deny-write=1\ndev2: /dev/null\n", "lxc.cgroup2.devices")).toEqual([
    "lxc.cgroup2.devices.allow = c 1:3 rw",
    "lxc.cgroup2.devices.allow = b 8:0 r",
  ]);
  expect(() => linesOf("dev0: /dev/none\n")).toThrow("device /dev/none does not exist");
  expect(() => linesOf("dev0: mode=0600\n")).toThrow("device (no path) does not exist");
});

describe("networks", () => {
  const nic = "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01";

  test("addresses that the host manages are LXC's to set", () => {
    const managed = `net0: ${nic},host-managed=1,ip=10.0.0.2/24,gw=10.0.0.1,ip6=fd00::2/64,gw6=fd00::1\n`;
    expect(withKey(managed, "lxc.net").slice(6)).toEqual([
      "lxc.net.0.ipv4.address = 10.0.0.2/24",
      "lxc.net.0.ipv4.gateway = 10.0.0.1",
      "lxc.net.0.ipv6.address = fd00::2/64",
      "lxc.net.0.ipv6.gateway = fd00::1",
      "lxc.net.0.flags = up",
    ]);
  });

  test("the MTU fits the bridge", () => {
    expect(withKey(`net0: ${nic},mtu=1400\n`, "lxc.net.0.mtu")).toEqual(["lxc.net.0.mtu = 1400"]);
    expect(() => linesOf(`net0: ${nic},mtu=9000\n`)).toThrow("MTU 9000 exceeds 1500 of vmbr0");
    expect(() => linesOf("net0: name=a,bridge=vmbr9\n")).toThrow("bridge vmbr9 does not exist");
    expect(() => linesOf("net0: name=a\n")).toThrow("bridge (none) does not exist");
  });

  test("a MAC address that is not configured is LXC's to choose", () => {
    expect(withKey("net0: name=a,bridge=vmbr0\n", "lxc.net.0.hwaddr")).toEqual([]);
  });
});

test("a program of its own gets shared memory and its environment", () => {
  const lines = linesOf(
    "entrypoint: /app -x\nlxc.environment.runtime: A=1\nlxc.environment.runtime: B=2 3\nlxc.group: g\n",
  );
  expect(lines).toContain("lxc.mount.entry = shm dev/shm tmpfs rw,nosuid,nodev,create=dir 0 0");
  expect(lines).toContain("lxc.init.cmd = /app -x");
  expect(lines.slice(-3)).toEqual([
    "lxc.environment.runtime = A=1",
    "lxc.environment.runtime = B=2 3",
    "lxc.group = g",
  ]);
});

test("a value that is not valid stops the start", () => {
  expect(() => linesOf("features: foo=1\n")).toThrow("foo: is not a known property");
});
