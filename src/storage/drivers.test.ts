import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { close, mknodAt, openDirectory, setXattrAt } from "../host/at.ts";
import { isMountPoint, unmountAll } from "../host/mount-point.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { type Digest, digestOf } from "../spec/digest.ts";
import { receiveCheckpoint, sendCheckpoint } from "./checkpoint-stream.ts";
import { Checkpoints } from "./checkpoints.ts";
import { type Place, places, TestFolder } from "./places.fixture.ts";
import { chooseLocation } from "./settings.ts";
import { openStorage, type Storage } from "./storage.ts";

// zfs-fuse on a busy machine
setDefaultTimeout(60_000);

const MAPS = {
  uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
  gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
};
const CHAIN = [digestOf("one"), digestOf("two")];
const id = parseContainerId;

function inFolder(folder: string, work: (fd: number) => void): void {
  const fd = openDirectory(folder);
  work(fd);
  close(fd);
}

/** Whiteouts in the form that the draft wants. */
function hide(overlay: boolean, folder: string, name: string): void {
  if (overlay) inFolder(folder, (dir) => mknodAt(dir, name, 0o020000, 0));
  else writeFileSync(join(folder, `.wh.${name}`), "");
}

function hideAll(overlay: boolean, folder: string): void {
  if (overlay) inFolder(folder, (dir) => setXattrAt(dir, "", "trusted.overlay.opaque", Buffer.from("y")));
  else writeFileSync(join(folder, ".wh..wh..opq"), "");
}

async function addLayers(storage: Storage): Promise<void> {
  const first = await storage.beginLayer(CHAIN.slice(0, 1));
  if (first !== undefined) {
    const { folder } = first;
    for (const name of ["etc", "bin", "old", "kept"]) mkdirSync(join(folder, name));
    for (const name of ["etc/owner", "etc/gone", "bin/su", "old/a", "kept/file"]) {
      writeFileSync(join(folder, name), name);
    }
    chownSync(join(folder, "etc/owner"), 33, 34);
    chmodSync(join(folder, "bin/su"), 0o4755);
    linkSync(join(folder, "bin/su"), join(folder, "bin/sudo"));
    symlinkSync("/etc/owner", join(folder, "link"));
    await first.commit(11);
  }
  const second = await storage.beginLayer(CHAIN);
  if (second === undefined) return;
  const { folder, overlayWhiteouts } = second;
  for (const name of ["etc", "old", "new"]) mkdirSync(join(folder, name));
  chmodSync(join(folder, "etc"), 0o750);
  writeFileSync(join(folder, "old/b"), "b");
  writeFileSync(join(folder, "new/n"), "n");
  writeFileSync(join(folder, "bin"), "a file now");
  hide(overlayWhiteouts, join(folder, "etc"), "gone");
  hideAll(overlayWhiteouts, join(folder, "old"));
  await second.commit(22);
}

