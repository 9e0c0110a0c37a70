import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { close, mknodAt, openDirectory } from "../host/at.ts";
import { readMounts } from "../host/mount-table.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { type Digest, digestOf } from "../spec/digest.ts";
import { Checkpoints } from "./checkpoints.ts";
import { chainsOf, isDraft, migrateAllLayers, migrateContainer } from "./migrate.ts";
import { btrfsPlace, type Place, pvePlace, TestFolder, zfsPlace } from "./places.fixture.ts";
import { repair } from "./repair.ts";
import { openStorage, type Storage } from "./storage.ts";
import { findDifference } from "./tree/sync.ts";

// zfs-fuse on a busy machine
setDefaultTimeout(120_000);

const MAPS = {
  uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
  gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
};
const CHAIN = [digestOf("m1"), digestOf("m2")];
const id = parseContainerId;
const silent = (): void => {};

let data: TestFolder;
let storage: Storage;
beforeEach(async () => {
  data = new TestFolder();
  storage = openStorage(data.path);
  await addLayers(storage);
});
afterEach(async () => {
  for (const each of storage.list()) await storage.remove(each.id);
  expect(readMounts().filter(({ point }) => point.startsWith(data.path))).toEqual([]);
  data[Symbol.dispose]();
});

async function addLayers(to: Storage): Promise<void> {
  for (const [i, chainId] of CHAIN.entries()) {
    const draft = await to.beginLayer(CHAIN.slice(0, i + 1));
    if (draft === undefined) throw new Error(`${chainId} is there already`);
    const { folder } = draft;
    mkdirSync(join(folder, "etc"));
    if (i === 0) {
      for (const name of ["a", "b", "c"]) writeFileSync(join(folder, "etc", name), name);
      mkdirSync(join(folder, "opt/deep"), { recursive: true });
      writeFileSync(join(folder, "opt/deep/old"), "old");
      chmodSync(join(folder, "etc"), 0o711);
    } else {
      writeFileSync(join(folder, "etc/b"), "other");
      const dir = openDirectory(join(folder, "etc"));
      mknodAt(dir, "c", 0o020000, 0);
      mknodAt(dir, "tty", 0o020666, 0x500);
      close(dir);
    }
    await draft.commit(i);
  }
}

/** A container with something of everything. */
async function fill(name: string): Promise<string> {
  const { rootfs } = await storage.prepare(id(name), CHAIN, MAPS);
  rmSync(join(rootfs, "opt/deep"), { recursive: true });
  mkdirSync(join(rootfs, "srv"));
  writeFileSync(join(rootfs, "srv/data"), Buffer.alloc(1_500_000, "data"));
  linkSync(join(rootfs, "srv/data"), join(rootfs, "srv/again"));
  truncateSync(join(rootfs, "etc/b"), 5 << 20);
  symlinkSync("/etc/a", join(rootfs, "srv/link"));
  writeFileSync(join(rootfs, "srv/su"), "su");
  chownSync(join(rootfs, "srv/su"), 100_005, 100_006);
  chmodSync(join(rootfs, "srv/su"), 0o6755);
  renameSync(join(rootfs, "etc/a"), join(rootfs, "etc/z"));
  utimesSync(join(rootfs, "srv"), 1, 1_000_000);
  return rootfs;
}

const locationOf = (name: string) => storage.list().find((each) => each.id === id(name))?.location;

