/** What the runtime does on a node as Proxmox VE has them: AppArmor enforced, systemd's control groups, v2 limits. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../../src/host/process.ts";
import { makeBundle } from "../bench/runtime-bundle.ts";
import { leftovers } from "../conformance/engine.ts";

const program = resolve(import.meta.dir, "../../dist/proxmox-lxcri");
const folder = mkdtempSync("/var/tmp/lxcri-runtime-");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runtime = (...args: readonly string[]) => run([program, "--root", join(folder, "state"), ...args]);

/** `create` without pipes: the container keeps its standard streams, and a pipe would not end. */
function create(...args: readonly string[]): number {
  const command = [program, "--root", join(folder, "state"), ...args];
  return Bun.spawnSync(command, { stdio: ["ignore", "ignore", "inherit"], timeout: 60_000 }).exitCode;
}

/** A bundle named `id` whose config is the benchmark's with `process` and `linux` properties added. */
function bundle(id: string, args: readonly string[], process: object, linux: object): string {
  const path = join(folder, id);
  makeBundle(path, { args });
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8"));
  Object.assign(config.process, process);
  Object.assign(config.linux, linux);
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
}

test("the AppArmor profile confines the program, not what sets it up", async () => {
  const apparmorProfile = "lxc-container-default-cgns";
  const path = bundle("apparmor", ["/bin/cat", "/proc/self/attr/current"], { apparmorProfile }, {});
  const result = await runtime("run", "--bundle", path, "lxcri-vm-apparmor");
  expect(result).toEqual({ stdout: `${apparmorProfile} (enforce)\n`, stderr: "", exitCode: 0 });
});

test("an AppArmor profile that is not loaded is refused by name", async () => {
  const path = bundle("missing", ["/bin/true"], { apparmorProfile: "no-such-profile" }, {});
  const result = await runtime("run", "--bundle", path, "lxcri-vm-missing");
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain("no-such-profile");
  expect(await leftovers("lxcri-vm-missing")).toEqual([]);
});

test("limits are the group's own in cgroup v2, and change", async () => {
  const memory = { limit: 32 << 20, swap: 32 << 20 };
  const resources = { memory, pids: { limit: 20 }, cpu: { quota: 50_000, period: 100_000 } };
  const linux = { cgroupsPath: "/lxcri-vm/limits", resources };
  const id = "lxcri-vm-limits";
  const path = bundle("limits", ["/bin/sleep", "1000"], {}, linux);
  expect(create("create", "--bundle", path, id)).toBe(0);
  const value = (file: string): string =>
    readFileSync(`/sys/fs/cgroup/lxcri-vm/limits/${file}`, "utf8").trim();
  expect([value("memory.max"), value("memory.swap.max"), value("pids.max"), value("cpu.max")]).toEqual([
    String(32 << 20),
    "0",
    "20",
    "50000 100000",
  ]);
  expect(
    await runtime("update", "--memory", String(64 << 20), "--memory-swap", String(64 << 20), id),
  ).toMatchObject({
    exitCode: 0,
  });
  expect(value("memory.max")).toBe(String(64 << 20));
  expect(await runtime("delete", "--force", id)).toMatchObject({ exitCode: 0 });
  expect(await leftovers("limits")).toEqual([]);
});

test("systemd's scope holds the container, with its limits, and goes with it", async () => {
  const id = "lxcri-vm-scope";
  const linux = { cgroupsPath: `system.slice:lxcri:${id}`, resources: { memory: { limit: 64 << 20 } } };
  const path = bundle("scope", ["/bin/sleep", "1000"], {}, linux);
  const scope = `lxcri-${id}.scope`;
  const property = async (name: string): Promise<string> =>
    (await run(["systemctl", "show", "--value", "--property", name, scope])).stdout.trim();

  const pidFile = join(folder, "pid");
  expect(create("--systemd-cgroup", "create", "--bundle", path, "--pid-file", pidFile, id)).toBe(0);
  expect(await runtime("--systemd-cgroup", "start", id)).toMatchObject({ exitCode: 0 });
  expect(await property("ActiveState")).toBe("active");
  expect(await property("MemoryMax")).toBe(String(64 << 20));
  const group = readFileSync(`/proc/${readFileSync(pidFile, "utf8")}/cgroup`, "utf8");
  expect(group).toStartWith(`0::/system.slice/${scope}`);

  expect(await runtime("--systemd-cgroup", "delete", "--force", id)).toMatchObject({ exitCode: 0 });
  expect(await property("ActiveState")).toBe("inactive");
  expect(await leftovers(id)).toEqual([]);
});
