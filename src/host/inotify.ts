/** Waiting for a file to change, told by the kernel: inotify(7). */
import { closeSync, read } from "node:fs";
import { errnoOf } from "./errors.ts";
import { call } from "./libc.ts";

export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
/** A descriptor that was open for writing was closed; also when its process is killed. */
export const IN_CLOSE_WRITE = 0x8;
export const IN_CREATE = 0x100;
export const IN_DELETE_SELF = 0x400;

const IN_CLOEXEC = 0o2000000;
/** The kernel's last word on a watch: it was removed, or its file is gone. */
const IN_IGNORED = 0x8000;

/**
 * A watch on one path. Make it, look at the state, then wait: nothing that happens after its making is missed.
 * Close it in any case.
 */
export class Watch implements Disposable {
  readonly #fd: number;
  readonly #watch: number;
  #waiting = false;
  #closed = false;
  #over = false;

  /** @throws SystemError ENOENT where `path` is missing */
  constructor(path: string, mask: number) {
    this.#fd = call("inotify_init1", [IN_CLOEXEC]);
    try {
      this.#watch = call("inotify_add_watch", [this.#fd, path, mask], path);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /**
   * Waits for the next event: true, or false after `timeout` ms, when `signal` aborts, or once the path is gone;
   * after false only `close` makes sense.
   */
  async next(timeout: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#over) return false;
    let given = true;
    const giveUp = (): void => {
      if (given) this.#remove();
      given = false;
    };
    this.#waiting = true;
    const buffer = Buffer.alloc(4096);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    read(this.#fd, buffer, 0, buffer.length, null, (error, size) =>
      error === null ? resolve(size) : reject(error),
    );
    const timer = setTimeout(giveUp, timeout);
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted === true) giveUp();
    try {
      this.#over = isLast(buffer.subarray(0, await promise));
      return given;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      this.#waiting = false;
      if (this.#closed) closeSync(this.#fd);
    }
  }

  /** Makes the kernel send its last event, which ends the read that is under way. */
  #remove(): void {
    try {
      call("inotify_rm_watch", [this.#fd, this.#watch]);
    } catch (error) {
      // The path is gone, and the last event is on its way.
      if (errnoOf(error) !== "EINVAL") throw error;
    }
  }

  /** Ends the watch; a read that is under way keeps the descriptor until it returns. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#waiting) closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Whether IN_IGNORED is among these `struct inotify_event`: wd, mask, cookie, length, name. */
function isLast(events: Buffer): boolean {
  for (let at = 0; at < events.length; at += 16 + events.readUInt32LE(at + 12)) {
    if ((events.readUInt32LE(at + 4) & IN_IGNORED) !== 0) return true;
  }
  return false;
}
