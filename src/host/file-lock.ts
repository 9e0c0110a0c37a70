/**
 * A lock between processes that is a file: held by flock(2), so a dead holder holds nothing, and removed by its
 * last holder. One process taking it twice waits for itself as for another.
 */
import { closeSync, constants, fstatSync, openSync, rmSync, statSync } from "node:fs";
import { errnoOf, isMissing } from "./errors.ts";
import { IN_ATTRIB, IN_CLOSE_WRITE, Watch } from "./inotify.ts";
import { flock, LOCK_EX, LOCK_NB } from "./libc.ts";

/** inotify(7). */
const IN_MOVE_SELF = 0x800;
/** Nothing is lost by looking again now and then; ms. */
const RECHECK_MS = 5000;

/** A held lock. */
export interface FileLock {
  /** Descriptor of the lock file, readable and writable. */
  readonly fd: number;
  /** Gives the lock up and removes its file, unless `keep` (or it was renamed away). Calling it again does nothing. */
  release(keep?: boolean): void;
}

/** One number with two names. */
const isBusy = (error: unknown): boolean => errnoOf(error) === "EAGAIN" || errnoOf(error) === "EWOULDBLOCK";

const sameFile = (fd: number, path: string): boolean => {
  const held = fstatSync(fd);
  try {
    const named = statSync(path);
    return held.ino === named.ino && held.dev === named.dev;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
};

/** Takes the lock if nobody has it; undefined where another holds it. The folder must exist. */
export function tryLockFile(path: string): FileLock | undefined {
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      flock(fd, LOCK_EX | LOCK_NB, path);
    } catch (error) {
      closeSync(fd);
      if (isBusy(error)) return undefined;
      throw error;
    }
    if (!sameFile(fd, path)) {
      closeSync(fd);
      continue;
    }
    let held = true;
    return {
      fd,
      release: (keep = false) => {
        if (!held) return;
        held = false;
        // while the lock is held nobody else may remove the file
        if (!keep && sameFile(fd, path)) rmSync(path, { force: true });
        closeSync(fd);
      },
    };
  }
}

/**
 * Takes the lock, waiting as long as another holds it: its descriptor's close, even by a SIGKILL, wakes us.
 * @throws the signal's reason when it is aborted
 */
export async function lockFile(path: string, signal?: AbortSignal): Promise<FileLock> {
  for (;;) {
    signal?.throwIfAborted();
    const lock = tryLockFile(path);
    if (lock !== undefined) return lock;
    await waitUntilClosed(path, signal);
  }
}

/** Asked through a descriptor that cannot write: its own close must not wake the waiters, us among them. */
function isLocked(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  try {
    flock(fd, LOCK_EX | LOCK_NB, path);
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Returns when it is worth to try again. */
async function waitUntilClosed(path: string, signal: AbortSignal | undefined): Promise<void> {
  let watch: Watch;
  try {
    watch = new Watch(path, IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  using held = watch;
  if (isLocked(path)) await held.next(RECHECK_MS, signal);
}
