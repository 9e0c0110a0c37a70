/**
 * The driver for storage that clones: a volume per layer that holds the whole tree up to it, and a clone of the
 * topmost for each container, mounted by a bind mount.
 *
 *     <data root>/storage/<location>/{marks,locks}   which layers are complete
 *     volume layers/<short>                          the folder `tree`; `draft` while it is unpacked
 *     volume shifted/<map>.<short>                   the same, owners shifted for unprivileged containers
 *     volume containers/<volume>                     a container's `tree`
 */
import { chownSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type FileLock, lockFile } from "../../host/file-lock.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { MS_BIND, MS_NODEV, MS_REMOUNT, mount } from "../../host/libc.ts";
import { isMountPoint } from "../../host/mount-point.ts";
import type { Digest } from "../../spec/digest.ts";
import type {
  ContainerVolume,
  IdMaps,
  Layer,
  LayerContent,
  LayerDraft,
  Receiver,
  StorageDriver,
  Usage,
} from "../driver.ts";
import { LayerMarks, layerMissing, shortName } from "../layer-marks.ts";
import { checkPassable, makeFolder, measureFolder, PRIVATE, removeFolders } from "../private-folder.ts";
import { holding } from "../program.ts";
import { mergeLayer } from "../tree/merge.ts";
import { mapName, shiftId, shiftOwners } from "../tree/shift.ts";
import type { CloneBackend } from "./backend.ts";

const TREE = "tree";
const layerVolume = (chainId: Digest): string => `layers/${shortName(chainId)}`;
const containerVolume = ({ name }: ContainerVolume): string => `containers/${name}`;

export class CloneDriver implements StorageDriver {
  readonly independentLayers = false;
  readonly location: string;
  readonly streamForm: StorageDriver["streamForm"];
  readonly #backend: CloneBackend;
  readonly #marks: LayerMarks;
  readonly #marksFolder: string;
  readonly #locks: string;