describe("a container moves", () => {
  test("through all kinds of storage and back, unchanged", async () => {
    await using zfs = await zfsPlace();
    await using btrfs = await btrfsPlace();
    await using pve = await pvePlace();
    const rootfs = await fill("c");
    await storage.prepare(id("other"), CHAIN);
    await storage.prepare(id("model"), CHAIN, MAPS);
    const model = await fill("model");
    utimesSync(
      join(model, "srv/data"),
      statSync(join(rootfs, "srv/data")).atime,
      statSync(join(rootfs, "srv/data")).mtime,
    );
    const places: string[] = ["dir", btrfs.location, zfs.location, pve.location, "overlay"];
    for (const place of places) {
      const before = await storage.remount(id("c"));
      const copy = join(data.path, "copy");
      const { runChecked } = await import("../host/process.ts");
      await runChecked(["cp", "-a", before.rootfs, copy]);
      await migrateContainer(storage, id("c"), place, silent);
      expect(locationOf("c")).toBe(place);
      const after = await storage.remount(id("c"));
      expect(findDifference(copy, after.rootfs)).toBeUndefined();
      expect(statSync(join(after.rootfs, "srv/again")).nlink).toBe(2);
      expect(storage.list().filter((each) => isDraft(each.id))).toEqual([]);
      rmSync(copy, { recursive: true });
    }
    for (const each of ["c", "other", "model"]) await storage.remove(id(each));
    for (const place of places) {
      for (const chainId of [...CHAIN].reverse()) await storage.removeLayer(chainId, place);
      expect((await storage.driver(place).volumes()) ?? []).toEqual([]);
    }
  });

  test("not with checkpoints, and twice is once", async () => {
    await fill("c");
    const checkpoints = new Checkpoints(storage);
    await checkpoints.take(id("c"), 4);
    await expect(migrateContainer(storage, id("c"), "dir", silent)).rejects.toThrow("has checkpoints");
    await checkpoints.remove(id("c"), 4);
    await migrateContainer(storage, id("c"), "dir", silent);
    await migrateContainer(storage, id("c"), "dir", silent);
    expect(locationOf("c")).toBe("dir");
  });

  test("not where the new place keeps less than there is: it stays, and the rest goes", async () => {
    await fill("c");
    const small = new TestFolder();
    const { runChecked } = await import("../host/process.ts");
    await runChecked(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small.path]);
    try {
      await expect(migrateContainer(storage, id("c"), `dir:${small.path}/x`, silent)).rejects.toThrow();
      expect(locationOf("c")).toBe("overlay");
      expect(storage.list().map((each) => each.id as string)).toEqual(["c"]);
      expect(existsSync(join((await storage.remount(id("c"))).rootfs, "srv/data"))).toBe(true);
    } finally {
      await runChecked(["umount", "-l", small.path]);
      small[Symbol.dispose]();
    }
  });
});

describe("layers move", () => {
  test("all of a location, compared before they go", async () => {
    const lines: string[] = [];
    await migrateAllLayers(storage, "overlay", "dir", (line) => lines.push(line));
    expect(storage.driver("overlay").layers()).toEqual([]);
    expect(chainsOf(storage.driver("dir").layers())).toEqual([CHAIN]);
    const { rootfs } = await storage.prepareAt("dir", id("c"), CHAIN);
    expect(readdirSync(join(rootfs, "etc")).sort()).toEqual(["a", "b", "tty"]);
    expect(lines.filter((line) => line.includes("copying"))).toHaveLength(2);
    await storage.remove(id("c"));
    await migrateAllLayers(storage, "dir", "overlay", silent);
    expect(readFileSync(join((await storage.prepare(id("c"), CHAIN)).rootfs, "etc/b"), "utf8")).toBe("other");
  });

  test("chains are found from their tops", () => {
    const [a = CHAIN[0] as Digest, b = CHAIN[1] as Digest] = CHAIN;
    const c = digestOf("c");
    const layers = [
      { chainId: b, parent: a, size: 0 },
      { chainId: a, size: 0 },
      { chainId: c, parent: a, size: 0 },
    ];
    expect(chainsOf(layers)).toEqual([
      [a, b],
      [a, c],
    ]);
  });
});

