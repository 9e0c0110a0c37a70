/**
 * File-system calls relative to a directory descriptor (`openat2`, `mkdirat`, …), made for many small calls: the
 * symbols are bound once, names go through one scratch buffer. Names given to the `*at` calls must be single
 * path components; only {@link openBeneath} walks a path, and it cannot leave the root it is given. Names may be
 * any bytes (see byte-text.ts).
 */
import { dlopen, FFIType, ptr, read } from "bun:ffi";
import { constants } from "node:fs";
import { bytesToText, textToBytes } from "./byte-text.ts";
import { SystemError } from "./errors.ts";
import { errnoName, errnoText } from "./libc.ts";

const i32 = FFIType.i32;
const u32 = FFIType.u32;
const i64 = FFIType.i64;
const pointer = FFIType.ptr;

const SYMBOLS = {
  __errno_location: { args: [], returns: pointer },
  openat: { args: [i32, pointer, i32, u32], returns: i32 },
  close: { args: [i32], returns: i32 },
  mkdirat: { args: [i32, pointer, u32], returns: i32 },
  mknodat: { args: [i32, pointer, u32, i64], returns: i32 },
  symlinkat: { args: [pointer, i32, pointer], returns: i32 },
  linkat: { args: [i32, pointer, i32, pointer, i32], returns: i32 },
  unlinkat: { args: [i32, pointer, i32], returns: i32 },
  readlinkat: { args: [i32, pointer, pointer, i64], returns: i64 },
  fchownat: { args: [i32, pointer, u32, u32, i32], returns: i32 },
  fchmod: { args: [i32, u32], returns: i32 },
  fchmodat: { args: [i32, pointer, u32, i32], returns: i32 },
  renameat2: { args: [i32, pointer, i32, pointer, u32], returns: i32 },
  utimensat: { args: [i32, pointer, pointer, i32], returns: i32 },
  ftruncate: { args: [i32, i64], returns: i32 },
  setxattr: { args: [pointer, pointer, pointer, i64, i32], returns: i32 },
  getxattr: { args: [pointer, pointer, pointer, i64], returns: i64 },
  listxattr: { args: [pointer, pointer, i64], returns: i64 },
  lsetxattr: { args: [pointer, pointer, pointer, i64, i32], returns: i32 },
  lgetxattr: { args: [pointer, pointer, pointer, i64], returns: i64 },
  llistxattr: { args: [pointer, pointer, i64], returns: i64 },
  syscall: { args: [i64, i64, pointer, pointer, i64], returns: i64 },
} as const;

const open = () => dlopen("libc.so.6", SYMBOLS).symbols;
let symbols: ReturnType<typeof open> | undefined;
/** Bound at the first call: start-up is the budget. */
function libc(): ReturnType<typeof open> {
  symbols ??= open();
  return symbols;
}

const SCRATCH = 8192;
const scratch = [Buffer.alloc(SCRATCH), Buffer.alloc(SCRATCH), Buffer.alloc(SCRATCH)] as const;

/** The text as C string in one of the scratch buffers; valid until the next use of the same slot. */
function cstring(text: string, slot: 0 | 1 | 2 = 0): Buffer {
  const buffer = scratch[slot];
  if (text.length * 3 >= SCRATCH || text.includes("\0"))
    throw new SystemError("path", text.includes("\0") ? "EINVAL" : "ENAMETOOLONG", "not usable as a name");
  if (text.isWellFormed()) {
    buffer[buffer.write(text)] = 0;
    return buffer;
  }
  const bytes = textToBytes(text);
  buffer.set(bytes);
  buffer[bytes.length] = 0;
  return buffer;
}

function failed(name: string, subject: string): SystemError {
  const at = libc().__errno_location();
  const errno = at === null ? 0 : read.i32(at, 0);
  return new SystemError(name, errnoName(errno), errnoText(errno), subject);
}