  /** @param dataRoot absolute; has the folder `storage` */
  constructor(dataRoot: string, location: string, backend: CloneBackend) {
    const folder = join(dataRoot, "storage", encodeURIComponent(location));
    this.location = location;
    this.#backend = backend;
    this.streamForm = backend.streamForm;
    this.#marksFolder = join(folder, "marks");
    this.#locks = join(folder, "locks");
    for (const path of [folder, this.#marksFolder, this.#locks]) makeFolder(path, PRIVATE);
    this.#marks = new LayerMarks(this.#marksFolder);
  }

  hasLayer(chainId: Digest): boolean {
    return this.#marks.find(chainId) !== undefined;
  }

  layers(): Layer[] {
    return this.#marks.list();
  }

  async beginLayer(chain: readonly Digest[], signal?: AbortSignal): Promise<LayerDraft | undefined> {
    const chainId = chain.at(-1);
    if (chainId === undefined || this.hasLayer(chainId)) return undefined;
    const lock = await this.#lockLayer(chainId, signal);
    try {
      if (!this.hasLayer(chainId)) return await holding(lock, () => this.#begin(chain, chainId, lock));
      lock.release();
      return undefined;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  #lockLayer(chainId: Digest, signal?: AbortSignal): Promise<FileLock> {
    return lockFile(join(this.#locks, shortName(chainId)), signal);
  }

  async #begin(chain: readonly Digest[], chainId: Digest, lock: FileLock): Promise<LayerDraft> {
    const parent = chain.at(-2);
    if (parent !== undefined && !this.hasLayer(parent)) throw layerMissing(parent, this.location);
    const name = layerVolume(chainId);
    const backend = this.#backend;
    await backend.open();
    // what a killed process left
    await backend.destroy(name);
    if (parent === undefined) await backend.create(name);
    else await backend.clone(layerVolume(parent), name);
    const folder = await backend.folderOf(name);
    const tree = join(folder, TREE);
    const draft = join(folder, "draft");
    makeFolder(tree, 0o755);
    makeFolder(draft, 0o755);
    let open = true;
    return {
      folder: draft,
      overlayWhiteouts: false,
      lowers: () => (parent === undefined ? [] : [tree]),
      commit: async (size) => {
        mergeLayer(draft, tree);
        await holding(lock, async () => {
          await removeFolders(draft);
          await backend.seal(name);
        });
        this.#marks.write({ chainId, size, ...(parent === undefined ? {} : { parent }) });
        open = false;
        lock.release();
      },
      discard: async () => {
        if (!open) return;
        open = false;
        try {
          await holding(lock, () => backend.destroy(name));
        } finally {
          lock.release();
        }
      },
    };
  }

  async layerUsage(chainId: Digest): Promise<Usage> {
    if (!this.hasLayer(chainId)) throw layerMissing(chainId, this.location);
    await this.#backend.open();
    return this.#backend.usage(layerVolume(chainId));
  }

  async openLayer(chainId: Digest): Promise<LayerContent> {
    const mark = this.#marks.find(chainId);
    if (mark === undefined) throw layerMissing(chainId, this.location);
    const folder = await this.#layerTree(chainId);
    return mark.parent === undefined
      ? { form: "tree", folder }
      : { form: "tree", folder, parent: await this.#layerTree(mark.parent) };
  }

  async #layerTree(chainId: Digest): Promise<string> {
    await this.#backend.open();
    return join(await this.#backend.folderOf(layerVolume(chainId)), TREE);
  }

  async removeLayer(chainId: Digest): Promise<void> {
    const lock = await this.#lockLayer(chainId);
    try {
      await holding(lock, () => this.#remove(chainId));
    } finally {
      lock.release();
    }
  }

  async #remove(chainId: Digest): Promise<void> {
    if (!this.hasLayer(chainId)) return;
    const backend = this.#backend;
    await backend.open();
    this.#marks.remove(chainId);
    const short = shortName(chainId);
    for (const name of await backend.list("shifted")) {
      if (!name.endsWith(`.${short}`)) continue;
      rmSync(this.#shiftedMark(name), { force: true });
      await backend.destroy(`shifted/${name}`);
    }
    await backend.destroy(layerVolume(chainId));
  }

  #shiftedMark(name: string): string {
    return join(this.#locks, `${name}.shifted`);
  }

  /** The layer with the owners that the maps give, made once. */
  async #shifted(chainId: Digest, idMaps: IdMaps): Promise<string> {
    const short = `${mapName(idMaps)}.${shortName(chainId)}`;
    const name = `shifted/${short}`;
    if (existsSync(this.#shiftedMark(short))) return name;
    const lock = await this.#lockLayer(chainId);
    try {
      if (existsSync(this.#shiftedMark(short))) return name;
      await holding(lock, async () => {
        await this.#backend.destroy(name);
        await this.#backend.clone(layerVolume(chainId), name);
        shiftOwners(await this.#backend.folderOf(name), TREE, idMaps);
        await this.#backend.seal(name);
      });
      writeFileAtomic(this.#shiftedMark(short), "");
      return name;
    } finally {
      lock.release();
    }
  }

  async #make(volume: ContainerVolume): Promise<void> {
    const name = containerVolume(volume);
    const top = volume.layers.at(-1);
    if (top === undefined) await this.#backend.create(name);
    else {
      const base = volume.idMaps === undefined ? layerVolume(top) : await this.#shifted(top, volume.idMaps);
      await this.#backend.clone(base, name);
    }
  }

  async mount(volume: ContainerVolume): Promise<void> {
    const target = join(volume.folder, "rootfs");
    if (isMountPoint(target)) return;
    await this.#backend.open();
    if (!(await this.#backend.exists(containerVolume(volume)))) await this.#make(volume);
    const tree = join(await this.#backend.folderOf(containerVolume(volume)), TREE);
    const { idMaps } = volume;
    if (!existsSync(tree)) {
      makeFolder(tree, 0o755);
      if (idMaps !== undefined)
        chownSync(tree, shiftId(idMaps.uidMappings, 0), shiftId(idMaps.gidMappings, 0));
    }
    makeFolder(target, 0o755);
    if (idMaps !== undefined) checkPassable(target);
    mount(tree, target, null, MS_BIND);
    // devices are the host's to give
    if (idMaps !== undefined) mount("none", target, null, MS_REMOUNT | MS_BIND | MS_NODEV);
  }

  async destroy(volume: ContainerVolume): Promise<void> {
    await this.#backend.open();
    await this.#backend.destroy(containerVolume(volume));
  }

  /** Nothing of it is. */
  async moveTo(): Promise<void> {}

  async usage(volume: ContainerVolume): Promise<Usage> {
    await this.#backend.open();
    const { bytes } = await this.#backend.usage(containerVolume(volume));
    const tree = join(await this.#backend.folderOf(containerVolume(volume)), TREE);
    const top = volume.layers.at(-1);
    const [own, base] = await Promise.all([
      measureFolder(tree),
      top !== undefined && this.hasLayer(top) ? measureFolder(await this.#layerTree(top)) : undefined,
    ]);
    // what a checkpoint shares with the volume counts, too
    return {
      bytes: Math.max(bytes, own.bytes - (base?.bytes ?? 0)),
      inodes: Math.max(0, own.inodes - (base?.inodes ?? 0)),
    };
  }

  async volumes(): Promise<string[]> {
    await this.#backend.open();
    return this.#backend.list("containers");
  }

  checkpoint(volume: ContainerVolume, number: number): Promise<void> {
    return this.#backend.snapshot(containerVolume(volume), number);
  }

  checkpoints(volume: ContainerVolume): Promise<number[]> {
    return this.#backend.snapshots(containerVolume(volume));
  }

  removeCheckpoint(volume: ContainerVolume, number: number): Promise<void> {
    return this.#backend.removeSnapshot(containerVolume(volume), number);
  }

  rollback(volume: ContainerVolume, number: number, dropNewer: boolean): Promise<void> {
    return this.#backend.rollback(containerVolume(volume), number, dropNewer);
  }

  cloneCheckpoint(volume: ContainerVolume, number: number, to: ContainerVolume): Promise<void> {
    return this.#backend.cloneSnapshot(containerVolume(volume), number, containerVolume(to));
  }

  async sendCommand(volume: ContainerVolume, number: number): Promise<readonly string[]> {
    return this.#backend.sendCommand(containerVolume(volume), number);
  }

  async receive(volume: ContainerVolume, number: number): Promise<Receiver> {
    await this.#backend.open();
    return this.#backend.receive(containerVolume(volume), number);
  }
}
