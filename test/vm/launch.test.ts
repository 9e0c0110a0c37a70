/** `launch` on a node as Proxmox VE has them: cgroup v2 limits, AppArmor, systemd scopes, an older kernel's id maps. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { buildBusyboxImage } from "../images/build.ts";
import { LaunchWorld } from "../integration/launch.fixture.ts";

const world = new LaunchWorld();
const image = `oci:${world.at("image")}`;

beforeAll(() => {
  buildBusyboxImage(world.at("image"), { config: { Cmd: ["sleep", "1000"] } });
});
afterAll(() => world.dispose());

test("limits, profile and user namespace, seen from inside; nothing is left", async () => {
  const id = `${world.prefix}limits`;
  await world.ok("launch", "-d", "--name", id, "--memory", "64m", "--cpus", "0.5", "--pids", "20", image);
  const script = "cd /sys/fs/cgroup; cat memory.max cpu.max pids.max /proc/1/attr/current /proc/self/uid_map";
  const { stdout } = await world.run(["exec", id, "sh", "-c", script]);
  expect(stdout.split("\n").slice(0, 4)).toEqual([
    ...[String(64 << 20), "50000 100000", "20", "lxc-container-default-cgns (enforce)"],
  ]);
  expect(stdout).toMatch(/0\s+100000\s+65536/);
  const [usage] = JSON.parse(await world.ok("stats", "--no-stream", "--json", id)) as Record<
    string,
    unknown
  >[];
  expect(usage).toMatchObject({ memoryLimit: 64 << 20, processLimit: 20 });
  await world.ok("rm", "--force", id);
  expect(await world.leftovers(id)).toEqual([]);
});

test("with systemd's control groups", async () => {
  const id = `${world.prefix}scope`;
  await world.ok("--systemd-cgroup", "launch", "-d", "--name", id, image);
  const units = Bun.spawnSync(["systemctl", "list-units", "--plain", "--no-legend", "--type=scope"]);
  expect(units.stdout.toString()).toContain(`${id}.scope`);
  await world.ok("rm", "--force", id);
  expect(await world.leftovers(id)).toEqual([]);
});
