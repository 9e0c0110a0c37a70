/** One file of a tree: read, compared, copied, by descriptor and without following links. */
import { type BigIntStats, constants, fstatSync, readSync, writeSync } from "node:fs";
import {
  chmodAt,
  chmodFd,
  chownAt,
  close,
  getXattrAt,
  listXattrsAt,
  mknodAt,
  O_PATH,
  openAt,
  readlinkAt,
  setXattrAt,
  symlinkAt,
  truncateFd,
  utimesAt,
} from "../../host/at.ts";
import { errnoOf } from "../../host/errors.ts";
import { call } from "../../host/libc.ts";

export const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY;
const FICLONE = 0x40049409;
const PIECE = 1 << 20;

/** A file, folder, link or device as it is in its folder. */
export interface Node {
  readonly info: BigIntStats;
  readonly isFolder: boolean;
  /** Where a symbolic link points. */
  readonly link?: string;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** What overlayfs keeps for itself is not the file's. */
const isOwn = (key: string): boolean => !key.startsWith("trusted.overlay.");

export function xattrsOf(dir: number, name: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const key of listXattrsAt(dir, name).filter(isOwn).sort()) {
    const value = getXattrAt(dir, name, key);
    if (value !== undefined) found.set(key, value);
  }
  return found;
}

/** undefined where there is nothing of that name. */
export function readNode(dir: number, name: string): Node | undefined {
  let fd: number;
  try {
    fd = openAt(dir, name, O_PATH);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const info = fstatSync(fd, { bigint: true });
    return {
      info,
      isFolder: info.isDirectory(),
      xattrs: xattrsOf(dir, name),
      ...(info.isSymbolicLink() ? { link: readlinkAt(dir, name) } : {}),
    };
  } finally {
    close(fd);
  }
}

/** A whiteout of overlayfs. */
export const isWhiteout = ({ info }: Node): boolean => info.isCharacterDevice() && info.rdev === 0n;

const SECOND = 1_000_000_000n;

/** Some file systems keep whole seconds only. */
const sameTime = (a: bigint, b: bigint): boolean =>
  a === b || (a / SECOND === b / SECOND && (a % SECOND === 0n || b % SECOND === 0n));

/** What distinguishes the two, in a word; undefined where all but their content is the same. */
export function differenceOf(a: Node, b: Node): string | undefined {
  if (a.info.mode !== b.info.mode) return "mode";
  if (a.info.uid !== b.info.uid || a.info.gid !== b.info.gid) return "owner";
  if (a.link !== b.link) return "target";
  if (a.info.rdev !== b.info.rdev) return "device";
  if (a.info.isFile() && a.info.size !== b.info.size) return "size";
  if (!sameTime(a.info.mtimeNs, b.info.mtimeNs)) return "time";
  const keys = [...a.xattrs.keys()];
  if (keys.join("\0") !== [...b.xattrs.keys()].join("\0")) return "extended attributes";
  const differs = keys.some(
    (key) => Buffer.compare(a.xattrs.get(key) ?? EMPTY, b.xattrs.get(key) ?? EMPTY) !== 0,
  );
  return differs ? "extended attributes" : undefined;
}

const EMPTY = new Uint8Array();

/** Owner, mode, attributes and times of `node`, given to the open folder. */
export function describeFolder(to: number, { info, xattrs }: Node): void {
  chownAt(to, "", Number(info.uid), Number(info.gid));
  chmodFd(to, Number(info.mode) & 0o7777);
  for (const [key, value] of xattrs) setXattrAt(to, "", key, value);
  utimesAt(to, "", info.mtimeNs);
}

/** Opens a plain file for reading; looked at first, for opening a device can do things. */
const openFile = (dir: number, name: string): number =>
  openAt(dir, name, constants.O_RDONLY | constants.O_NONBLOCK);

/** Whether two plain files hold the same bytes. */
export function sameContent(a: number, aName: string, b: number, bName: string): boolean {
  const left = openFile(a, aName);
  const right = openFile(b, bName);
  try {
    const one = Buffer.allocUnsafe(PIECE);
    const other = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const size = readWhole(left, one);
      if (readWhole(right, other) !== size || one.compare(other, 0, size, 0, size) !== 0) return false;
      if (size < PIECE) return true;
    }
  } finally {
    close(left);
    close(right);
  }
}

function readWhole(fd: number, buffer: Buffer): number {
  let at = 0;
  for (;;) {
    const got = readSync(fd, buffer, at, buffer.length - at, null);
    at += got;
    if (got === 0 || at === buffer.length) return at;
  }
}

/** Copies what is no folder; nothing of that name must be in `to`. */
export function copyNode(from: number, name: string, to: number, node: Node): void {
  const { info, link, xattrs } = node;
  if (link !== undefined) symlinkAt(link, to, name);
  else if (info.isFile()) copyFile(from, name, to);
  else mknodAt(to, name, Number(info.mode), Number(info.rdev));
  chownAt(to, name, Number(info.uid), Number(info.gid));
  // changing the owner takes setuid, setgid and capabilities away
  if (link === undefined) chmodAt(to, name, Number(info.mode) & 0o7777);
  for (const [key, value] of xattrs) setXattrAt(to, name, key, value);
  utimesAt(to, name, info.mtimeNs);
}

function copyFile(from: number, name: string, to: number): void {
  const source = openFile(from, name);
  try {
    const target = openAt(to, name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      if (!shareBlocks(source, target)) copyBytes(source, target);
    } finally {
      close(target);
    }
  } finally {
    close(source);
  }
}

/** A reflink; false where the file systems cannot. */
function shareBlocks(source: number, target: number): boolean {
  try {
    call("ioctl", [target, FICLONE, source]);
    return true;
  } catch (error) {
    if (["EXDEV", "EOPNOTSUPP", "ENOTSUP", "ENOTTY", "EINVAL", "ENOSYS"].includes(errnoOf(error) ?? ""))
      return false;
    throw error;
  }
}

/** Pieces of zeros become holes. */
function copyBytes(source: number, target: number): void {
  const buffer = Buffer.allocUnsafe(PIECE);
  const zeros = Buffer.alloc(PIECE);
  let offset = 0;
  for (let size = readWhole(source, buffer); size > 0; size = readWhole(source, buffer)) {
    if (buffer.compare(zeros, 0, size, 0, size) !== 0) {
      for (let at = 0; at < size; ) at += writeSync(target, buffer, at, size - at, offset + at);
    }
    offset += size;
  }
  truncateFd(target, offset);
}

/** An empty file with owner root, as a whiteout in the archive is. */
export function putEmptyFile(dir: number, name: string): void {
  close(openAt(dir, name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
}
