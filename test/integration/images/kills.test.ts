/** SIGKILL at any moment of pull, import, gc and convert: the next command works and nothing half is listed. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked } from "../../../src/host/process.ts";
import { openStorage } from "../../../src/storage/storage.ts";
import { type BuiltImage, buildImage, busyboxEntries } from "../../images/build.ts";
import { pushLayout, startRegistry, type TestRegistry } from "../../images/registry.ts";
import type { TarEntry } from "../../images/tar-writer.ts";
import { ImageRoom } from "./images.fixture.ts";

setDefaultTimeout(240_000);

let shared: string;
let image: BuiltImage;
let registry: TestRegistry;
let name: string;
beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), "lxcri-kills-"));
  const files = (layer: number): TarEntry[] =>
    Array.from({ length: 300 }, (_, i) => ({
      name: `data/${layer}/${i}`,
      data: Buffer.alloc(4000 + i * 37, `${layer}-${i}`),
    }));
  image = buildImage(join(shared, "layout"), {
    layers: [busyboxEntries(), ...[1, 2, 3, 4].map(files)],
    config: { Cmd: ["sh"] },
  });
  registry = await startRegistry(join(shared, "registry"));
  await pushLayout(image.dir, image.tag, registry, "killed/app:1");
  name = `${registry.host}/killed/app:1`;
});
afterAll(async () => {
  await registry.stop();
  rmSync(shared, { recursive: true, force: true });
});

/** Starts a command and kills it after `ms`; true where it had ended by itself. */
async function killedAfter(room: ImageRoom, ms: number, ...argv: readonly string[]): Promise<boolean> {
  const child = room.start({}, ...argv);
  const timer = setTimeout(() => child.kill("SIGKILL"), ms);
  await child.exited;
  clearTimeout(timer);
  return child.signalCode === null;
}

/** Every image that is listed is whole. */
async function check(room: ImageRoom): Promise<void> {
  const listed = await room.json("ls");
  const storage = openStorage(room.dataRoot);
  for (const { tags } of listed) {
    const [{ chainIds, manifest }] = JSON.parse(await room.image("inspect", tags[0]));
    expect(chainIds.every((chainId: never) => storage.hasLayer(chainId))).toBe(true);
    await room.image("export", tags[0], `oci-archive:${room.at("whole.tar")}`);
    expect(manifest.layers.length).toBe(5);
  }
}

/** What is there beyond an image, or none. */
const leftovers = (room: ImageRoom): string[] =>
  ["content/ingest", "overlay/staging", "overlay/locks", "images/leases", "images/mounts"].flatMap(
    (folder) => {
      try {
        return readdirSync(join(room.dataRoot, folder));
      } catch {
        return [];
      }
    },
  );

test("a pull that is killed is taken up by the next", async () => {
  for (let ms = 30, whole = 0; whole < 2; ms += 23) {
    await using room = new ImageRoom();
    if (await killedAfter(room, ms, "pull", name)) whole += 1;
    await check(room);
    expect(await room.image("pull", "--quiet", name)).toBe(image.configDigest);
    await check(room);
    const rootfs = await room.image("mount", name);
    expect(readFileSync(join(rootfs, "data/4/299"))).toEqual(Buffer.alloc(4000 + 299 * 37, "4-299"));
    await room.image("unmount", name);
    await room.image("gc");
    expect(leftovers(room)).toEqual([]);
    await room.image("rm", name);
    expect(readdirSync(join(room.dataRoot, "content/blobs/sha256"))).toEqual([]);
  }
});

test("a pull that is killed again and again ends some day, and what goes is only what is unused", async () => {
  await using room = new ImageRoom();
  for (let ms = 60; !(await killedAfter(room, ms, "pull", name)); ms += 15) await check(room);
  await room.image("gc");
  expect(leftovers(room)).toEqual([]);
  await check(room);
  expect((await room.json("ls")).length).toBe(1);
});

test("a collection that is killed leaves whole images and is ended by the next", async () => {
  await using room = new ImageRoom();
  for (let ms = 25, whole = 0; whole < 2; ms += 11) {
    await room.image("pull", name);
    if (await killedAfter(room, ms, "gc", "--unused")) whole += 1;
    await check(room);
    await room.image("gc", "--unused");
    expect(await room.json("ls")).toEqual([]);
    expect(readdirSync(join(room.dataRoot, "content/blobs/sha256"))).toEqual([]);
    expect(openStorage(room.dataRoot).layers()).toEqual([]);
  }
  expect(leftovers(room)).toEqual([]);
});

test("a conversion that is killed leaves no mount once it was collected, and no template", async () => {
  await using room = new ImageRoom();
  await room.image("pull", name);
  for (let ms = 40, whole = 0; whole < 2; ms += 31) {
    const file = room.at(`ct-${ms}.tar.zst`);
    const ended = await killedAfter(room, ms, "convert", name, file);
    if (ended) whole += 1;
    // it is there whole, perhaps just before the kill, or not at all
    const there = existsSync(file);
    expect(there || !ended).toBe(true);
    if (there)
      expect((await runChecked(["tar", "--list", "--file", file])).stdout).toContain("./data/4/299\n");
    // Programs that the killed one had started hold its lock until they end, too.
    for (let tries = 0; tries < 20 && leftovers(room).length > 0; tries++) {
      await Bun.sleep(50);
      await room.image("gc");
    }
    expect(openStorage(room.dataRoot).list()).toEqual([]);
    expect(leftovers(room)).toEqual([]);
  }
});
