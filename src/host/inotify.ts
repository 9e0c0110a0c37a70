/** Waiting for a file to change, told by the kernel: inotify(7). */
import { closeSync, read } from "node:fs";
import { call } from "./libc.ts";

export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
/** A descriptor that was open for writing was closed; also when its process is killed. */
export const IN_CLOSE_WRITE = 0x8;
export const IN_CREATE = 0x100;
export const IN_DELETE_SELF = 0x400;

const IN_CLOEXEC = 0o2000000;

/**
 * A watch on one path. Make it, look at the state, then wait: nothing that happens after its making is missed.
 * Close it in any case.
 */
export class Watch implements Disposable {
  readonly #fd: number;
  readonly #watch: number;
  #waiting = false;
  #closed = false;

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
   * Waits for the next event: true, or false after `timeout` ms or when `signal` aborts; after false only `close`
   * makes sense.
   */
  async next(timeout: number, signal?: AbortSignal): Promise<boolean> {
    let given = true;
    const giveUp = (): void => {
      if (given) call("inotify_rm_watch", [this.#fd, this.#watch]);
      given = false;
    };
    this.#waiting = true;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    read(this.#fd, Buffer.alloc(4096), 0, 4096, null, (error) =>
      error === null ? resolve() : reject(error),
    );
    const timer = setTimeout(giveUp, timeout);
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted === true) giveUp();
    try {
      await promise;
      return given;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      this.#waiting = false;
      if (this.#closed) closeSync(this.#fd);
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
