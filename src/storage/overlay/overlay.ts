/**
 * The overlay driver, the default: a folder per layer, shared by all containers, and an overlay mount per container.
 *
 *     <data root>/overlay/{layers,staging,locks,shifted}     see layer-store.ts; private
 *     <data root>/containers/<id>/snapshot.json             what the container's file system is made of
 *                                 diff/{upper,work}          what it changed; private
 *                                 scratch/                   mount points needed for a moment; private
 *                                 rootfs                     the mount
 *
 * Unprivileged containers: layers keep the image's ids on disk and are mounted shifted. Where that cannot be, they
 * are copied with shifted owners, once per map. Changes have the container's host ids on disk either way.
 */
import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { errnoOf, isMissing, LxcriError } from "../../host/errors.ts";
import { lockFile } from "../../host/file-lock.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { isMountPoint, unmountAll } from "../../host/mount-point.ts";
import { runChecked } from "../../host/process.ts";
import { type ContainerId, parseContainerId } from "../../spec/container-id.ts";
import { type Digest, digestOf, hexOf } from "../../spec/digest.ts";
import type { IdMaps, LayerDraft, Snapshot, SnapshotDriver, Usage } from "../driver.ts";
import { checkPassable, makeDataRoot, makeFolder, PASSABLE, PRIVATE } from "../private-folder.ts";
import { LayerStore, removeFolders, shortName } from "./layer-store.ts";
import { clearScratch, mountOverlay, mountOverlayShifted, mountOverlayUnprivileged } from "./mount.ts";
import { ShiftedLayers, shiftId } from "./shifted-layers.ts";

/** snapshot.json */
interface SnapshotRecord {
  readonly driver: "overlay";
  readonly layers: readonly Digest[];
  readonly idMaps?: IdMaps;
}

const RECORD = "snapshot.json";
/** Stands in for the layers of an image that has none. */
const EMPTY = "empty";

export class OverlayDriver implements SnapshotDriver {
  readonly name = "overlay";
  readonly independentLayers = true;
  readonly #root: string;
  readonly #containers: string;
  readonly #layers: LayerStore;
  readonly #shifted: ShiftedLayers;

  /** Makes its folders where they are missing. @param dataRoot absolute */
  constructor(dataRoot: string) {
    this.#root = join(dataRoot, "overlay");
    this.#containers = join(dataRoot, "containers");
    makeDataRoot(dataRoot);
    makeFolder(this.#root, PRIVATE);
    makeFolder(this.#containers, PASSABLE);
    this.#layers = new LayerStore(this.#root);
    this.#layers.open();
    this.#shifted = new ShiftedLayers(join(this.#root, "shifted"), this.#layers);
    makeFolder(join(this.#layers.folder, EMPTY), 0o755);
  }

  hasLayer(chainId: Digest): boolean {
    return this.#layers.has(chainId);
  }

  beginLayer(chain: readonly Digest[], signal?: AbortSignal): Promise<LayerDraft | undefined> {
    return this.#layers.begin(chain, signal);
  }

  prepare(id: ContainerId, layers: readonly Digest[], idMaps?: IdMaps): Promise<Snapshot> {
    return this.#exclusive(id, async () => {
      const missing = layers.find((chainId) => !this.hasLayer(chainId));
      if (missing !== undefined) {
        throw new LxcriError("layer-missing", `container ${id}: layer ${missing} is not in this data root`, {
          fix: "Pull the image again.",
        });
      }
      const known = this.#read(id);
      const same =
        known !== undefined &&
        JSON.stringify([known.layers, known.idMaps]) === JSON.stringify([layers, idMaps]);
      if (known !== undefined && !same) {
        throw new LxcriError("snapshot-exists", `container ${id}: has a file system of another image or map`);
      }
      return this.#mount(id, known ?? this.#create(id, layers, idMaps));
    });
  }

  remount(id: ContainerId): Promise<Snapshot> {
    return this.#exclusive(id, () => this.#mount(id, this.#known(id)));
  }

  remove(id: ContainerId): Promise<void> {
    return this.#exclusive(id, async () => {
      const folder = this.#folderOf(id);
      unmountAll(join(folder, "rootfs"));
      clearScratch(join(folder, "scratch"));
      await removeFolders(...["diff", "scratch", "rootfs"].map((name) => join(folder, name)));
      // last: until here another remove would know what to do
      rmSync(join(folder, RECORD), { force: true });
      try {
        rmdirSync(folder);
      } catch (error) {
        // other rooms keep the container's logs and state beside
        if (!isMissing(error) && errnoOf(error) !== "ENOTEMPTY") throw error;
      }
    });
  }

