/**
 * Puts an unpacked layer onto the tree that it changes, by moving: image spec, layer.md, "Applying Changesets". Its
 * whiteouts are files named `.wh.…`, as in the archive. Every step is by descriptor and follows no link.
 */
import { type BigIntStats, constants, type Dirent, fstatSync, readdirSync } from "node:fs";
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

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

function entriesOf(dir: number): Entry[] {
  const found: Dirent<Buffer>[] = readdirSync(`/proc/self/fd/${dir}`, {
    encoding: "buffer",
    withFileTypes: true,
  });
  return found.map((entry) => ({ name: bytesToText(entry.name), isFolder: entry.isDirectory() }));
}

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
  const entries = entriesOf(from);
  if (entries.some(({ name }) => name === OPAQUE)) {
    for (const { name } of entriesOf(to)) removeTree(to, name);
  }
  for (const { name } of entries) {
    if (!name.startsWith(PREFIX)) continue;
    const hidden = name.slice(PREFIX.length);
    if (!name.startsWith(META) && hidden !== "" && hidden !== "." && hidden !== "..") removeTree(to, hidden);
    removeTree(from, name);
  }
  for (const { name, isFolder } of entries) {
    if (name.startsWith(PREFIX)) continue;
    const below = isFolder ? openFolder(to, name) : undefined;
    if (below !== undefined) {
      withFolder(below, (target) =>
        withFolder(openAt(from, name, FOLDER), (dir) => mergeFolder(dir, target)),
      );
      rmdirAt(from, name);
      continue;
    }
    if (isFolder) withFolder(openAt(from, name, FOLDER), dropWhiteouts);
    removeTree(to, name);
    renameAt(from, name, to, name);
  }
  describe(from, info, to);
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
  for (const { name, isFolder } of entriesOf(dir)) {
    if (name.startsWith(PREFIX)) {
      removeTree(dir, name);
      dropped = true;
    } else if (isFolder) withFolder(openAt(dir, name, FOLDER), dropWhiteouts);
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
