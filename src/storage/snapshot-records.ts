/**
 * What the data root keeps about containers' file systems, whatever driver has them:
 *
 *     <data root>/containers/<id>/snapshot.json   the record; its folder is shared with other rooms
 *     <data root>/storage/locks/                  one lock per container, and `layers`
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, isMissing, LxcriError } from "../host/errors.ts";
import { type FileLock, lockFile } from "../host/file-lock.ts";
import { writeFileAtomic } from "../host/files.ts";
import { isMountPoint } from "../host/mount-point.ts";
import { type ContainerId, parseContainerId } from "../spec/container-id.ts";
import { type Digest, digestOf, hexOf } from "../spec/digest.ts";
import type { ContainerVolume, IdMaps, Snapshot } from "./driver.ts";
import { makeDataRoot, makeFolder, PASSABLE, PRIVATE } from "./private-folder.ts";

/** snapshot.json */
export interface SnapshotRecord {
  /** See location.ts. */
  readonly location: string;
  /** The driver's name for the volume. */
  readonly volume: string;
  readonly layers: readonly Digest[];
  readonly idMaps?: IdMaps;
  /** It is being made from a checkpoint; without its maker's lock it is what a kill left. */
  readonly unfinished?: true;
  /** A migration has been verified and only needs to be finished: from then on this is where the volume is. */
  readonly moved?: MovedVolume;
}

/** Where a verified migration has put the volume. */
export interface MovedVolume {
  readonly location: string;
  readonly volume: string;
  /** The container id under which it was made. */
  readonly draft: ContainerId;
  /** The volume that it was copied from has been removed. */
  readonly sourceGone: boolean;
}

const RECORD = "snapshot.json";

export class SnapshotRecords {
  readonly containers: string;
  readonly #locks: string;

  /** Makes its folders where they are missing. @param dataRoot absolute */
  constructor(dataRoot: string) {
    this.containers = join(dataRoot, "containers");
    this.#locks = join(dataRoot, "storage/locks");
    makeDataRoot(dataRoot);
    makeFolder(this.containers, PASSABLE);
    makeFolder(join(dataRoot, "storage"), PRIVATE);
    makeFolder(this.#locks, PRIVATE);
  }

  folderOf(id: ContainerId): string {
    return join(this.containers, id);
  }

  /** @throws LxcriError `snapshot-damaged` */
  find(id: ContainerId): SnapshotRecord | undefined {
    try {
      return JSON.parse(readFileSync(join(this.folderOf(id), RECORD), "utf8")) as SnapshotRecord;
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (!(error instanceof SyntaxError)) throw error;
      throw new LxcriError("snapshot-damaged", `container ${id}: ${RECORD} is not JSON`, { cause: error });
    }
  }

  /** @throws LxcriError `snapshot-not-found` */
  load(id: ContainerId): SnapshotRecord {
    const record = this.find(id);
    if (record !== undefined) return record;
    throw new LxcriError("snapshot-not-found", `container ${id}: has no file system in this data root`);
  }

  write(id: ContainerId, record: SnapshotRecord): void {
    // a host user must not reach a privileged container's setuid programs
    makeFolder(this.folderOf(id), record.idMaps === undefined ? PRIVATE : PASSABLE);
    writeFileAtomic(join(this.folderOf(id), RECORD), JSON.stringify(record), { durable: true });
  }

  /** Removes the record, and the folder where nothing else is in it. */
  remove(id: ContainerId): void {
    const folder = this.folderOf(id);
    rmSync(join(folder, RECORD), { force: true });
    try {
      // of a kill while a record was written
      for (const name of readdirSync(folder)) {
        if (name.startsWith(`${RECORD}.`)) rmSync(join(folder, name));
      }
      rmdirSync(folder);
    } catch (error) {
      // other rooms keep the container's logs and state beside
      if (!isMissing(error) && errnoOf(error) !== "ENOTEMPTY") throw error;
    }
  }

  /** Removes the record, and the folder with all that is left in it, of an id that no other room knows. */
  forget(id: ContainerId): void {
    const folder = this.folderOf(id);
    if (existsSync(join(folder, "rootfs"))) rmdirSync(join(folder, "rootfs"));
    this.remove(id);
    rmSync(folder, { recursive: true, force: true });
  }

  /** Ids of all that have a record, in order. */
  list(): ContainerId[] {
    return readdirSync(this.containers)
      .sort()
      .flatMap((name) => {
        const id = parseContainerId(name);
        return this.find(id) === undefined ? [] : [id];
      });
  }

  /** The lock's name is a hash, as ids may be as long as a file name. */
  lock(id: ContainerId): Promise<FileLock> {
    return lockFile(join(this.#locks, `container-${hexOf(digestOf(id)).slice(0, 32)}`));
  }

  /** Held by a migration, whose drafts are nobody's otherwise. */
  lockMigration(): Promise<FileLock> {
    return lockFile(join(this.#locks, "migration"));
  }

  /** Held while layers are looked up and recorded as used, or found unused and removed. */
  lockLayers(): Promise<FileLock> {
    return lockFile(join(this.#locks, "layers"));
  }
}

/** The record for the driver. */
export const volumeOf = (folder: string, record: SnapshotRecord): ContainerVolume => ({
  folder,
  name: record.volume,
  layers: record.layers,
  ...(record.idMaps === undefined ? {} : { idMaps: record.idMaps }),
});

/** The record for other rooms. */
export function snapshotOf(id: ContainerId, folder: string, record: SnapshotRecord): Snapshot {
  const rootfs = join(folder, "rootfs");
  const { location, layers, idMaps } = record;
  return {
    id,
    location,
    layers,
    rootfs,
    mounted: isMountPoint(rootfs),
    ...(idMaps === undefined ? {} : { idMaps }),
  };
}
