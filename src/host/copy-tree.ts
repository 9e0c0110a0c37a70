/**
 * Copies files and folders between two places that others may change meanwhile: every step is relative to a
 * descriptor and follows no link, so what is read and written stays below the two folders. Plain files, folders and
 * symbolic links; setuid bits, owners and extended attributes do not come along.
 */
import { type BigIntStats, constants, fstatSync, readdirSync, readSync, writeSync } from "node:fs";
import {
  chmodFd,
  chownAt,
  close,
  mkdirAt,
  O_PATH,
  openAt,
  readlinkAt,
  symlinkAt,
  unlinkAt,
  utimesAt,
} from "./at.ts";
import { bytesToText } from "./byte-text.ts";
import { errnoOf } from "./errors.ts";

/** How {@link copyTree} copies. */
export interface CopyOptions {
  /** Owner of all that is made. */
  readonly uid: number;
  readonly gid: number;
  /** Called for each thing that is neither file, folder nor link, and so is left out; path from the source. */
  readonly skipped: (path: string) => void;
  readonly signal?: AbortSignal;
}

const PERMISSIONS = 0o777;
const PIECE = 1 << 20;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** Copies what `name` in the folder `from` is to `newName` in the folder `to`; files there are replaced, folders kept. */
export function copyTree(
  from: number,
  name: string,
  to: number,
  newName: string,
  options: CopyOptions,
): void {
  const node = openAt(from, name, O_PATH);
  let info: BigIntStats;
  try {
    info = fstatSync(node, { bigint: true });
  } finally {
    close(node);
  }
  copyNode({ from, name, to, newName, path: name, info }, options);
}

/** Copies all that the folder `from` holds into the folder `to`. */
export function copyContents(from: number, to: number, options: CopyOptions, path = ""): void {
  for (const entry of readdirSync(`/proc/self/fd/${from}`, { encoding: "buffer" })) {
    options.signal?.throwIfAborted();
    const name = bytesToText(entry);
    try {
      copyTree(from, name, to, name, {
        ...options,
        skipped: (below) => options.skipped(path === "" ? below : `${path}/${below}`),
      });
    } catch (error) {
      // Gone since it was listed.
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
}

interface Node {
  readonly from: number;
  readonly name: string;
  readonly to: number;
  readonly newName: string;
  readonly path: string;
  readonly info: BigIntStats;
}

function copyNode(node: Node, options: CopyOptions): void {
  const { info } = node;
  if (info.isDirectory()) copyFolder(node, options);
  else if (info.isFile()) copyFile(node, options);
  else if (info.isSymbolicLink()) copyLink(node, options);
  else options.skipped(node.path);
}

function copyFolder({ from, name, to, newName, path, info }: Node, options: CopyOptions): void {
  const source = openAt(from, name, DIRECTORY);
  try {
    const isNew = makeFolder(to, newName);
    const target = openAt(to, newName, DIRECTORY);
    try {
      copyContents(source, target, options, path);
      if (!isNew) return;
      chownAt(target, "", options.uid, options.gid);
      chmodFd(target, Number(info.mode) & PERMISSIONS, newName);
      utimesAt(target, "", info.mtimeNs);
    } finally {
      close(target);
    }
  } finally {
    close(source);
  }
}

function makeFolder(to: number, name: string): boolean {
  try {
    mkdirAt(to, name, 0o700);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

function copyFile({ from, name, to, newName, path }: Node, options: CopyOptions): void {
  // Looked at again once open: it may be a FIFO by now, whose open would wait.
  const source = openAt(from, name, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = fstatSync(source, { bigint: true });
    if (!info.isFile()) {
      options.skipped(path);
      return;
    }
    makeRoom(to, newName);
    const target = openAt(to, newName, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      const buffer = Buffer.allocUnsafe(PIECE);
      for (let size = readSync(source, buffer); size > 0; size = readSync(source, buffer)) {
        for (let at = 0; at < size; ) at += writeSync(target, buffer, at, size - at);
        options.signal?.throwIfAborted();
      }
      chownAt(target, "", options.uid, options.gid);
      chmodFd(target, Number(info.mode) & PERMISSIONS, newName);
      utimesAt(target, "", info.mtimeNs);
    } finally {
      close(target);
    }
  } finally {
    close(source);
  }
}

function copyLink({ from, name, to, newName, info }: Node, { uid, gid }: CopyOptions): void {
  const text = readlinkAt(from, name);
  makeRoom(to, newName);
  symlinkAt(text, to, newName);
  chownAt(to, newName, uid, gid);
  utimesAt(to, newName, info.mtimeNs);
}

/** What is in the way goes, but for a folder. */
function makeRoom(to: number, name: string): void {
  try {
    unlinkAt(to, name);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
