/**
 * Layers are unpacked each on its own, side by side. What an archive leaves to the layers below it (the mode of a
 * folder it only passes through, a hard link to a file of theirs) is filled in once those are complete.
 */
import { constants, fstatSync, openSync, readSync, writeSync } from "node:fs";
import {
  chmodFd,
  chownAt,
  close,
  getXattrAt,
  listXattrsAt,
  O_PATH,
  openAt,
  openBeneath,
  openDirectory,
  utimesAt,
} from "../../host/at.ts";
import { errnoOf } from "../../host/errors.ts";
import type { Unresolved } from "./extractor.ts";
import { LayerError, shown } from "./layer-error.ts";
import { restoreXattrs } from "./xattrs.ts";

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

/**
 * @param folder the unpacked layer
 * @param lowers the folders of the layers below, topmost first
 * @throws LayerError `layer-link-missing`
 */
export function completeLayer(folder: string, unresolved: Unresolved, lowers: readonly string[]): void {
  if (lowers.length === 0 && unresolved.links.length === 0) return;
  const opened: number[] = [];
  const open = (path: string): number => {
    const fd = openDirectory(path);
    opened.push(fd);
    return fd;
  };
  try {
    const root = open(folder);
    const below = lowers.map(open);
    for (const link of unresolved.links) copyFile(root, link, below);
    for (const path of unresolved.folders) copyFolder(root, path, below);
  } finally {
    for (const fd of opened) close(fd);
  }
}

/** The topmost lower layer's node at `path`, never through a link; undefined where there is none. */
function findBelow(below: readonly number[], path: string, flags: number): number | undefined {
  for (const root of below) {
    try {
      return openBeneath(root, path, flags | constants.O_NOFOLLOW, false);
    } catch (error) {
      const errno = errnoOf(error);
      // a node of another kind hides what is below it
      if (errno === "ENOTDIR" || errno === "ELOOP" || errno === "ENXIO") return undefined;
      if (errno !== "ENOENT") throw error;
    }
  }
  return undefined;
}

/** Owner, mode, attributes and times of the open file or folder `from`, given to `to`. */
function copyDescription(from: number, to: number, name: string): void {
  const stat = fstatSync(from, { bigint: true });
  chownAt(to, "", Number(stat.uid), Number(stat.gid));
  chmodFd(to, Number(stat.mode) & 0o7777, name);
  const xattrs = new Map<string, Uint8Array>();
  for (const key of listXattrsAt(from, "")) {
    const value = getXattrAt(from, "", key);
    if (value !== undefined) xattrs.set(key, value);
  }
  restoreXattrs(to, "", xattrs);
  utimesAt(to, "", stat.mtimeNs);
}

function copyFolder(root: number, path: string, below: readonly number[]): void {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  const from = findBelow(below, path, flags);
  if (from === undefined) return;
  try {
    const to = openBeneath(root, path, flags, false);
    try {
      copyDescription(from, to, path);
    } finally {
      close(to);
    }
  } catch (error) {
    // the layer itself replaced the folder later on
    if (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "ENOTDIR" && errnoOf(error) !== "ELOOP")
      throw error;
  } finally {
    close(from);
  }
}

/** Opened for reading only once it is known to be a plain file: opening a device can do things. */
function openFileBelow(below: readonly number[], path: string): number | undefined {
  const found = findBelow(below, path, O_PATH);
  if (found === undefined) return undefined;
  try {
    if ((fstatSync(found).mode & S_IFMT) !== S_IFREG) return undefined;
    return openSync(`/proc/self/fd/${found}`, constants.O_RDONLY);
  } finally {
    close(found);
  }
}

function copyFile(root: number, link: Unresolved["links"][number], below: readonly number[]): void {
  const target = link.target.join("/");
  const from = openFileBelow(below, target);
  if (from === undefined) {
    throw new LayerError(
      "layer-link-missing",
      `layer entry ${shown(`${link.folder}/${link.name}`)}: hard link to ${shown(target)}, which is no file of this image`,
    );
  }
  let dir: number | undefined;
  let to: number | undefined;
  try {
    dir = openBeneath(root, link.folder, O_PATH | constants.O_DIRECTORY, false);
    to = openAt(dir, link.name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    const piece = Buffer.allocUnsafe(1 << 20);
    for (let got = readSync(from, piece); got > 0; got = readSync(from, piece)) {
      for (let at = 0; at < got; ) at += writeSync(to, piece, at, got - at);
    }
    copyDescription(from, to, link.name);
  } finally {
    if (to !== undefined) close(to);
    if (dir !== undefined) close(dir);
    close(from);
  }
}
