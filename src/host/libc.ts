/**
 * System calls that Node's API lacks, through bun:ffi. Each symbol is bound when first used (start-up is the
 * budget). Every wrapper throws {@link SystemError}; none of them may be given a path from outside unresolved.
 */

import { dlopen, type FFITypeOrString, type Pointer, ptr, read } from "bun:ffi";
import { constants as osConstants } from "node:os";
import { SystemError } from "./errors.ts";

type Arg = number | bigint | string | NodeJS.TypedArray | Pointer | null;
type Native = (...args: unknown[]) => number | bigint | null;

const bound = new Map<string, Native>();
let errnoAt: Pointer | undefined;

function bind(name: string, args: readonly FFITypeOrString[], returns: FFITypeOrString): Native {
  const key = `${name}(${args.join()})`;
  let symbol = bound.get(key);
  if (symbol === undefined) {
    const library = dlopen("libc.so.6", { [name]: { args: [...args], returns } });
    symbol = library.symbols[name] as unknown as Native;
    bound.set(key, symbol);
  }
  return symbol;
}

/** Errno of the last call of this thread; valid only directly after it. */
function lastErrno(): number {
  return errnoAt === undefined ? 0 : read.i32(errnoAt, 0);
}

const cstring = (text: string): Buffer => {
  if (text.includes("\0"))
    throw new SystemError("path", "EINVAL", "contains a NUL byte", JSON.stringify(text));
  return Buffer.from(`${text}\0`);
};

const errnoNames = new Map(Object.entries(osConstants.errno).map(([name, value]) => [value, name]));

/** `ENOENT` for 2, and so on; `E<n>` where Node has no name for it. */
export const errnoName = (errno: number): string => errnoNames.get(errno) ?? `E${errno}`;

/** strerror(3) text in lower case's first letter as Go prints it (`no such file or directory`). */
export function errnoText(errno: number): string {
  const strerror = bind("strerror", ["i32"], "cstring");
  const text = String(strerror(errno));
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/**
 * Calls a libc function whose result −1 means failure. Strings become C strings, numbers 64-bit integers.
 * @throws SystemError naming `name` and `subject`
 */
export function call(name: string, args: readonly Arg[], subject?: string): number {
  errnoAt ??= bind("__errno_location", [], "ptr")() as unknown as Pointer;
  const types: FFITypeOrString[] = [];
  const values: unknown[] = [];
  const keep: Buffer[] = [];
  for (const arg of args) {
    if (typeof arg === "string") {
      const text = cstring(arg);
      keep.push(text);
      types.push("ptr");
      values.push(text);
    } else if (typeof arg === "number" || typeof arg === "bigint") {
      types.push("i64");
      values.push(BigInt(arg));
    } else {
      types.push("ptr");
      values.push(arg);
    }
  }
  const symbol = bind(name, types, "i32");
  const result = Number(symbol(...values));
  if (result === -1) {
    const errno = lastErrno();
    throw new SystemError(
      name === "syscall" ? `syscall ${args[0]}` : name,
      errnoName(errno),
      errnoText(errno),
      subject,
    );
  }
  return result;
}

/** Calls a system call by number; numbers from 424 up are the same on x86_64 and aarch64. */
export const syscall = (number: number, args: readonly Arg[], subject?: string): number =>
  call("syscall", [number, ...args], subject);

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;

/** flock(2). @throws SystemError EWOULDBLOCK (named EAGAIN) with LOCK_NB when another holds it */
export const flock = (fd: number, operation: number, subject?: string): void => {
  call("flock", [fd, operation], subject);
};

export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;
export const MS_SLAVE = 1 << 19;
export const MS_SHARED = 1 << 20;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** mount(2). `data` is the file system's own option string. */
export function mount(
  source: string,
  target: string,
  type: string | null,
  flags: number,
  data: string | null = null,
): void {
  call("mount", [source, target, type, flags, data], `${source} on ${target}`);
}

/** umount2(2). */
export function umount(target: string, flags = MNT_DETACH | UMOUNT_NOFOLLOW): void {
  call("umount2", [target, flags], target);
}

/** prctl(2). */
export const prctl = (option: number, a = 0, b = 0, c = 0, d = 0): number =>
  call("prctl", [option, a, b, c, d]);
export const PR_SET_CHILD_SUBREAPER = 36;

/** pidfd_open(2): a descriptor (close-on-exec) for the process. */
export const pidfdOpen = (pid: number): number => syscall(434, [pid, 0], `pid ${pid}`);
/** pidfd_send_signal(2). */
export const pidfdSendSignal = (fd: number, signal: number): void => {
  syscall(424, [fd, signal, null, 0]);
};

/** fcntl(2) F_SETFD: whether the descriptor survives execve. */
export const setCloseOnExec = (fd: number, on: boolean): void => {
  call("fcntl", [fd, 2, on ? 1 : 0]);
};

/** mkfifo(3). */
export const mkfifo = (path: string, mode: number): void => {
  call("mkfifo", [path, mode], path);
};

/** A NULL-terminated `char *[]`; `keep` holds the memory and must outlive the call. */
function vector(strings: readonly string[]): { array: BigUint64Array; keep: Buffer[] } {
  const keep = strings.map(cstring);
  const array = new BigUint64Array(strings.length + 1);
  keep.forEach((text, i) => {
    array[i] = BigInt(ptr(text));
  });
  return { array, keep };
}

/** execve(2): this process becomes `file`. Returns only by throwing. */
export function execve(file: string, argv: readonly string[], env: Readonly<Record<string, string>>): never {
  const args = vector(argv);
  const envs = vector(Object.entries(env).map(([k, v]) => `${k}=${v}`));
  call("execve", [file, args.array, envs.array], file);
  throw new SystemError(
    "execve",
    "EINVAL",
    `returned (${args.keep.length + envs.keep.length} strings)`,
    file,
  );
}

/** memfd_create(2): close-on-exec; `sealable` allows {@link addSeals}. */
export const memfdCreate = (name: string, sealable: boolean): number =>
  call("memfd_create", [name, sealable ? 3 : 1], name);

/** Makes a memory file's content and size final. */
export const addSeals = (fd: number): void => {
  call("fcntl", [fd, 1033, 0xf], "F_ADD_SEALS");
};

/** Clears O_NONBLOCK: reads wait from now on. */
export const setBlocking = (fd: number): void => {
  call("fcntl", [fd, 4, 0], "F_SETFL");
};

/** A connected pair of packet sockets, close-on-exec. */
export function packetPair(): [number, number] {
  const ends = new Int32Array(2);
  call("socketpair", [1, 5 | 0o2000000, 0, ends]);
  return [ends[0] ?? -1, ends[1] ?? -1];
}
