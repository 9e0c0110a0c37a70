/**
 * One lock per container, so that two processes cannot change it at once. The file lies outside the container's
 * folder, which `delete` removes.
 */
import { ftruncateSync, readFileSync, writeSync } from "node:fs";
import { errnoOf, isMissing } from "../host/errors.ts";
import { lockFile as lockHostFile, tryLockFile } from "../host/file-lock.ts";
import { ContainerError } from "./errors.ts";

/** A held lock. Releasing twice is harmless. */
export interface ContainerLock extends Disposable {
  /** Lets the next one in. */
  release(): void;
  /** Lets the next one in and removes the file: for a container that is gone. */
  releaseAndRemove(): void;
}

/** How long to wait for a lock. */
export interface LockWait {
  /** ms; default 30,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/**
 * Takes the exclusive lock `path`; the kernel releases it when its holder dies.
 * @throws ContainerError `container-busy` naming the holder; the signal's reason when aborted
 */
export async function lockFile(path: string, subject: string, wait: LockWait = {}): Promise<ContainerLock> {
  const lock = tryLockFile(path) ?? (await waitForLock(path, subject, wait));
  nameHolder(lock.fd);
  const release = (): void => lock.release(true);
  return { release, releaseAndRemove: () => lock.release(), [Symbol.dispose]: release };
}

/** For who waits in vain. On a full disk it goes without: there more than elsewhere one must be able to delete. */
function nameHolder(fd: number): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    if (errnoOf(error) !== "ENOSPC" && errnoOf(error) !== "EDQUOT") throw error;
  }
}

async function waitForLock(path: string, subject: string, { timeout = 30_000, signal }: LockWait) {
  const deadline = AbortSignal.timeout(timeout);
  try {
    return await lockHostFile(path, signal === undefined ? deadline : AbortSignal.any([signal, deadline]));
  } catch (error) {
    signal?.throwIfAborted();
    if (!deadline.aborted) throw error;
    throw new ContainerError(
      "container-busy",
      `${subject} is busy: process ${holderOf(path)} still works on it after ${timeout} ms`,
    );
  }
}

function holderOf(path: string): string {
  try {
    return readFileSync(path, "utf8").trim() || "unknown";
  } catch (error) {
    if (isMissing(error)) return "unknown";
    throw error;
  }
}
