/** `storage`, `checkpoints`, `checkpoint` and `restore`, end to end on real ZFS: containers that run. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { openStorage } from "../../src/storage/storage.ts";
import { ZfsPool } from "../../src/storage/zfs/zfs.fixture.ts";
import { buildBusyboxImage } from "../images/build.ts";
import { LaunchWorld } from "./launch.fixture.ts";

// zfs-fuse on a busy machine
setDefaultTimeout(120_000);

const world = new LaunchWorld();
const name = `${world.prefix}cp`;
let pool: ZfsPool;
let image = "";

beforeAll(async () => {
  pool = await ZfsPool.make();
  buildBusyboxImage(world.at("image"), { config: { Cmd: ["sh", "-c", "while :; do sleep 0.1; done"] } });
  image = `oci:${world.at("image")}`;
  mkdirSync(world.at("data"), { mode: 0o711 });
  openStorage(world.at("data"));
});
afterAll(async () => {
  await world.dispose();
  await pool?.[Symbol.asyncDispose]();
});

const write = (text: string) => world.ok("exec", name, "sh", "-c", `echo ${text} > /state`);
const read = async () => (await world.ok("exec", name, "cat", "/state")).trim();

test("a running container is kept, put back, sent, moved and removed", async () => {
  await world.ok("storage", "migrate", "--to", `zfs:${pool.name}`);
  await world.ok("launch", "--detach", "--name", name, image);
  expect(await world.ok("storage", "ls")).toContain(`zfs:${pool.name}`);
  await write("one");
  const first = (await world.ok("checkpoint", name)).trim();
  await write("two");
  const second = (await world.ok("checkpoint", name)).trim();
  expect(Number(second.split("@")[1])).toBeGreaterThan(Number(first.split("@")[1]));
  expect(await world.ok("list")).toContain("running");
  await write("three");

  const clone = `${world.prefix}cl`;
  const began = performance.now();
  expect(await world.ok("launch", "--from", first, "--name", clone)).toBe(`${clone}\n`);
  expect(performance.now() - began).toBeLessThan(2000);
  expect(await world.ok("exec", clone, "sh", "-c", "cat /state; hostname; cat /etc/hostname")).toBe(
    `one\n${clone}\n${clone}\n`,
  );
  await world.ok("rm", "--force", clone);
  expect(await world.leftovers(clone)).toEqual([]);
  const twice = await world.run(["launch", "--from", first, "--name", name]);
  expect([twice.exitCode, twice.stderr]).toEqual([1, expect.stringContaining("already exists")]);

  const running = await world.run(["restore", name]);
  expect([running.exitCode, running.stderr]).toEqual([1, expect.stringContaining("not stopped: running")]);
  const moving = await world.run(["storage", "migrate", "--to", "overlay", name]);
  expect([moving.exitCode, moving.stderr]).toEqual([1, expect.stringContaining("not stopped: running")]);

  await world.ok("stop", "--time", "0", name);
  await world.ok("restore", name);
  expect(await read()).toBe("two");
  await world.ok("stop", "--time", "0", name);
  const refused = await world.run(["restore", first]);
  expect([refused.exitCode, refused.stderr]).toEqual([
    1,
    expect.stringContaining("would destroy newer snapshots"),
  ]);
  await world.ok("restore", "--discard-newer", first);
  expect(await read()).toBe("one");

  const listed = JSON.parse(await world.ok("checkpoints", "ls", "--json", name)) as { number: number }[];
  expect(listed.map(({ number }) => `${name}@${number}`)).toEqual([first]);
  await world.ok("checkpoints", "send", first, world.at("sent"));
  expect(readFileSync(world.at("sent"), "utf8").slice(0, 40)).toContain("proxmox-lxcri checkpoint 1");
  const other = `${world.prefix}rc`;
  expect(await world.ok("checkpoints", "receive", other, world.at("sent"))).toBe(
    `${other}@${first.split("@")[1]}\n`,
  );
  expect(await world.ok("checkpoints", "ls")).toContain(`${other}@`);
  await openStorage(world.at("data")).remove(other as never);

  const usage = JSON.parse(await world.ok("storage", "usage", "--json")) as { kind: string; bytes: number }[];
  expect(usage.map(({ kind }) => kind)).toEqual(["container", "layer"]);
  await world.ok("stop", "--time", "0", name);
  const kept = await world.run(["storage", "migrate", "--to", "overlay", name]);
  expect(kept.stderr).toContain("has checkpoints");
  expect(await world.ok("checkpoints", "prune", "--keep", "0", name)).toBe(`${first}\n`);
  await world.ok("storage", "migrate", "--to", "overlay");
  expect(await world.ok("storage", "ls")).toContain("New containers go to overlay");
  await world.ok("start", name);
  expect(await read()).toBe("one");
  expect(await world.ok("storage", "repair")).toBe("Nothing is wrong.\n");
  await world.ok("rm", "--force", name);
  expect(await world.leftovers(name)).toEqual([]);
});

test("what people type wrong is said", async () => {
  const wrong: readonly (readonly [readonly string[], string])[] = [
    [["storage", "migrate"], "--to LOCATION is missing"],
    [["storage", "migrate", "--to", "floppy"], "is no storage location"],
    [["storage", "migrate", "--to", `zfs:${pool.name}/none`, "nobody"], "has no file system"],
    [["checkpoints", "rm", "x"], "names no checkpoint"],
    [["checkpoints", "rm", "x@y"], "a checkpoint is a number"],
    [["checkpoints", "prune", "x"], "--keep N is missing"],
    [["checkpoints", "ls", "nobody"], "has no file system"],
    [["checkpoints", "send", "nobody", world.at("f")], "has no file system"],
    [["launch"], "needs an IMAGE, or --from"],
    [["launch", "--from", "nobody@1"], "does not exist"],
    [["launch", "--from", "nobody@1", "--memory", "1m"], "--memory cannot go with --from"],
    [["launch", "--from", "nobody@1", "image"], "stands in place of an IMAGE"],
    [["checkpoint", "--image-path", "/x", "nobody"], "does not exist"],
  ];
  for (const [args, message] of wrong) {
    const { exitCode, stderr } = await world.run(args);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(message)]);
  }
  writeFileSync(world.at("garbage"), "garbage");
  const { stderr } = await world.run(["checkpoints", "receive", "x", world.at("garbage")]);
  expect(stderr).toContain("cut off");
});