  async usage(id: ContainerId): Promise<Usage> {
    this.#known(id);
    const upper = join(this.#folderOf(id), "diff/upper");
    const count = async (option: string): Promise<number> =>
      Number.parseInt((await runChecked(["du", "-s", "-x", option, "--", upper])).stdout, 10);
    const [bytes, inodes] = await Promise.all([count("-B1"), count("--inodes")]);
    return { bytes, inodes };
  }

  list(): Snapshot[] {
    const found: Snapshot[] = [];
    for (const name of readdirSync(this.#containers).sort()) {
      if (!existsSync(join(this.#containers, name, RECORD))) continue;
      const id = parseContainerId(name);
      const record = this.#read(id);
      if (record !== undefined) found.push(this.#snapshot(id, record));
    }
    return found;
  }

  #folderOf(id: ContainerId): string {
    return join(this.#containers, id);
  }

  /** The lock's name is a hash, as ids may be as long as a file name. */
  async #exclusive<T>(id: ContainerId, work: () => Promise<T>): Promise<T> {
    const lock = await lockFile(join(this.#root, "locks", `container-${hexOf(digestOf(id)).slice(0, 32)}`));
    try {
      return await work();
    } finally {
      lock.release();
    }
  }

  #read(id: ContainerId): SnapshotRecord | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#folderOf(id), RECORD), "utf8")) as SnapshotRecord;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #known(id: ContainerId): SnapshotRecord {
    const record = this.#read(id);
    if (record !== undefined) return record;
    throw new LxcriError("snapshot-not-found", `container ${id}: has no file system in this data root`);
  }

  #snapshot(id: ContainerId, record: SnapshotRecord): Snapshot {
    const rootfs = join(this.#folderOf(id), "rootfs");
    const { layers, idMaps } = record;
    return { id, layers, rootfs, mounted: isMountPoint(rootfs), ...(idMaps === undefined ? {} : { idMaps }) };
  }

  #create(id: ContainerId, layers: readonly Digest[], idMaps?: IdMaps): SnapshotRecord {
    const folder = this.#folderOf(id);
    // a host user must not reach a privileged container's setuid programs
    makeFolder(folder, idMaps === undefined ? PRIVATE : PASSABLE);
    const record = { driver: "overlay", layers, ...(idMaps === undefined ? {} : { idMaps }) } as const;
    writeFileAtomic(join(folder, RECORD), JSON.stringify(record));
    return record;
  }

  /** `diff` with the owner and mode of the image's root folder, which is what the container's root will have. */
  #makeChanges(folder: string, top: string, idMaps: IdMaps | undefined): string {
    const changes = join(folder, "diff");
    makeFolder(changes, PRIVATE);
    makeFolder(join(changes, "work"), PRIVATE);
    if (existsSync(join(changes, "upper"))) return changes;
    const model = statSync(top);
    const draft = join(changes, "upper.draft");
    makeFolder(draft, model.mode & 0o7777);
    chownSync(
      draft,
      idMaps === undefined ? model.uid : shiftId(idMaps.uidMappings, model.uid),
      idMaps === undefined ? model.gid : shiftId(idMaps.gidMappings, model.gid),
    );
    renameSync(draft, join(changes, "upper"));
    return changes;
  }

  /** Idempotent: what is missing on the way is made. */
  async #mount(id: ContainerId, record: SnapshotRecord): Promise<Snapshot> {
    const folder = this.#folderOf(id);
    const target = join(folder, "rootfs");
    if (isMountPoint(target)) return this.#snapshot(id, record);
    const { idMaps } = record;
    const names = record.layers.map(shortName).reverse();
    const layers = names.length === 0 ? [EMPTY] : names;
    const layersFolder = this.#layers.folder;
    const changes = this.#makeChanges(folder, join(layersFolder, layers[0] ?? EMPTY), idMaps);
    makeFolder(target, 0o755);
    const plan = { target, layersFolder, layers, changes };
    if (idMaps === undefined) mountOverlay(plan);
    else {
      checkPassable(target);
      const scratch = join(folder, "scratch");
      makeFolder(scratch, PRIVATE);
      try {
        await mountOverlayShifted(plan, idMaps, scratch);
      } catch (error) {
        if (!isUnsupported(error)) throw error;
        const copies = await this.#shifted.copies(record.layers, idMaps);
        mountOverlayUnprivileged({ ...plan, layersFolder: copies });
      }
    }
    return this.#snapshot(id, record);
  }
}

/** Errors of a kernel or file system without id-mapped mounts, or of an overlay that takes none. */
const isUnsupported = (error: unknown): boolean =>
  ["EINVAL", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EPERM"].includes(errnoOf(error) ?? "");