describe.each(places)("%s", (_, make) => {
  let place: Place | undefined;
  let data: TestFolder;
  let storage: Storage;
  let checkpoints: Checkpoints;

  beforeAll(async () => {
    place = await make();
  });
  afterAll(() => place?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    data = new TestFolder();
    openStorage(data.path);
    chooseLocation(data.path, place?.location ?? "");
    storage = openStorage(data.path);
    checkpoints = new Checkpoints(storage);
    await addLayers(storage);
  });
  afterEach(async () => {
    for (const each of storage.list()) await storage.remove(each.id);
    for (const chainId of [...CHAIN].reverse()) expect(await storage.removeLayer(chainId)).toBe(true);
    expect(storage.layers()).toEqual([]);
    data[Symbol.dispose]();
  });

  test("layers lie on each other as the image says", async () => {
    const { rootfs, location, mounted } = await storage.prepare(id("c"), CHAIN);
    expect([location, mounted]).toEqual([storage.location, true]);
    expect(readdirSync(rootfs).sort()).toEqual(["bin", "etc", "kept", "link", "new", "old"]);
    expect(readdirSync(join(rootfs, "etc"))).toEqual(["owner"]);
    expect(readdirSync(join(rootfs, "old"))).toEqual(["b"]);
    expect(readFileSync(join(rootfs, "bin"), "utf8")).toBe("a file now");
    expect(statSync(join(rootfs, "etc")).mode & 0o7777).toBe(0o750);
    const { uid, gid } = statSync(join(rootfs, "etc/owner"));
    expect([uid, gid]).toEqual([33, 34]);
    const below = await storage.prepare(id("below"), CHAIN.slice(0, 1));
    expect(readdirSync(join(below.rootfs, "old"))).toEqual(["a"]);
    expect(statSync(join(below.rootfs, "bin/su")).mode & 0o7777).toBe(0o4755);
  });

  test("layers are listed, measured, and stay while something needs them", async () => {
    expect(storage.layers().sort((a, b) => a.size - b.size)).toEqual([
      { chainId: CHAIN[0] as Digest, size: 11 },
      { chainId: CHAIN[1] as Digest, size: 22, parent: CHAIN[0] as Digest },
    ]);
    expect((await storage.layerUsage(CHAIN[1] as Digest)).inodes).toBeGreaterThan(3);
    await storage.prepare(id("c"), CHAIN, MAPS);
    expect(await storage.removeLayer(CHAIN[1] as Digest)).toBe(false);
    expect(await storage.removeLayer(CHAIN[0] as Digest)).toBe(false);
    await expect(storage.layerUsage(digestOf("none"))).rejects.toThrow("is not in");
    await expect(storage.prepare(id("d"), [digestOf("none")])).rejects.toThrow(/layer .* is not in/);
  });

  test("an unprivileged container has its own owners, and no devices", async () => {
    const { rootfs } = await storage.prepare(id("u"), CHAIN.slice(0, 1), MAPS);
    const { uid, gid } = statSync(join(rootfs, "etc/owner"));
    expect([uid, gid]).toEqual([100_033, 100_034]);
    const su = statSync(join(rootfs, "bin/su"));
    expect([su.uid, su.mode & 0o7777, su.nlink]).toEqual([100_000, 0o4755, 2]);
    expect(lstatSync(join(rootfs, "link")).uid).toBe(100_000);
    inFolder(rootfs, (dir) => mknodAt(dir, "null", 0o020666, 0x103));
    expect(() => readFileSync(join(rootfs, "null"))).toThrow(/EACCES|EPERM|not permitted|denied/);
  });

  test("containers change nothing but their own", async () => {
    const one = await storage.prepare(id("one"), CHAIN);
    const two = await storage.prepare(id("two"), CHAIN);
    rmSync(join(one.rootfs, "kept"), { recursive: true });
    writeFileSync(join(one.rootfs, "big"), Buffer.alloc(3 << 20, "x"));
    expect(existsSync(join(two.rootfs, "kept/file"))).toBe(true);
    expect(existsSync(join(two.rootfs, "big"))).toBe(false);
    await new Checkpoints(storage).take(id("one"));
    expect((await storage.usage(id("one"))).bytes).toBeGreaterThan(3_000_000);
  });

  test("a container with a plus in its name, and one of an image without layers", async () => {
    const { rootfs } = await storage.prepare(id("a+b"), [], MAPS);
    expect(readdirSync(rootfs).filter((name) => name !== "lost+found")).toEqual([]);
    expect(statSync(rootfs).uid).toBe(100_000);
    await storage.prepare(id("x".repeat(255)), CHAIN);
  });

  test("what was written is there after a reboot, and gone after a removal", async () => {
    const { rootfs } = await storage.prepare(id("c"), CHAIN, MAPS);
    writeFileSync(join(rootfs, "mine"), "mine");
    unmountAll(rootfs);
    expect(storage.list()[0]?.mounted).toBe(false);
    await storage.remount(id("c"));
    expect(readFileSync(join(rootfs, "mine"), "utf8")).toBe("mine");
    expect((await storage.prepare(id("c"), CHAIN, MAPS)).rootfs).toBe(rootfs);
    await expect(storage.prepare(id("c"), CHAIN)).rejects.toThrow("of another image or map");
    await storage.remove(id("c"));
    await storage.remove(id("c"));
    expect(existsSync(rootfs) || isMountPoint(rootfs)).toBe(false);
    await expect(storage.remount(id("c"))).rejects.toThrow("has no file system");
  });

  test("checkpoints are numbered by time, restored by number, and pruned", async () => {
    const { rootfs } = await storage.prepare(id("c"), CHAIN, MAPS);
    const file = join(rootfs, "state");
    writeFileSync(file, "1");
    expect(await checkpoints.take(id("c"), 999)).toBe(999);
    writeFileSync(file, "2");
    expect(await checkpoints.take(id("c"), 999)).toBe(1000);
    rmSync(file);
    expect(await checkpoints.list(id("c"))).toEqual([999, 1000]);
    // the latest by number, not by text
    expect((await checkpoints.restore(id("c"), { discardNewer: false })).number).toBe(1000);
    expect(readFileSync(file, "utf8")).toBe("2");
    if (storage.location.startsWith("zfs")) {
      await expect(checkpoints.restore(id("c"), { number: 999, discardNewer: false })).rejects.toThrow(
        "would destroy newer snapshots",
      );
      expect(readFileSync(file, "utf8")).toBe("2");
    }
    await checkpoints.restore(id("c"), { number: 999, discardNewer: true });
    expect(readFileSync(file, "utf8")).toBe("1");
    await checkpoints.take(id("c"), 2000);
    await checkpoints.take(id("c"), 3000);
    expect((await checkpoints.prune(id("c"), 1)).at(-1)).toBe(2000);
    expect(await checkpoints.list(id("c"))).toEqual([3000]);
    await expect(checkpoints.find(id("c"), 1)).rejects.toThrow("has no checkpoint 1");
    await checkpoints.remove(id("c"), 3000);
    await expect(checkpoints.find(id("c"))).rejects.toThrow("has no checkpoint");
  });

  test("a container is made from a checkpoint, and outlives what it came from", async () => {
    const { rootfs } = await storage.prepare(id("c"), CHAIN, MAPS);
    writeFileSync(join(rootfs, "state"), "then");
    await checkpoints.take(id("c"), 5);
    writeFileSync(join(rootfs, "state"), "now");
    const copy = await checkpoints.clone(id("c"), 5, id("copy"));
    expect(readFileSync(join(copy.rootfs, "state"), "utf8")).toBe("then");
    expect(readFileSync(join(copy.rootfs, "kept/file"), "utf8")).toBe("kept/file");
    await expect(checkpoints.clone(id("c"), 5, id("copy"))).rejects.toThrow("has a file system already");
    if (storage.location.startsWith("zfs")) {
      await expect(checkpoints.remove(id("c"), 5)).rejects.toThrow("a container was made from it");
    }
    await storage.remove(id("c"));
    unmountAll(copy.rootfs);
    await storage.remount(id("copy"));
    expect(readFileSync(join(copy.rootfs, "state"), "utf8")).toBe("then");
    expect(await checkpoints.list(id("copy"))).toEqual([]);
  });

  test("a checkpoint travels as a stream", async () => {
    const { rootfs } = await storage.prepare(id("c"), CHAIN, MAPS);
    writeFileSync(join(rootfs, "state"), "sent");
    rmSync(join(rootfs, "kept"), { recursive: true });
    await checkpoints.take(id("c"), 77);
    writeFileSync(join(rootfs, "state"), "later");
    const pieces: Uint8Array[] = [];
    await sendCheckpoint(checkpoints, id("c"), { container: { name: "c" } }, (piece) => {
      pieces.push(piece.slice());
    });
    const { header, snapshot } = await receiveCheckpoint(storage, id("r"), stream(pieces));
    expect([header.number, header.container]).toEqual([77, { name: "c" }]);
    expect(readFileSync(join(snapshot.rootfs, "state"), "utf8")).toBe("sent");
    expect(statSync(join(snapshot.rootfs, "etc/owner")).uid).toBe(100_033);
    expect(existsSync(join(snapshot.rootfs, "kept"))).toBe(false);
    expect(await checkpoints.list(id("r"))).toEqual([77]);

    const whole = Buffer.concat(pieces);
    const bad: readonly [Buffer, string][] = [
      [whole.subarray(0, whole.length >> 1), "no checkpoint that can be received"],
      [Buffer.from("garbage\n"), "no checkpoint that can be received"],
      [Buffer.from(""), "cut off"],
    ];
    for (const [bytes, message] of bad) {
      await expect(receiveCheckpoint(storage, id("bad"), stream([bytes]))).rejects.toThrow(message);
      await receiveCheckpoint(storage, id("bad"), stream([bytes])).catch(() => {});
      expect(storage.list().map((each) => each.id as string)).toEqual(["c", "r"]);
    }
  });
});

async function* stream(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
