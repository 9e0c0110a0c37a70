/**
 * Moves containers and layers to another location, while the containers are stopped. A container is copied into a
 * volume of its own, compared file by file, and only then recorded as moved; what is left to do after that is
 * finished by whatever uses the container next. Killed before, the container is what and where it was.
 */
import { LxcriError } from "../host/errors.ts";
import { unmountAll } from "../host/mount-point.ts";
import { type ContainerId, parseContainerId } from "../spec/container-id.ts";
import { type Digest, digestOf, hexOf } from "../spec/digest.ts";
import type { Layer } from "./driver.ts";
import { finishMove } from "./finish-move.ts";
import { holding } from "./program.ts";
import { type MovedVolume, type SnapshotRecord, volumeOf } from "./snapshot-records.ts";
import type { Storage } from "./storage.ts";
import { copyLayer, findDifference, syncTrees } from "./tree/sync.ts";

/** Ids of file systems that are needed for a while; nobody's containers. */
const DRAFT = ".draft-";
export const isDraft = (id: string): boolean => id.startsWith(DRAFT);
const draftOf = (what: string): ContainerId =>
  parseContainerId(`${DRAFT}${hexOf(digestOf(what)).slice(0, 16)}`);

/** Told what is done, in a line. */
export type Report = (text: string) => void;

/**
 * Moves a container that does not run; one that is there already stays.
 * @throws LxcriError `migration-has-checkpoints`, `migration-differs`, `snapshot-not-found`
 */
export async function migrateContainer(
  storage: Storage,
  id: ContainerId,
  to: string,
  report: Report,
): Promise<void> {
  const work = () =>
    storage.exclusive(id, async () => {
      await storage.settledRecord(id);
      const record = storage.records.load(id);
      if (record.location === to) return;
      await refuseCheckpoints(storage, id, record);
      await migrateLayers(storage, record.layers, record.location, to, report);
      report(`container ${id}: copying to ${to}`);
      const moved = await copyContainer(storage, id, record, to);
      report(`container ${id}: verified`);
      const next = { ...record, moved };
      storage.records.write(id, next);
      await finishMove(storage, id, next, moved);
    });
  await alone(storage, work);
}

/** One migration at a time: its drafts are safe from `storage repair`. */
async function alone(storage: Storage, work: () => Promise<void>): Promise<void> {
  const lock = await storage.records.lockMigration();
  try {
    await holding(lock, work);
  } finally {
    lock.release();
  }
}

async function refuseCheckpoints(storage: Storage, id: ContainerId, record: SnapshotRecord): Promise<void> {
  const volume = volumeOf(storage.records.folderOf(id), record);
  const numbers = await storage.driver(record.location).checkpoints(volume);
  if (numbers.length === 0) return;
  throw new LxcriError(
    "migration-has-checkpoints",
    `container ${id}: has checkpoints, which cannot move with it: ${numbers.join(", ")}`,
    { fix: `Remove them, or send them to a file first: proxmox-lxcri checkpoints send ${id}` },
  );
}

/** Copies and compares; both are unmounted then. */
async function copyContainer(
  storage: Storage,
  id: ContainerId,
  record: SnapshotRecord,
  to: string,
): Promise<MovedVolume> {
  const draft = draftOf(id);
  const { records } = storage;
  // what a killed migration left
  await storage.remove(draft);
  const source = (await storage.mountLocked(id, record)).rootfs;
  const volume = storage.newVolumeName(id);
  records.write(draft, { ...record, location: to, volume });
  try {
    const { rootfs } = await storage.remount(draft);
    syncTrees(source, rootfs);
    refuseDifference(`container ${id}`, source, rootfs);
    unmountAll(rootfs);
    unmountAll(source);
    return { location: to, volume, draft, sourceGone: false };
  } catch (error) {
    await storage.remove(draft);
    throw error;
  }
}

function refuseDifference(what: string, source: string, target: string): void {
  const difference = findDifference(source, target);
  if (difference === undefined) return;
  throw new LxcriError("migration-differs", `${what}: the copy is not the same: ${difference}`, {
    fix: "The new place may lack extended attributes or devices; the container stays where it is.",
  });
}

/** Copies the layers of a chain that are missing at `to`. */
export async function migrateLayers(
  storage: Storage,
  chain: readonly Digest[],
  from: string,
  to: string,
  report: Report,
): Promise<void> {
  const source = storage.driver(from);
  const target = storage.driver(to);
  for (const [i, chainId] of chain.entries()) {
    const draft = await target.beginLayer(chain.slice(0, i + 1));
    if (draft === undefined) continue;
    try {
      report(`layer ${chainId}: copying to ${to}`);
      copyLayer(await source.openLayer(chainId), draft.folder, draft.overlayWhiteouts);
      await draft.commit(source.layers().find((layer) => layer.chainId === chainId)?.size ?? 0);
    } finally {
      await draft.discard();
    }
  }
}

/** Compares what a container would see. */
async function compareChains(
  storage: Storage,
  chain: readonly Digest[],
  from: string,
  to: string,
): Promise<void> {
  const [here, there] = [draftOf(`${from} ${chain.at(-1)}`), draftOf(`${to} ${chain.at(-1)}`)];
  try {
    const old = await storage.prepareAt(from, here, chain);
    const copy = await storage.prepareAt(to, there, chain);
    refuseDifference(`layer ${chain.at(-1)}`, old.rootfs, copy.rootfs);
  } finally {
    await storage.remove(here);
    await storage.remove(there);
  }
}

/** Chains of layers that no other layer stands on, lowest first. */
export function chainsOf(layers: readonly Layer[]): Digest[][] {
  const known = new Map(layers.map((layer) => [layer.chainId, layer]));
  const below = new Set(layers.map(({ parent }) => parent));
  return layers
    .filter(({ chainId }) => !below.has(chainId))
    .map((layer) => {
      const chain: Digest[] = [];
      for (let at: Layer | undefined = layer; at !== undefined; at = at.parent && known.get(at.parent)) {
        chain.unshift(at.chainId);
      }
      return chain;
    });
}

/**
 * Copies all layers of a location, compares what containers would see of them, then removes them there.
 * @throws LxcriError `migration-differs`; nothing is removed then
 */
export async function migrateAllLayers(
  storage: Storage,
  from: string,
  to: string,
  report: Report,
): Promise<void> {
  const chains = chainsOf(storage.driver(from).layers());
  for (const chain of chains) {
    await migrateLayers(storage, chain, from, to, report);
    await alone(storage, () => compareChains(storage, chain, from, to));
  }
  // overlay and pve have their layers in the same folders
  const shared = (location: string): boolean => location === "overlay" || location.startsWith("pve:");
  if (shared(from) && shared(to)) return;
  for (const chain of chains) {
    for (const chainId of chain.reverse()) {
      if (await storage.removeLayer(chainId, from)) report(`layer ${chainId}: removed from ${from}`);
    }
  }
}
