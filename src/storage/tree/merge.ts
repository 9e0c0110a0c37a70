/**
 * Puts an unpacked layer onto the tree that it changes, by moving: image spec, layer.md, "Applying Changesets". Its
 * whiteouts are files named `.wh.…`, as in the archive. Every step is by descriptor and follows no link.
 */
import { type BigIntStats, constants, fstatSync, readdirSync } from "node:fs";
import {
  chmodFd,
  chownAt,
  close,
  getXattrAt,
  listXattrsAt,
  openAt,
  openDirectory,
  renameAt,
  rmdirAt,
  setXattrAt,
  utimesAt,
} from "../../host/at.ts";
import { bytesToText } from "../../host/byte-text.ts";
import { errnoOf } from "../../host/errors.ts";
import { removeTree } from "../../host/remove-tree.ts";

const PREFIX = ".wh.";
const META = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY;

const namesIn = (dir: number): string[] =>
  readdirSync(`/proc/self/fd/${dir}`, { encoding: "buffer" }).map(bytesToText);

/** Moves all of the folder `layer` into the folder `tree` on the same file system; `layer` is empty then. */
export function mergeLayer(layer: string, tree: string): void {
  withFolder(openDirectory(layer), (from) => withFolder(openDirectory(tree), (to) => mergeFolder(from, to)));
}

function withFolder(fd: number, work: (fd: number) => void): void {
  try {
    work(fd);
  } finally {
    close(fd);
  }
}

function mergeFolder(from: number, to: number): void {
  // before its children move away
  const info = fstatSync(from, { bigint: true });
  const names = namesIn(from);
  if (names.includes(OPAQUE)) for (const name of namesIn(to)) removeTree(to, name);
  for (const name of names) {
    if (!name.startsWith(PREFIX)) continue;
    const hidden = name.slice(PREFIX.length);
    if (!name.startsWith(META) && hidden !== "" && hidden !== "." && hidden !== "..") removeTree(to, hidden);
    removeTree(from, name);
  }
  for (const name of names) if (!name.startsWith(PREFIX)) mergeNode(from, name, to);
  describe(from, info, to);
}

/** Two folders become one; else what is there gives way. */
function mergeNode(from: number, name: string, to: number): void {
  const source = openFolder(from, name);
  const target = source === undefined ? undefined : openFolder(to, name);
  try {
    if (source !== undefined && target !== undefined) {
      mergeFolder(source, target);
      rmdirAt(from, name);
      return;
    }
    if (source !== undefined) dropWhiteouts(source);
    removeTree(to, name);
    renameAt(from, name, to, name);
  } finally {
    for (const fd of [source, target]) if (fd !== undefined) close(fd);
  }
}

/** The folder `name` of `dir`; undefined where there is none. */
function openFolder(dir: number, name: string): number | undefined {
  try {
    return openAt(dir, name, FOLDER);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ELOOP") return undefined;
    throw error;
  }
}

/** A folder that nothing is below has nothing to hide. */
function dropWhiteouts(dir: number): void {
  const { mtimeNs } = fstatSync(dir, { bigint: true });
  let dropped = false;
  for (const name of namesIn(dir)) {
    if (name.startsWith(PREFIX)) {
      removeTree(dir, name);
      dropped = true;
      continue;
    }
    const below = openFolder(dir, name);
    if (below !== undefined) withFolder(below, dropWhiteouts);
  }
  if (dropped) utimesAt(dir, "", mtimeNs);
}

/** The layer's owner, mode, attributes and times of a folder that was there before. */
function describe(from: number, { uid, gid, mode, mtimeNs }: BigIntStats, to: number): void {
  chownAt(to, "", Number(uid), Number(gid));
  chmodFd(to, Number(mode) & 0o7777);
  for (const key of listXattrsAt(from, "")) {
    const value = getXattrAt(from, "", key);
    if (value !== undefined) setXattrAt(to, "", key, value);
  }
  utimesAt(to, "", mtimeNs);
}
