/** The VM is the node that the other tests here rely on, and the built executable runs in it. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const output = (argv: readonly string[]): string => Bun.spawnSync([...argv]).stdout.toString();

test("cgroup v2 only, systemd as init, AppArmor enforcing", () => {
  expect(output(["stat", "-fc", "%T", "/sys/fs/cgroup"])).toBe("cgroup2fs\n");
  expect(readFileSync("/proc/1/comm", "utf8")).toBe("systemd\n");
  expect(readFileSync("/sys/module/apparmor/parameters/enabled", "utf8")).toBe("Y\n");
});

test("the executable runs from the read-only share", () => {
  const program = resolve(import.meta.dir, "../../dist/proxmox-lxcri");
  expect(output([program, "--version"])).toStartWith("proxmox-lxcri version ");
});