export const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 2n;
const RESOLVE_NO_SYMLINKS = 4n;
const RESOLVE_IN_ROOT = 16n;
const OPENAT2 = 437;

const how = new BigUint64Array(3);

/**
 * Opens `path` as if the directory `root` were `/`: `..` and symbolic links, absolute ones too, stay beneath it
 * (openat2(2), RESOLVE_IN_ROOT). Close-on-exec is set.
 * @param follow false refuses any symbolic link on the way (ELOOP)
 */
export function openBeneath(root: number, path: string, flags: number, follow = true, mode = 0): number {
  how[0] = BigInt(flags | O_CLOEXEC);
  how[1] = BigInt(mode);
  how[2] = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (follow ? 0n : RESOLVE_NO_SYMLINKS);
  for (;;) {
    const fd = Number(libc().syscall(OPENAT2, root, cstring(path === "" ? "." : path), ptr(how), 24));
    if (fd >= 0) return fd;
    const error = failed("openat2", path);
    // EAGAIN: a rename somewhere raced with the walk of `..`
    if (error.errno !== "EAGAIN") throw error;
  }
}

/** A directory of the host by its path; links in it are followed. */
export function openDirectory(path: string): number {
  const fd = libc().openat(-100, cstring(path), constants.O_RDONLY | constants.O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) throw failed("open", path);
  return fd;
}

/** openat(2) of one component; the last component is never followed, close-on-exec is set. */
export function openAt(dir: number, name: string, flags: number, mode = 0): number {
  const fd = libc().openat(dir, cstring(name), flags | constants.O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) throw failed("openat", name);
  return fd;
}

export function close(fd: number): void {
  if (libc().close(fd) < 0) throw failed("close", String(fd));
}

export function mkdirAt(dir: number, name: string, mode: number): void {
  if (libc().mkdirat(dir, cstring(name), mode) < 0) throw failed("mkdirat", name);
}

/** @param device as makedev(3) */
export function mknodAt(dir: number, name: string, mode: number, device: number): void {
  if (libc().mknodat(dir, cstring(name), mode, device) < 0) throw failed("mknodat", name);
}

/** makedev(3) of glibc. */
export const makeDevice = (major: number, minor: number): number =>
  Number(
    (BigInt(minor) & 0xffn) |
      ((BigInt(major) & 0xfffn) << 8n) |
      ((BigInt(minor) & ~0xffn) << 12n) |
      ((BigInt(major) & ~0xfffn) << 32n),
  );

export function symlinkAt(target: string, dir: number, name: string): void {
  if (libc().symlinkat(cstring(target, 1), dir, cstring(name)) < 0) throw failed("symlinkat", name);
}

/** A hard link; a symbolic link at `from` is linked itself, not followed. */
export function linkAt(fromDir: number, from: string, dir: number, name: string): void {
  if (libc().linkat(fromDir, cstring(from, 1), dir, cstring(name), 0) < 0) throw failed("linkat", name);
}

export function unlinkAt(dir: number, name: string): void {
  if (libc().unlinkat(dir, cstring(name), 0) < 0) throw failed("unlinkat", name);
}

export function rmdirAt(dir: number, name: string): void {
  if (libc().unlinkat(dir, cstring(name), AT_REMOVEDIR) < 0) throw failed("rmdir", name);
}

/** renameat2(2): the two names change places, in one step. */
export const RENAME_EXCHANGE = 2;

/** Renames within one file system; replaces what is there unless `flags` say otherwise. */
export function renameAt(fromDir: number, from: string, dir: number, name: string, flags = 0): void {
  if (libc().renameat2(fromDir, cstring(from, 1), dir, cstring(name), flags) < 0)
    throw failed("renameat2", name);
}

/** The text of a symbolic link. */
export function readlinkAt(dir: number, name: string): string {
  const length = Number(libc().readlinkat(dir, cstring(name), ptr(scratch[1]), SCRATCH));
  if (length < 0) throw failed("readlinkat", name);
  return bytesToText(scratch[1].subarray(0, length));
}

