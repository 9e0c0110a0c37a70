/** A file that is being unpacked. Long writes go to other threads, so that layers are written side by side. */
import { writeSync } from "node:fs";
import { chmodFd, chownAt, close, truncateFd, utimesAt } from "../../host/at.ts";
import { writeAt } from "../../host/write-at.ts";
import type { TarEntry } from "./tar-entry.ts";
import { restoreXattrs } from "./xattrs.ts";

/** Shorter writes cost less than the way to another thread; bytes. */
const WORTH_A_THREAD = 128 * 1024;

/** End it with `finish` or `abandon`, after `written`. */
export class LayerFile {
  readonly #fd: number;
  readonly #entry: TarEntry;
  #writes: Promise<void>[] = [];

  /** @param fd open for writing; taken over */
  constructor(fd: number, entry: TarEntry) {
    this.#fd = fd;
    this.#entry = entry;
  }

  /** The bytes must stay as they are until {@link written}. */
  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length >= WORTH_A_THREAD) {
      const writing = writeAt(this.#fd, bytes, offset);
      // reported by `written`
      writing.catch(() => {});
      this.#writes.push(writing);
      return;
    }
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(this.#fd, bytes, at, bytes.length - at, offset + at);
    }
  }

  /** Are writes still under way? */
  get busy(): boolean {
    return this.#writes.length > 0;
  }

  /** All writes have ended. @throws the first one's error */
  async written(): Promise<void> {
    const ended = await Promise.allSettled(this.#writes);
    this.#writes = [];
    for (const result of ended) if (result.status === "rejected") throw result.reason;
  }

  /** Owner, mode, attributes and time; closes. By descriptor only: the name may mean another file by now. */
  finish(): void {
    try {
      if (this.#entry.sparse) truncateFd(this.#fd, this.#entry.size);
      chownAt(this.#fd, "", this.#entry.uid, this.#entry.gid);
      // changing the owner takes setuid and setgid away
      chmodFd(this.#fd, this.#entry.mode, this.#entry.path);
      restoreXattrs(this.#fd, "", this.#entry.xattrs);
      utimesAt(this.#fd, "", this.#entry.mtime);
    } finally {
      this.abandon();
    }
  }

  abandon(): void {
    close(this.#fd);
  }
}
