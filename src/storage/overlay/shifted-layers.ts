/**
 * Copies of layers with shifted owners, one per layer and map, for kernels and file systems without id-mapped mounts.
 * Costs the layers' space once for each map; containers share them.
 */
import { existsSync, fstatSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import {
  chmodAt,
  chownAt,
  close,
  getXattrAt,
  O_PATH,
  openAt,
  openDirectory,
  setXattrAt,
} from "../../host/at.ts";
import { bytesToText } from "../../host/byte-text.ts";
import { lockFile } from "../../host/file-lock.ts";
import { runChecked } from "../../host/process.ts";
import type { IdMapping } from "../../spec/config.ts";
import { type Digest, digestOf, hexOf } from "../../spec/digest.ts";
import type { IdMaps } from "../driver.ts";
import { makeFolder, PRIVATE } from "../private-folder.ts";
import { type LayerStore, removeFolders, shortName } from "./layer-store.ts";

/** What the kernel shows for ids that a map leaves out. */
const OVERFLOW_ID = 65534;
const CAPABILITY = "security.capability";
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

/** The host's id for one on disk. */
export const shiftId = (mappings: readonly IdMapping[], id: number): number => {
  const line = mappings.find((m) => id >= m.containerID && id < m.containerID + m.size);
  return line === undefined ? OVERFLOW_ID : line.hostID + (id - line.containerID);
};

export class ShiftedLayers {
  readonly #root: string;
  readonly #layers: LayerStore;

  /** @param root folder for the copies; made when needed */
  constructor(root: string, layers: LayerStore) {
    this.#root = root;
    this.#layers = layers;
  }

  /** The folder that holds copies of these layers, under the layers' names; made where they are missing. */
  async copies(layers: readonly Digest[], idMaps: IdMaps): Promise<string> {
    const map = hexOf(digestOf(JSON.stringify([idMaps.uidMappings, idMaps.gidMappings]))).slice(0, 12);
    const folder = join(this.#root, map);
    makeFolder(this.#root, PRIVATE);
    makeFolder(folder, PRIVATE);
    const empty = join(folder, "empty");
    if (layers.length === 0 && !existsSync(empty)) makeFolder(empty, 0o755);
    for (const chainId of layers) await this.#copy(chainId, folder, idMaps);
    return folder;
  }

  async #copy(chainId: Digest, folder: string, idMaps: IdMaps): Promise<void> {
    const target = join(folder, shortName(chainId));
    if (existsSync(target)) return;
    const lock = await lockFile(`${target}.lock`);
    try {
      if (existsSync(target)) return;
      const draft = `${target}.draft`;
      await removeFolders(draft);
      await runChecked(["cp", "-a", "--reflink=auto", "-T", "--", this.#layers.pathOf(chainId), draft], {
        timeout: 3_600_000,
      });
      const parent = openDirectory(folder);
      try {
        shiftTree(parent, `${shortName(chainId)}.draft`, idMaps, new Set());
      } finally {
        close(parent);
      }
      renameSync(draft, target);
    } finally {
      lock.release();
    }
  }
}

/** Shifts `name` of `dir` and all in it; a file with several names once. */
function shiftTree(dir: number, name: string, idMaps: IdMaps, seen: Set<bigint>): void {
  const fd = openAt(dir, name, O_PATH);
  try {
    const stat = fstatSync(fd, { bigint: true });
    const kind = Number(stat.mode) & S_IFMT;
    if (kind !== S_IFDIR && stat.nlink > 1n) {
      if (seen.has(stat.ino)) return;
      seen.add(stat.ino);
    }
    if (kind === S_IFDIR) {
      for (const child of readdirSync(`/proc/self/fd/${fd}`, { encoding: "buffer" })) {
        shiftTree(fd, bytesToText(child), idMaps, seen);
      }
    }
    const capability = getXattrAt(dir, name, CAPABILITY);
    const uid = shiftId(idMaps.uidMappings, Number(stat.uid));
    const gid = shiftId(idMaps.gidMappings, Number(stat.gid));
    chownAt(dir, name, uid, gid);
    // changing the owner takes setuid, setgid and capabilities away
    if (kind !== S_IFLNK) chmodAt(dir, name, Number(stat.mode) & 0o7777);
    if (capability !== undefined) setXattrAt(dir, name, CAPABILITY, shiftCapability(capability, idMaps));
  } finally {
    close(fd);
  }
}

/**
 * A version 2 file capability counts only in the host's user namespace; version 3 names the root whose it is.
 * struct vfs_ns_cap_data: magic, two pairs of masks, root id; all little-endian 32 bits.
 */
function shiftCapability(value: Uint8Array, idMaps: IdMaps): Uint8Array {
  const magic = Buffer.from(value).readUInt32LE(0);
  if (magic >>> 24 !== 2 || value.length !== 20) return value;
  const shifted = Buffer.alloc(24);
  shifted.set(value);
  shifted.writeUInt32LE((0x03000000 | (magic & 0x00ffffff)) >>> 0, 0);
  shifted.writeUInt32LE(shiftId(idMaps.uidMappings, 0), 20);
  return shifted;
}