/** Owner of `name` itself, or of `dir` where `name` is empty. Clears setuid, setgid and file capabilities. */
export function chownAt(dir: number, name: string, uid: number, gid: number): void {
  const flags = name === "" ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  if (libc().fchownat(dir, cstring(name), uid, gid, flags) < 0) throw failed("fchownat", name);
}

/** Mode by descriptor (not an O_PATH one). */
export function chmodFd(fd: number, mode: number, subject = ""): void {
  if (libc().fchmod(fd, mode) < 0) throw failed("fchmod", subject);
}

/** Mode of a node that must not be a symbolic link: this call would follow it. */
export function chmodAt(dir: number, name: string, mode: number): void {
  if (libc().fchmodat(dir, cstring(name), mode, 0) < 0) throw failed("fchmodat", name);
}

const times = new BigInt64Array(4);

/** Access and modification time of `name` itself (of `dir` where empty), in nanoseconds since 1970. */
export function utimesAt(dir: number, name: string, mtime: bigint): void {
  let seconds = mtime / 1_000_000_000n;
  let nanos = mtime % 1_000_000_000n;
  if (nanos < 0n) {
    seconds -= 1n;
    nanos += 1_000_000_000n;
  }
  times[0] = seconds;
  times[1] = nanos;
  times[2] = seconds;
  times[3] = nanos;
  const flags = name === "" ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  if (libc().utimensat(dir, cstring(name), ptr(times), flags) < 0) throw failed("utimensat", name);
}

export function truncateFd(fd: number, size: number): void {
  if (libc().ftruncate(fd, size) < 0) throw failed("ftruncate", String(fd));
}

/** The node `name` of `dir`, or what `dir` itself is open on, as a path for this process. */
const procPath = (dir: number, name: string): Buffer =>
  cstring(name === "" ? `/proc/self/fd/${dir}` : `/proc/self/fd/${dir}/${name}`);

/** Sets an extended attribute of `name` itself (of `dir` where empty). */
export function setXattrAt(dir: number, name: string, key: string, value: Uint8Array): void {
  const set = name === "" ? libc().setxattr : libc().lsetxattr;
  const data = value.length === 0 ? scratch[2] : value;
  if (set(procPath(dir, name), cstring(key, 1), ptr(data), value.length, 0) < 0)
    throw failed(`setxattr ${key}`, name);
}

/** The largest value and the longest list of names that the kernel allows, bytes. */
const XATTR_MAX = 65536;

/** An extended attribute of `name` itself (of `dir` where empty); undefined where it has none. */
export function getXattrAt(dir: number, name: string, key: string): Uint8Array | undefined {
  const get = name === "" ? libc().getxattr : libc().lgetxattr;
  const value = Buffer.alloc(XATTR_MAX);
  const length = Number(get(procPath(dir, name), cstring(key, 1), ptr(value), XATTR_MAX));
  if (length >= 0) return value.subarray(0, length);
  const error = failed(`getxattr ${key}`, name);
  if (error.errno === "ENODATA" || error.errno === "EOPNOTSUPP" || error.errno === "ENOTSUP")
    return undefined;
  throw error;
}

/** Names of the extended attributes of `name` itself (of `dir` where empty). */
export function listXattrsAt(dir: number, name: string): string[] {
  const list = Buffer.alloc(XATTR_MAX);
  const call = name === "" ? libc().listxattr : libc().llistxattr;
  const length = Number(call(procPath(dir, name), ptr(list), XATTR_MAX));
  if (length >= 0) {
    const keys = list.toString("utf8", 0, length).split("\0");
    return keys.filter((key) => key !== "");
  }
  const error = failed("listxattr", name);
  if (error.errno === "EOPNOTSUPP" || error.errno === "ENOTSUP") return [];
  throw error;
}
