/**
 * What kills, reboots and hands from outside leave in the storage, found and put right: unfinished moves, file
 * systems that were needed for a while, volumes that nobody has, layers whose files are gone. Safe beside running
 * pulls and creates: a volume is recorded before it is made.
 */
import { existsSync } from "node:fs";
import { LxcriError } from "../host/errors.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { StorageDriver } from "./driver.ts";
import { isDraft } from "./migrate.ts";
import type { Storage } from "./storage.ts";

/** One thing that was not as it should be. */
export interface Finding {
  readonly kind: "move-unfinished" | "draft-left" | "volume-orphaned" | "layer-missing" | "volume-missing";
  /** The container, volume or layer, with its location. */
  readonly subject: string;
  /** Whether it has been put right; a container's lost volume cannot be. */
  readonly repaired: boolean;
}

/** Finds, and unless `dryRun` puts right, what is wrong. */
export async function repair(storage: Storage, options: { readonly dryRun: boolean }): Promise<Finding[]> {
  const found: Finding[] = [];
  const put = async (
    kind: Finding["kind"],
    subject: string,
    right: () => Promise<unknown>,
  ): Promise<void> => {
    if (!options.dryRun) await right();
    found.push({ kind, subject, repaired: !options.dryRun });
  };
  const { records } = storage;
  for (const id of records.list()) {
    if (records.find(id)?.moved === undefined) continue;
    await put("move-unfinished", id, () => storage.exclusive(id, () => storage.settledRecord(id)));
  }
  const migration = await records.lockMigration();
  try {
    for (const id of records.list()) if (isDraft(id)) await put("draft-left", id, () => storage.remove(id));
  } finally {
    migration.release();
  }
  for (const id of records.list()) {
    if (await isLeftUnfinished(storage, id)) await put("draft-left", id, () => storage.remove(id));
  }
  for (const location of locationsOf(storage)) {
    const driver = storage.driver(location);
    for (const { chainId } of topFirst(driver)) {
      if (await hasFiles(driver, chainId)) continue;
      await put("layer-missing", `${location} ${chainId}`, () => driver.removeLayer(chainId));
    }
    const volumes = await driver.volumes();
    if (volumes === undefined) continue;
    const owned = ownedVolumes(storage, location);
    for (const name of volumes) {
      if (owned.has(name)) continue;
      const volume = { folder: records.containers, name, layers: [] };
      await put("volume-orphaned", `${location} ${name}`, () => driver.destroy(volume));
    }
    // of those that were recorded before: one that is just being made is not lost
    for (const [name, id] of owned) {
      const isLost = !volumes.includes(name) && !(await driver.volumes())?.includes(name);
      if (isLost)
        found.push({ kind: "volume-missing", subject: `${location} ${name} of ${id}`, repaired: false });
    }
  }
  return found;
}

/** Whoever makes it holds its lock. */
async function isLeftUnfinished(storage: Storage, id: ContainerId): Promise<boolean> {
  if (storage.records.find(id)?.unfinished !== true) return false;
  return storage.exclusive(id, async () => storage.records.find(id)?.unfinished === true);
}

/** All locations that something is recorded in. */
export function locationsOf(storage: Storage): string[] {
  const ids = storage.records.list();
  return [...new Set([storage.location, ...ids.map((id) => storage.records.load(id).location)])];
}

/** Volume → container. */
function ownedVolumes(storage: Storage, location: string): Map<string, string> {
  const owned = new Map<string, string>();
  for (const id of storage.records.list()) {
    const record = storage.records.load(id);
    if (record.location === location) owned.set(record.volume, id);
    if (record.moved?.location === location) owned.set(record.moved.volume, id);
  }
  return owned;
}

/** A layer is removed before the one that it stands on. */
function topFirst(driver: StorageDriver) {
  const layers = driver.layers();
  const depth = (chainId: string): number => {
    const parent = layers.find((layer) => layer.chainId === chainId)?.parent;
    return parent === undefined ? 0 : 1 + depth(parent);
  };
  return layers.sort((a, b) => depth(b.chainId) - depth(a.chainId));
}

async function hasFiles(
  driver: StorageDriver,
  chainId: Parameters<StorageDriver["openLayer"]>[0],
): Promise<boolean> {
  try {
    return existsSync((await driver.openLayer(chainId)).folder);
  } catch (error) {
    if (error instanceof LxcriError && error.code === "dataset-missing") return false;
    throw error;
  }
}
