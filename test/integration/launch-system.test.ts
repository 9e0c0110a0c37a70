/** System containers: a root file system with an init of its own, as Proxmox VE's templates are. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { busyboxEntries } from "../images/build.ts";
import { writeTar } from "../images/tar-writer.ts";
import { eventually, LaunchWorld } from "./launch.fixture.ts";

const world = new LaunchWorld();
const id = `${world.prefix}system`;
const boot = `#!/bin/sh
mkdir -p /mnt
mount -t tmpfs mine /mnt && echo mounted
echo "up: $(cat /proc/1/comm) on $(tty), $container"
`;

beforeAll(() =>
  writeFileSync(
    world.at("ct.tar"),
    writeTar([
      ...busyboxEntries(),
      { name: "sbin/init", type: "2", link: "../bin/busybox" },
      {
        name: "etc/inittab",
        data: "::sysinit:/etc/rc\n::respawn:/bin/sleep 1000\n::shutdown:/bin/echo going down\n",
      },
      { name: "etc/rc", mode: 0o755, data: boot },
    ]),
  ),
);
afterAll(() => world.dispose());

test("it boots, may mount, is told to shut down by the signal of its init, and leaves nothing", async () => {
  await world.ok("launch", "-d", "--name", id, `tar:${world.at("ct.tar")}`);
  await eventually("it is up", async () =>
    (await world.ok("logs", id)).includes("up: init on /dev/pts/0, lxc"),
  );
  expect(await world.ok("logs", id)).toContain("mounted");
  const { stdout } = await world.run([
    "exec",
    id,
    "sh",
    "-c",
    "mount | grep -E ' /(run|tmp) '; ls -l /dev/console; cat /proc/self/uid_map; cat /etc/hostname",
  ]);
  expect(stdout).toMatch(/tmpfs on \/run type tmpfs/);
  expect(stdout).toMatch(/tmpfs on \/tmp type tmpfs/);
  expect(stdout).toMatch(/136,\s+0.*\/dev\/console/);
  expect(stdout).toMatch(/0\s+100000\s+65536/);
  expect(stdout).toEndWith(`${id}\n`);
  await world.ok("stop", id);
  expect(await world.ok("logs", id)).toContain("going down");
  await world.ok("start", id);
  await eventually("it is up again", async () => (await world.ok("logs", id)).split("up: init").length === 3);
  await world.ok("rm", "--force", id);
  expect(await world.leftovers(id)).toEqual([]);
});

test("nesting: it may make containers of its own, with a /proc that hides nothing", async () => {
  const nested = `${id}-nested`;
  await world.ok("launch", "-d", "--nesting", "--name", nested, `tar:${world.at("ct.tar")}`);
  const { stdout, stderr } = await world.run([
    ...["exec", nested, "unshare", "-Urpf", "--mount-proc", "sh", "-c", "echo pid $$; ls /proc/self/ns/user"],
  ]);
  expect({ stdout, stderr }).toEqual({ stdout: "pid 1\n/proc/self/ns/user\n", stderr: "" });
  await world.ok("rm", "--force", nested);
  expect(await world.leftovers(nested)).toEqual([]);
});
