/** The door of the storage room: containers' file systems by id, each kept by the driver that its record names. */
import { join } from "node:path";
import { LxcriError } from "../host/errors.ts";
import { unmountAll } from "../host/mount-point.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { Digest } from "../spec/digest.ts";
import type { IdMaps, Layer, LayerDraft, Snapshot, SnapshotDriver, StorageDriver, Usage } from "./driver.ts";
import { openDriver } from "./drivers.ts";
import { finishMove } from "./finish-move.ts";
import { layerMissing } from "./layer-marks.ts";
import { removeFolders } from "./private-folder.ts";
import { holding } from "./program.ts";
import { chosenLocation } from "./settings.ts";
import { type SnapshotRecord, SnapshotRecords, snapshotOf, volumeOf } from "./snapshot-records.ts";

/** Opens the storage at an absolute path, making it where it is missing. */
export const openStorage = (dataRoot: string): Storage => new Storage(dataRoot);

export class Storage implements SnapshotDriver {
  readonly dataRoot: string;
  readonly records: SnapshotRecords;
  /** New layers and containers go here. */
  readonly location: string;
  readonly #drivers = new Map<string, StorageDriver>();

  constructor(dataRoot: string) {
    this.dataRoot = dataRoot;
    this.records = new SnapshotRecords(dataRoot);
    this.location = chosenLocation(dataRoot);
  }

  /** The driver for a location; the data root's own where none is said. @throws LxcriError `location-invalid` */
  driver(location: string = this.location): StorageDriver {
    const known = this.#drivers.get(location);
    if (known !== undefined) return known;
    const driver = openDriver(this.dataRoot, location);
    this.#drivers.set(location, driver);
    return driver;
  }

  get independentLayers(): boolean {
    return this.driver().independentLayers;
  }

  hasLayer(chainId: Digest): boolean {
    return this.driver().hasLayer(chainId);
  }

  layers(): Layer[] {
    return this.driver().layers();
  }

  beginLayer(chain: readonly Digest[], signal?: AbortSignal): Promise<LayerDraft | undefined> {
    return this.driver().beginLayer(chain, signal);
  }

  layerUsage(chainId: Digest): Promise<Usage> {
    return this.driver().layerUsage(chainId);
  }

  async removeLayer(chainId: Digest, location: string = this.location): Promise<boolean> {
    const driver = this.driver(location);
    const lock = await this.records.lockLayers();
    try {
      const uses = ({ layers, ...record }: SnapshotRecord): boolean =>
        layers.includes(chainId) && (record.location === location || record.moved?.location === location);
      if (this.records.list().some((id) => uses(this.records.load(id)))) return false;
      if (driver.layers().some(({ parent }) => parent === chainId)) return false;
      await driver.removeLayer(chainId);
      return true;
    } finally {
      lock.release();
    }
  }

  prepare(id: ContainerId, layers: readonly Digest[], idMaps?: IdMaps): Promise<Snapshot> {
    return this.prepareAt(this.location, id, layers, idMaps);
  }

  /** As `prepare`, in a location of the caller's choice. */
  prepareAt(
    location: string,
    id: ContainerId,
    layers: readonly Digest[],
    idMaps?: IdMaps,
  ): Promise<Snapshot> {
    return this.exclusive(id, async () => {
      const known = await this.settledRecord(id);
      const same =
        known !== undefined &&
        JSON.stringify([known.layers, known.idMaps]) === JSON.stringify([layers, idMaps]);
      if (known !== undefined && !same) {
        throw new LxcriError("snapshot-exists", `container ${id}: has a file system of another image or map`);
      }
      return this.mountLocked(id, known ?? (await this.#record(location, id, layers, idMaps)));
    });
  }

  remount(id: ContainerId): Promise<Snapshot> {
    return this.exclusive(id, async () => {
      await this.settledRecord(id);
      return this.mountLocked(id, this.records.load(id));
    });
  }

  remove(id: ContainerId): Promise<void> {
    return this.exclusive(id, async () => {
      const folder = this.records.folderOf(id);
      unmountAll(join(folder, "rootfs"));
      const record = await this.settledRecord(id);
      if (record !== undefined) await this.driver(record.location).destroy(volumeOf(folder, record));
      await removeFolders(join(folder, "rootfs"));
      // last: until here another remove would know what to do
      this.records.remove(id);
    });
  }

  usage(id: ContainerId): Promise<Usage> {
    const record = this.records.load(id);
    return this.driver(record.location).usage(volumeOf(this.records.folderOf(id), record));
  }

  list(): Snapshot[] {
    return this.records.list().map((id) => snapshotOf(id, this.records.folderOf(id), this.records.load(id)));
  }

  /** One process at a time works on a container's file system. */
  async exclusive<T>(id: ContainerId, work: () => Promise<T>): Promise<T> {
    const lock = await this.records.lock(id);
    try {
      return await holding(lock, work);
    } finally {
      lock.release();
    }
  }

  /** The record, once a migration that was interrupted at its end is finished; for who holds the container's lock. */
  async settledRecord(id: ContainerId): Promise<SnapshotRecord | undefined> {
    const record = this.records.find(id);
    if (record?.moved === undefined) return record;
    return finishMove(this, id, record, record.moved);
  }

  /** For who holds the container's lock. Idempotent: what is missing on the way is made. */
  async mountLocked(id: ContainerId, record: SnapshotRecord): Promise<Snapshot> {
    if (record.unfinished === true) {
      throw new LxcriError("snapshot-unfinished", `container ${id}: its file system was never made whole`, {
        fix: "Remove the container, or: proxmox-lxcri storage repair",
      });
    }
    const folder = this.records.folderOf(id);
    await this.driver(record.location).mount(volumeOf(folder, record));
    return snapshotOf(id, folder, record);
  }

  async #record(
    location: string,
    id: ContainerId,
    layers: readonly Digest[],
    idMaps: IdMaps | undefined,
  ): Promise<SnapshotRecord> {
    const driver = this.driver(location);
    const lock = await this.records.lockLayers();
    try {
      const missing = layers.find((chainId) => !driver.hasLayer(chainId));
      if (missing !== undefined) throw layerMissing(missing, `this data root, for container ${id}`);
      const volume = this.newVolumeName(id);
      const record = { location, volume, layers, ...(idMaps === undefined ? {} : { idMaps }) };
      this.records.write(id, record);
      return record;
    } finally {
      lock.release();
    }
  }

  /** A name that no other volume has: a container may have been renamed since it got its. */
  newVolumeName(id: ContainerId): string {
    const taken = new Set(this.records.list().map((each) => this.records.load(each).volume));
    const base = id.length > 100 ? `${id.slice(0, 60)}.${Bun.hash(id).toString(36)}` : id;
    // `+` is no letter of a ZFS name
    const plain = base.replaceAll("+", ":");
    for (let n = 1; ; n += 1) {
      const name = n === 1 ? plain : `${plain}:${n}`;
      if (!taken.has(name)) return name;
    }
  }
}
