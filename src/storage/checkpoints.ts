/**
 * Checkpoints of containers' file systems, on every driver. A checkpoint's number is the time it was made, in
 * seconds since 1970, or the next free one. Whoever calls has frozen or stopped the container.
 */
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { LxcriError } from "../host/errors.ts";
import { call } from "../host/libc.ts";
import { isMountPoint, unmountAll } from "../host/mount-point.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { ContainerVolume, Snapshot, StorageDriver } from "./driver.ts";
import { type SnapshotRecord, volumeOf } from "./snapshot-records.ts";
import type { Storage } from "./storage.ts";

/** A container's volume with the driver that has it. */
interface Opened {
  readonly driver: StorageDriver;
  readonly volume: ContainerVolume;
  readonly record: SnapshotRecord;
}

export class Checkpoints {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /**
   * Keeps the container's file system as it is now.
   * @param now seconds since 1970
   * @returns the checkpoint's number
   * @throws LxcriError `snapshot-not-found`
   */
  take(id: ContainerId, now: number = Math.floor(Date.now() / 1000)): Promise<number> {
    return this.#storage.exclusive(id, async () => {
      const { driver, volume } = this.open(id);
      const rootfs = join(volume.folder, "rootfs");
      if (isMountPoint(rootfs)) syncFileSystem(rootfs);
      const taken = await driver.checkpoints(volume);
      let number = now;
      while (taken.includes(number)) number += 1;
      await driver.checkpoint(volume, number);
      return number;
    });
  }

  /** Numbers, ascending. @throws LxcriError `snapshot-not-found` */
  list(id: ContainerId): Promise<number[]> {
    const { driver, volume } = this.open(id);
    return driver.checkpoints(volume);
  }

  /** The checkpoint of that number, the latest where none is said. @throws LxcriError `checkpoint-not-found` */
  async find(id: ContainerId, number?: number): Promise<number> {
    const numbers = await this.list(id);
    const found = number === undefined ? numbers.at(-1) : numbers.find((each) => each === number);
    if (found !== undefined) return found;
    throw new LxcriError(
      "checkpoint-not-found",
      number === undefined
        ? `container ${id} has no checkpoint`
        : `container ${id} has no checkpoint ${number}`,
      { fix: "`proxmox-lxcri checkpoints ls` shows those that there are." },
    );
  }

  /** @throws LxcriError `checkpoint-not-found`, `checkpoint-in-use` */
  remove(id: ContainerId, number: number): Promise<void> {
    return this.#storage.exclusive(id, async () => {
      const { driver, volume } = this.open(id);
      await driver.removeCheckpoint(volume, await this.find(id, number));
    });
  }

  /**
   * Removes all but the latest `keep`.
   * @returns the numbers of those removed
   * @throws LxcriError `checkpoint-in-use`; older ones have gone then
   */
  async prune(id: ContainerId, keep: number): Promise<number[]> {
    const numbers = await this.list(id);
    const old = numbers.slice(0, Math.max(0, numbers.length - keep));
    for (const number of old) await this.remove(id, number);
    return old;
  }

  /**
   * Puts the file system of a container that does not run back to a checkpoint, and mounts it.
   * @param options.number the latest where none is said
   * @param options.discardNewer lose newer snapshots where the storage can only go back so
   * @throws LxcriError `checkpoint-not-found`, `snapshots-newer`, `checkpoint-in-use`
   */
  async restore(
    id: ContainerId,
    options: { readonly number?: number; readonly discardNewer: boolean },
  ): Promise<{ readonly number: number; readonly snapshot: Snapshot }> {
    return this.#storage.exclusive(id, async () => {
      const { driver, volume, record } = this.open(id);
      const number = await this.find(id, options.number);
      unmountAll(join(volume.folder, "rootfs"));
      try {
        await driver.rollback(volume, number, options.discardNewer);
      } finally {
        await this.#storage.mountLocked(id, record);
      }
      return { number, snapshot: await this.#storage.mountLocked(id, record) };
    });
  }

  /**
   * Makes the file system of a new container from a checkpoint of another, and mounts it.
   * @throws LxcriError `checkpoint-not-found`, `snapshot-exists`
   */
  clone(from: ContainerId, number: number | undefined, to: ContainerId): Promise<Snapshot> {
    const { records } = this.#storage;
    return this.#storage.exclusive(to, async () => {
      if (records.find(to) !== undefined) {
        throw new LxcriError("snapshot-exists", `container ${to}: has a file system already`);
      }
      const found = await this.find(from, number);
      const { driver, volume, record } = this.open(from);
      const { location, layers, idMaps } = record;
      const copy: SnapshotRecord = {
        location,
        volume: this.#storage.newVolumeName(to),
        layers,
        ...(idMaps === undefined ? {} : { idMaps }),
      };
      records.write(to, { ...copy, unfinished: true });
      await driver.cloneCheckpoint(volume, found, volumeOf(records.folderOf(to), copy));
      records.write(to, copy);
      return this.#storage.mountLocked(to, copy);
    });
  }

  /** @throws LxcriError `snapshot-not-found` */
  open(id: ContainerId): Opened {
    const record = this.#storage.records.load(id);
    return {
      record,
      driver: this.#storage.driver(record.location),
      volume: volumeOf(this.#storage.records.folderOf(id), record),
    };
  }
}

/** Writes what a file system still has in memory: syncfs(2). */
function syncFileSystem(path: string): void {
  const fd = openSync(path, "r");
  try {
    call("syncfs", [fd], path);
  } finally {
    closeSync(fd);
  }
}
