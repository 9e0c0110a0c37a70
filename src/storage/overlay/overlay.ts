/**
 * The overlay driver, the default: a folder per layer, shared by all containers, and an overlay mount per container.
 *
 *     <data root>/overlay/{layers,staging,locks,shifted}     see layer-store.ts; private
 *     <data root>/containers/<id>/diff/{upper,work}          what the container changed; private
 *                                 diff/checkpoints/<n>       copies of `upper`
 *                                 scratch/                   mount points needed for a moment; private
 *
 * Unprivileged containers: layers keep the image's ids on disk and are mounted shifted. Where that cannot be, they
 * are copied with shifted owners, once per map. Changes have the container's host ids on disk either way.
 */
import { chownSync, existsSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../../host/errors.ts";
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
import { FolderCheckpoints } from "../folder-checkpoints.ts";
import { layerMissing, shortName } from "../layer-marks.ts";
import {
  checkPassable,
  makeDataRoot,
  makeFolder,
  measureFolder,
  PRIVATE,
  removeFolders,
} from "../private-folder.ts";
import { shiftId } from "../tree/shift.ts";
import { LayerStore } from "./layer-store.ts";
import { clearScratch, mountOverlay, mountOverlayShifted, mountOverlayUnprivileged } from "./mount.ts";
import { ShiftedLayers } from "./shifted-layers.ts";

/** Stands in for the layers of an image that has none. */
const EMPTY = "empty";

const changesOf = (volume: ContainerVolume): string => join(volume.folder, "diff");

/** The checkpoints of a container's changes. */
const checkpointsOf = (volume: ContainerVolume): FolderCheckpoints =>
  new FolderCheckpoints(changesOf(volume), "upper");

export class OverlayDriver implements StorageDriver {
  readonly location: string = "overlay";
  readonly independentLayers = true;
  readonly streamForm = "changes";
  readonly #layers: LayerStore;
  readonly #shifted: ShiftedLayers;

  /** Makes its folders where they are missing. @param dataRoot absolute */
  constructor(dataRoot: string) {
    const root = join(dataRoot, "overlay");
    makeDataRoot(dataRoot);
    makeFolder(root, PRIVATE);
    this.#layers = new LayerStore(root);
    this.#layers.open();
    this.#shifted = new ShiftedLayers(join(root, "shifted"), this.#layers);
    makeFolder(join(this.#layers.folder, EMPTY), 0o755);
  }

  hasLayer(chainId: Digest): boolean {
    return this.#layers.has(chainId);
  }

  layers(): Layer[] {
    return this.#layers.list();
  }

  beginLayer(chain: readonly Digest[], signal?: AbortSignal): Promise<LayerDraft | undefined> {
    return this.#layers.begin(chain, signal);
  }

  async layerUsage(chainId: Digest): Promise<Usage> {
    return measureFolder((await this.openLayer(chainId)).folder);
  }

  async openLayer(chainId: Digest): Promise<LayerContent> {
    if (!this.hasLayer(chainId)) throw layerMissing(chainId, this.location);
    return { form: "overlay", folder: this.#layers.pathOf(chainId) };
  }

  async removeLayer(chainId: Digest): Promise<void> {
    await this.#layers.remove(chainId);
    await this.#shifted.remove(chainId);
  }

  async destroy({ folder }: ContainerVolume): Promise<void> {
    clearScratch(join(folder, "scratch"));
    await removeFolders(join(folder, "diff"), join(folder, "scratch"));
  }

  async moveTo(volume: ContainerVolume, folder: string): Promise<void> {
    if (existsSync(changesOf(volume))) renameSync(changesOf(volume), join(folder, "diff"));
  }

  usage(volume: ContainerVolume): Promise<Usage> {
    return measureFolder(join(changesOf(volume), "upper"));
  }

  async volumes(): Promise<undefined> {
    return undefined;
  }

  checkpoint(volume: ContainerVolume, number: number): Promise<void> {
    return checkpointsOf(volume).make(number);
  }

  async checkpoints(volume: ContainerVolume): Promise<number[]> {
    return checkpointsOf(volume).list();
  }

  removeCheckpoint(volume: ContainerVolume, number: number): Promise<void> {
    return checkpointsOf(volume).remove(number);
  }

  rollback(volume: ContainerVolume, number: number): Promise<void> {
    return checkpointsOf(volume).restore(number);
  }

  cloneCheckpoint(volume: ContainerVolume, number: number, to: ContainerVolume): Promise<void> {
    makeFolder(changesOf(to), PRIVATE);
    return checkpointsOf(volume).copyTo(number, changesOf(to));
  }

  async sendCommand(volume: ContainerVolume, number: number): Promise<readonly string[]> {
    return checkpointsOf(volume).sendCommand(number);
  }

  async receive(volume: ContainerVolume, number: number): Promise<Receiver> {
    makeFolder(changesOf(volume), PRIVATE);
    return checkpointsOf(volume).receive(number);
  }

  /** `diff` with the owner and mode of the image's root folder, which is what the container's root will have. */
  #makeChanges(changes: string, top: string, idMaps: IdMaps | undefined): void {
    makeFolder(changes, PRIVATE);
    makeFolder(join(changes, "work"), PRIVATE);
    if (existsSync(join(changes, "upper"))) return;
    const model = statSync(top);
    const draft = join(changes, "upper.draft");
    makeFolder(draft, model.mode & 0o7777);
    chownSync(
      draft,
      idMaps === undefined ? model.uid : shiftId(idMaps.uidMappings, model.uid),
      idMaps === undefined ? model.gid : shiftId(idMaps.gidMappings, model.gid),
    );
    renameSync(draft, join(changes, "upper"));
  }

  async mount(volume: ContainerVolume): Promise<void> {
    const { folder, idMaps } = volume;
    const target = join(folder, "rootfs");
    if (isMountPoint(target)) return;
    const names = volume.layers.map(shortName).reverse();
    const layers = names.length === 0 ? [EMPTY] : names;
    const layersFolder = this.#layers.folder;
    const changes = changesOf(volume);
    this.#makeChanges(changes, join(layersFolder, layers[0] ?? EMPTY), idMaps);
    makeFolder(target, 0o755);
    const plan = { target, layersFolder, layers, changes };
    if (idMaps === undefined) {
      mountOverlay(plan);
      return;
    }
    checkPassable(target);
    const scratch = join(folder, "scratch");
    makeFolder(scratch, PRIVATE);
    try {
      await mountOverlayShifted(plan, idMaps, scratch);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      const copies = await this.#shifted.copies(volume.layers, idMaps);
      mountOverlayUnprivileged({ ...plan, layersFolder: copies });
    }
  }
}

/** Errors of a kernel or file system without id-mapped mounts, or of an overlay that takes none. */
const isUnsupported = (error: unknown): boolean =>
  ["EINVAL", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EPERM"].includes(errnoOf(error) ?? "");
