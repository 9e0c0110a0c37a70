/**
 * One lock per container, so that two processes cannot change it at once. flock(2): the kernel releases it when its
 * holder dies. The file lies outside the container's folder, which `delete` removes.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { errnoOf, isMissing } from "../host/errors.ts";
import { IN_ATTRIB, IN_CLOSE_WRITE, Watch } from "../host/inotify.ts";
import { flock, LOCK_EX, LOCK_NB } from "../host/libc.ts";
import { ContainerError } from "./errors.ts";

/** A held lock. Releasing twice is harmless. */
export interface ContainerLock extends Disposable {
  /** Lets the next one in. */
  release(): void;
  /** Lets the next one in and removes the file: for a container that is gone. */
  releaseAndRemove(): void;
}

/**
 * Takes the exclusive lock `path`, waiting for its holder at most `timeout` ms (default 30,000).
 * @throws ContainerError `container-busy` naming the holder; the signal's reason when aborted
 */
export async function lockFile(
  path: string,
  subject: string,
  options: { timeout?: number; signal?: AbortSignal } = {},
): Promise<ContainerLock> {
  const timeout = options.timeout ?? 30_000;
  const deadline = performance.now() + timeout;
  for (;;) {
    const held = tryLock(path) ?? (await lockWhenClosed(path, deadline, options.signal));
    if (held === "gone") continue;
    if (held !== undefined) return held;
    options.signal?.throwIfAborted();
    throw busy(path, subject, timeout);
  }
}

/** The holder's end closes its descriptor, and the kernel says so; also when it was killed. */
async function lockWhenClosed(
  path: string,
  deadline: number,
  signal: AbortSignal | undefined,
): Promise<ContainerLock | "gone" | undefined> {
  let watch: Watch;
  try {
    watch = new Watch(path, IN_CLOSE_WRITE | IN_ATTRIB);
  } catch (error) {
    if (isMissing(error)) return "gone";
    throw error;
  }
  using held = watch;
  for (;;) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    const left = deadline - performance.now();
    if (left <= 0 || !(await held.next(left, signal))) return undefined;
    if (!existsSync(path)) return "gone";
  }
}

/** undefined while another holds it. */
function tryLock(path: string): ContainerLock | undefined {
  for (;;) {
    // Never truncated at open: the holder's pid is in it.
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      flock(fd, LOCK_EX | LOCK_NB, path);
    } catch (error) {
      closeSync(fd);
      if (errnoOf(error) === "EAGAIN") return undefined;
      throw error;
    }
    if (isStill(path, fd)) {
      ftruncateSync(fd);
      writeSync(fd, `${process.pid}\n`, 0);
      return heldLock(path, fd);
    }
    // `delete` removed it between our open and our lock: what we hold guards nothing.
    closeSync(fd);
  }
}

function isStill(path: string, fd: number): boolean {
  try {
    return statSync(path).ino === fstatSync(fd).ino;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function heldLock(path: string, fd: number): ContainerLock {
  let open = true;
  const release = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  return {
    release,
    releaseAndRemove: () => {
      if (open) rmSync(path, { force: true });
      release();
    },
    [Symbol.dispose]: release,
  };
}

function busy(path: string, subject: string, timeout: number): ContainerError {
  let holder = "";
  try {
    holder = readFileSync(path, "utf8").trim();
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return new ContainerError(
    "container-busy",
    `${subject} is busy: process ${holder || "unknown"} still works on it after ${timeout} ms`,
  );
}
