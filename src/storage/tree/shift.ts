/** Owners of a whole tree, changed as a user namespace's maps say. */
import { fstatSync, readdirSync } from "node:fs";
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
import type { IdMapping } from "../../spec/config.ts";
import { digestOf, hexOf } from "../../spec/digest.ts";
import type { IdMaps } from "../driver.ts";

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

/** A name for trees with these maps. */
export const mapName = (idMaps: IdMaps): string =>
  hexOf(digestOf(JSON.stringify([idMaps.uidMappings, idMaps.gidMappings]))).slice(0, 12);

/** Shifts the owners of `name` in `folder` and of all in it; once, for it is not idempotent. */
export function shiftOwners(folder: string, name: string, idMaps: IdMaps): void {
  const parent = openDirectory(folder);
  try {
    shiftTree(parent, name, idMaps, new Set());
  } finally {
    close(parent);
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
