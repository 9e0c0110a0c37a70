/** Being told by the kernel that the OOM killer was at work in a container. */
import { closeSync, openSync, read, writeSync } from "node:fs";
import { isMissing } from "../host/errors.ts";
import { IN_MODIFY, Watch } from "../host/inotify.ts";
import { call } from "../host/libc.ts";
import { CgroupError } from "./hierarchy.ts";
import { type Leaf, writeControl } from "./leaf.ts";

const EFD_CLOEXEC = 0o2000000;
/** setTimeout's longest, ms: a Watch wants a time-out, an OOM may never come. */
const FOREVER = 2 ** 31 - 1;

/** Waits for OOM kills from the moment that it is made. Close it in any case. */
export interface OomWatch extends Disposable {
  /**
   * Resolves with the number of kills so far when there are more than at the last look; with undefined once the
   * group is gone or `signal` aborts, after which only `close` makes sense.
   */
  next(signal?: AbortSignal): Promise<number | undefined>;
  close(): void;
}

/** Watches a leaf. @throws CgroupError `oom-watch-impossible` without a memory controller */
export function watchOom(leaf: Leaf): OomWatch {
  const folder = leaf.folderOf("memory");
  if (folder === undefined) {
    throw new CgroupError(
      "oom-watch-impossible",
      "OOM events: the container's group has no memory controller",
    );
  }
  return leaf.version("memory") === 1 ? new EventfdWatch(leaf, folder) : new InotifyWatch(leaf, folder);
}

/** v2: the kernel modifies memory.events. */
class InotifyWatch implements OomWatch {
  readonly #leaf: Leaf;
  readonly #watch: Watch;
  #kills: number;

  constructor(leaf: Leaf, folder: string) {
    this.#leaf = leaf;
    this.#watch = new Watch(`${folder}/memory.events`, IN_MODIFY);
    this.#kills = leaf.oomKills() ?? 0;
  }

  async next(signal?: AbortSignal): Promise<number | undefined> {
    for (;;) {
      const kills = this.#leaf.oomKills();
      if (kills === undefined) return undefined;
      if (kills > this.#kills) {
        this.#kills = kills;
        return kills;
      }
      if (!(await this.#watch.next(FOREVER, signal))) return undefined;
    }
  }

  close(): void {
    this.#watch.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** v1: an eventfd registered with memory.oom_control counts the times, also when the group is removed. */
class EventfdWatch implements OomWatch {
  readonly #leaf: Leaf;
  readonly #event: number;
  #kills: number;
  #waiting = false;
  #closed = false;

  constructor(leaf: Leaf, folder: string) {
    this.#leaf = leaf;
    this.#kills = leaf.oomKills() ?? 0;
    this.#event = call("eventfd", [0, EFD_CLOEXEC]);
    let control: number | undefined;
    try {
      control = openSync(`${folder}/memory.oom_control`, "r");
      writeControl(folder, "cgroup.event_control", `${this.#event} ${control}`);
    } catch (error) {
      closeSync(this.#event);
      if (isMissing(error)) throw new CgroupError("oom-watch-impossible", `OOM events: ${folder} is gone`);
      throw error;
    } finally {
      if (control !== undefined) closeSync(control);
    }
  }

  async next(signal?: AbortSignal): Promise<number | undefined> {
    for (;;) {
      const kills = this.#leaf.oomKills();
      if (kills === undefined || signal?.aborted === true || this.#closed) return undefined;
      if (kills > this.#kills) {
        this.#kills = kills;
        return kills;
      }
      await this.#signalled(signal);
    }
  }

  /** The event comes before the kill is counted; reading again at the next one would be late, so look shortly. */
  async #signalled(signal?: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake();
    signal?.addEventListener("abort", wake);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting = true;
    read(this.#event, Buffer.alloc(8), 0, 8, null, (error) => (error === null ? resolve() : reject(error)));
    try {
      await promise;
      for (
        let pause = 1;
        pause <= 64 && this.#leaf.oomKills() === this.#kills && signal?.aborted !== true;
        pause *= 2
      ) {
        await Bun.sleep(pause);
      }
    } finally {
      signal?.removeEventListener("abort", wake);
      this.#waiting = false;
      if (this.#closed) closeSync(this.#event);
    }
  }

  /** Adds one to the event's counter: a read that is under way returns. */
  #wake(): void {
    writeSync(this.#event, new Uint8Array(new BigUint64Array([1n]).buffer));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#waiting) this.#wake();
    else closeSync(this.#event);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
