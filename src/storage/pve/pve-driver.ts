/**
 * The driver for storages of Proxmox VE, of any type: layers are in the data root, as the overlay driver has them;
 * what a container changes is in a volume of its own, with an ext4 in it, mounted on the container's `diff`.
 *
 *     <data root>/containers/<id>/volume.json   the volume's id, and whether its file system is made
 *     STORAGE:vm-<vmid>-lxcri-<hash>            the volume; its size is the container's limit
 */
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../host/files.ts";
import { isMountPoint, unmountAll } from "../../host/mount-point.ts";
import { digestOf, hexOf } from "../../spec/digest.ts";
import type { ContainerVolume, Receiver } from "../driver.ts";
import { OverlayDriver } from "../overlay/overlay.ts";
import { makeFolder, PRIVATE } from "../private-folder.ts";
import { runProgramChecked } from "../program.ts";
import { allocVolume, findVolume, freeVolume, listVolumes, type PveStorage, pathOfVolume } from "./pvesm.ts";

/** volume.json */
interface VolumeRecord {
  readonly id: string;
  readonly formatted: boolean;
}

const recordPath = ({ folder }: ContainerVolume): string => join(folder, "volume.json");
/** Storages differ in what a name may be and how long. */
const nameOf = ({ name }: ContainerVolume): string => `lxcri-${hexOf(digestOf(name)).slice(0, 20)}`;

function readRecord(volume: ContainerVolume): VolumeRecord | undefined {
  if (!existsSync(recordPath(volume))) return undefined;
  return JSON.parse(readFileSync(recordPath(volume), "utf8")) as VolumeRecord;
}

export class PveDriver extends OverlayDriver {
  override readonly location: string;
  readonly #place: PveStorage;

  constructor(dataRoot: string, location: string, place: PveStorage) {
    super(dataRoot);
    this.location = location;
    this.#place = place;
  }

  /** Makes, formats and mounts the volume, whatever of it is missing. */
  async #attach(volume: ContainerVolume): Promise<void> {
    const target = join(volume.folder, "diff");
    if (isMountPoint(target)) return;
    let record = readRecord(volume);
    if (record === undefined) {
      const name = nameOf(volume);
      const id = (await findVolume(this.#place, name)) ?? (await allocVolume(this.#place, name));
      record = { id, formatted: false };
    }
    const { path, isFile } = await pathOfVolume(record.id);
    if (!record.formatted) {
      await runProgramChecked(["mkfs.ext4", "-q", "-F", "-m", "0", path], { timeout: 600_000 });
      writeFileAtomic(recordPath(volume), JSON.stringify({ id: record.id, formatted: true }), {
        durable: true,
      });
    }
    makeFolder(target, PRIVATE);
    await runProgramChecked(["mount", "-t", "ext4", ...(isFile ? ["-o", "loop"] : []), path, target]);
  }

  override async mount(volume: ContainerVolume): Promise<void> {
    await this.#attach(volume);
    await super.mount(volume);
  }

  override async moveTo(volume: ContainerVolume, folder: string): Promise<void> {
    unmountAll(join(volume.folder, "diff"));
    if (existsSync(recordPath(volume))) renameSync(recordPath(volume), join(folder, "volume.json"));
  }

  override async destroy(volume: ContainerVolume): Promise<void> {
    unmountAll(join(volume.folder, "diff"));
    const id = readRecord(volume)?.id ?? (await findVolume(this.#place, nameOf(volume)));
    if (id !== undefined && (await listVolumes(this.#place)).includes(id)) await freeVolume(id);
    rmSync(recordPath(volume), { force: true });
    await super.destroy(volume);
  }

  override async cloneCheckpoint(
    volume: ContainerVolume,
    number: number,
    to: ContainerVolume,
  ): Promise<void> {
    await this.#attach(volume);
    await this.#attach(to);
    await super.cloneCheckpoint(volume, number, to);
  }

  override async receive(volume: ContainerVolume, number: number): Promise<Receiver> {
    await this.#attach(volume);
    return super.receive(volume, number);
  }
}