describe("SIGKILL", () => {
  const places: readonly (readonly [string, () => Promise<Place>])[] = [
    ["overlay", async () => ({ location: "overlay", [Symbol.asyncDispose]: async () => {} })],
    ["btrfs", btrfsPlace],
    ["zfs", zfsPlace],
  ];

  /** Runs a script, killed after so many ms. */
  async function killedAfter(ms: number, body: string): Promise<boolean> {
    const file = join(data.path, "script.ts");
    writeFileSync(
      file,
      `import { openStorage } from ${JSON.stringify(join(import.meta.dir, "storage.ts"))};
       import { migrateContainer } from ${JSON.stringify(join(import.meta.dir, "migrate.ts"))};
       import { Checkpoints } from ${JSON.stringify(join(import.meta.dir, "checkpoints.ts"))};
       const storage = openStorage(${JSON.stringify(data.path)});
       await Bun.stdin.text();
       ${body}`,
    );
    const child = Bun.spawn([process.execPath, file], { stdin: "pipe", stdout: "ignore", stderr: "pipe" });
    // it is loaded: only the work itself is killed
    await Bun.sleep(150);
    child.stdin.end();
    const killer = setTimeout(() => child.kill("SIGKILL"), ms);
    await child.exited;
    clearTimeout(killer);
    if (child.signalCode === null)
      expect([child.exitCode, await new Response(child.stderr).text()]).toEqual([0, ""]);
    return child.signalCode === "SIGKILL";
  }

  test.each(places)("at any moment of prepare and remove on %s leaves nothing", async (_, make) => {
    await using place = await make();
    const prepare = `await storage.prepareAt(${JSON.stringify(place.location)}, "k", ${JSON.stringify(CHAIN)}, ${JSON.stringify(MAPS)});`;
    const { migrateLayers } = await import("./migrate.ts");
    await migrateLayers(storage, CHAIN, "overlay", place.location, silent);
    let killed = 0;
    for (const ms of [1, 5, 10, 20, 40, 80, 160]) {
      if (await killedAfter(ms, prepare)) killed += 1;
      const { rootfs } = await storage.prepareAt(place.location, id("k"), CHAIN, MAPS);
      expect(readFileSync(join(rootfs, "etc/b"), "utf8")).toBe("other");
      if (await killedAfter(ms, `await storage.remove("k");`)) killed += 1;
      await storage.remove(id("k"));
      expect(storage.list()).toEqual([]);
      expect((await storage.driver(place.location).volumes()) ?? []).toEqual([]);
      expect(existsSync(join(data.path, "containers/k"))).toBe(false);
    }
    expect(killed).toBeGreaterThan(2);
    for (const chainId of [...CHAIN].reverse()) await storage.removeLayer(chainId, place.location);
  });

  test.each(places)(
    "at any moment of a checkpoint, a restore or a clone on %s leaves all or nothing",
    async (_, make) => {
      await using place = await make();
      const { migrateLayers } = await import("./migrate.ts");
      await migrateLayers(storage, CHAIN, "overlay", place.location, silent);
      const { rootfs } = await storage.prepareAt(place.location, id("k"), CHAIN, MAPS);
      const checkpoints = new Checkpoints(storage);
      writeFileSync(join(rootfs, "state"), "kept");
      await checkpoints.take(id("k"), 1);
      let killed = 0;
      for (const [i, ms] of [1, 3, 6, 10, 15, 25, 40, 80].entries()) {
        writeFileSync(join(rootfs, "state"), "changed");
        if (await killedAfter(ms, `await new Checkpoints(storage).take("k", ${100 + i});`)) killed += 1;
        const restore = `await new Checkpoints(storage).restore("k", { number: 1, discardNewer: true });`;
        if (await killedAfter(ms, restore)) killed += 1;
        // waits for what the killed one had begun
        await storage.remount(id("k"));
        for (const number of (await checkpoints.list(id("k"))).reverse()) {
          await checkpoints.restore(id("k"), { number, discardNewer: true });
          expect(readFileSync(join(rootfs, "state"), "utf8")).toBe(number === 1 ? "kept" : "changed");
        }
        if (await killedAfter(ms, `await new Checkpoints(storage).clone("k", 1, "copy");`)) killed += 1;
        await repair(storage, { dryRun: false });
        const left = storage.list().find((each) => each.id === id("copy"));
        if (left !== undefined) {
          const { rootfs: whole } = await storage.remount(left.id);
          expect(readFileSync(join(whole, "state"), "utf8")).toBe("kept");
        }
        await storage.remove(id("copy"));
        const copy = await checkpoints.clone(id("k"), 1, id("copy"));
        expect(readFileSync(join(copy.rootfs, "state"), "utf8")).toBe("kept");
        await storage.remove(id("copy"));
      }
      expect(killed).toBeGreaterThan(3);
      await storage.remove(id("k"));
      expect((await storage.driver(place.location).volumes()) ?? []).toEqual([]);
      for (const chainId of [...CHAIN].reverse()) await storage.removeLayer(chainId, place.location);
    },
  );

  test.each(places.slice(1))(
    "at any moment of a migration from overlay to %s and back loses nothing",
    async (_, make) => {
      await using place = await make();
      await fill("k");
      const { runChecked } = await import("../host/process.ts");
      const copy = join(data.path, "copy");
      await runChecked(["cp", "-a", (await storage.remount(id("k"))).rootfs, copy]);
      let killed = 0;
      for (const to of [place.location, "overlay"]) {
        for (const ms of [1, 10, 25, 50, 100, 200, 300, 400, 500, 700]) {
          if (await killedAfter(ms, `await migrateContainer(storage, "k", ${JSON.stringify(to)}, () => {});`))
            killed += 1;
          const { rootfs } = await storage.remount(id("k"));
          expect(findDifference(copy, rootfs)).toBeUndefined();
        }
        await migrateContainer(storage, id("k"), to, silent);
        expect(findDifference(copy, (await storage.remount(id("k"))).rootfs)).toBeUndefined();
        await repair(storage, { dryRun: false });
        expect(storage.list().map((each) => [each.id as string, each.location])).toEqual([["k", to]]);
        expect((await storage.driver(place.location).volumes()) ?? []).toHaveLength(to === "overlay" ? 0 : 1);
      }
      expect(killed).toBeGreaterThan(4);
      await storage.remove(id("k"));
      for (const chainId of [...CHAIN].reverse()) await storage.removeLayer(chainId, place.location);
    },
  );
});
