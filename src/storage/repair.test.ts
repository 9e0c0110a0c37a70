import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountOf } from "../host/mount-table.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { digestOf } from "../spec/digest.ts";
import { parseLocation } from "./location.ts";
import { TestFolder } from "./places.fixture.ts";
import { repair } from "./repair.ts";
import { chooseLocation, suitableLocation } from "./settings.ts";
import { openStorage, type Storage } from "./storage.ts";

const id = parseContainerId;
const LAYER = digestOf("layer");
let data: TestFolder;
let storage: Storage;
beforeEach(async () => {
  data = new TestFolder();
  openStorage(data.path);
  chooseLocation(data.path, "dir");
  storage = openStorage(data.path);
  await (await storage.beginLayer([LAYER]))?.commit(1);
});
afterEach(async () => {
  for (const each of storage.list()) await storage.remove(each.id);
  data[Symbol.dispose]();
});

const kinds = async (dryRun: boolean) =>
  (await repair(storage, { dryRun })).map(({ kind, subject, repaired }) => [kind, subject, repaired]);

test("what is whole is left alone", async () => {
  await storage.prepare(id("c"), [LAYER]);
  expect(await kinds(false)).toEqual([]);
  expect(storage.list()[0]?.mounted).toBe(true);
});

test("volumes that nobody has, drafts and half-made clones go; a dry run only says so", async () => {
  mkdirSync(join(data.path, "dir/containers/lost"));
  await storage.prepare(id(".draft-0123456789abcdef"), [LAYER]);
  storage.records.write(id("half"), { location: "dir", volume: "half", layers: [LAYER], unfinished: true });
  await expect(storage.remount(id("half"))).rejects.toThrow("was never made whole");
  const wrong = ["draft-left", "draft-left", "volume-orphaned"];
  const dry = await kinds(true);
  expect(dry.filter(([kind]) => kind !== "volume-missing").map(([kind]) => String(kind))).toEqual(wrong);
  expect(existsSync(join(data.path, "dir/containers/lost"))).toBe(true);
  expect((await kinds(false)).map(([, , repaired]) => repaired)).toEqual([true, true, true]);
  expect(storage.list()).toEqual([]);
  expect(await kinds(false)).toEqual([]);
  expect(existsSync(join(data.path, "dir/containers/lost"))).toBe(false);
});

test("layers without files are forgotten; a container without its volume is named", async () => {
  await storage.prepare(id("c"), [LAYER]);
  await storage.prepare(id("gone"), []);
  const { runChecked } = await import("../host/process.ts");
  await runChecked(["umount", join(data.path, "containers/gone/rootfs")]);
  rmSync(join(data.path, "dir/containers/gone"), { recursive: true });
  rmSync(join(data.path, "dir/layers"), { recursive: true });
  mkdirSync(join(data.path, "dir/layers"));
  expect(await kinds(false)).toEqual([
    ["layer-missing", `dir ${LAYER}`, true],
    ["volume-missing", "dir gone of gone", false],
  ]);
  expect(storage.hasLayer(LAYER)).toBe(false);
});

test("a move that was killed at its end is finished", async () => {
  await storage.prepare(id("c"), [LAYER]);
  const record = storage.records.load(id("c"));
  const draft = id(".draft-fedcba9876543210");
  const volume = "c:2";
  storage.records.write(draft, { ...record, volume });
  const { rootfs } = await storage.remount(draft);
  writeFileSync(join(rootfs, "moved"), "");
  const moved = { location: "dir", volume, draft, sourceGone: false };
  storage.records.write(id("c"), { ...record, moved });
  expect((await kinds(false))[0]).toEqual(["move-unfinished", "c", true]);
  expect(existsSync(join((await storage.remount(id("c"))).rootfs, "moved"))).toBe(true);
  expect(storage.list().map((each) => each.id as string)).toEqual(["c"]);
  expect(await storage.driver("dir").volumes()).toEqual([volume]);
});

test("the location suits the file system, and stays as it was chosen", () => {
  using other = new TestFolder();
  expect(suitableLocation(other.path)).toBe("overlay");
  expect(openStorage(other.path).location).toBe("overlay");
  chooseLocation(other.path, "dir:/srv/x");
  expect(openStorage(other.path).location).toBe("dir:/srv/x");
  writeFileSync(join(other.path, "storage/settings.json"), "{}");
  expect(() => openStorage(other.path)).toThrow("names no storage location");
  expect(mountOf("/proc/self").type).toBe("proc");
});

test("locations are parsed, or refused by name", () => {
  expect(parseLocation("pve:ceph,size=20")).toEqual({
    driver: "pve",
    place: { storage: "ceph", vmid: 900_000, size: 20 },
  });
  expect(parseLocation("btrfs")).toEqual({ driver: "btrfs" });
  const bad = [
    "",
    "floppy",
    "overlay:x",
    "dir:relative",
    "dir:/a/../b",
    "dir:/",
    "zfs:",
    "zfs:-o",
    "zfs:a/../b",
    "zfs:a@b",
    "pve:",
    "pve:x,vmid=1",
    "pve:x,size=0",
    "pve:x,y=1",
    "pve:../x",
  ];
  for (const text of bad) expect(() => parseLocation(text)).toThrow("is no storage location");
});
