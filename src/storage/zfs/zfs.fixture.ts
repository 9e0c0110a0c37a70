/** Real ZFS for tests: a pool in a file, served by zfs-fuse. One test file at a time has it. */
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FileLock, lockFile } from "../../host/file-lock.ts";
import { run, runChecked } from "../../host/process.ts";

/** A pool of the test's own; dispose of it. */
export class ZfsPool implements AsyncDisposable {
  readonly name: string;
  readonly #folder: string;
  readonly #lock: FileLock;
  readonly #daemon: Bun.Subprocess;

  private constructor(name: string, folder: string, lock: FileLock, daemon: Bun.Subprocess) {
    this.name = name;
    this.#folder = folder;
    this.#lock = lock;
    this.#daemon = daemon;
  }

  /** Starts the daemon and makes a pool of 1 GiB at most. */
  static async make(): Promise<ZfsPool> {
    const lock = await lockFile(join(tmpdir(), "lxcri-zfs-fuse.lock"), AbortSignal.timeout(300_000));
    const folder = mkdtempSync(join(tmpdir(), "lxcri-zpool-"));
    const name = `lxcri${process.pid}`;
    // it ends with us, however we end
    const daemon = Bun.spawn(["setpriv", "--pdeathsig", "TERM", "--", "zfs-fuse", "--no-daemon"], {
      stdout: "ignore",
      stderr: "ignore",
    });
    const pool = new ZfsPool(name, folder, lock, daemon);
    try {
      const file = join(folder, "pool");
      closeSync(openSync(file, "w"));
      truncateSync(file, 1 << 30);
      await pool.#answers();
      await runChecked(["zpool", "create", "-o", "cachefile=none", "-m", join(folder, name), name, file]);
      return pool;
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #answers(): Promise<void> {
    for (let tries = 0; tries < 100; tries += 1) {
      if ((await run(["zfs", "list", "-H"], { timeout: 20_000 })).exitCode === 0) return;
      await Bun.sleep(50);
    }
    throw new Error(`zfs-fuse does not answer; it ended with ${this.#daemon.exitCode}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    let destroyed = await run(["zpool", "destroy", "-f", this.name]);
    for (let tries = 0; tries < 50 && destroyed.stderr.includes("busy"); tries += 1) {
      await Bun.sleep(100);
      destroyed = await run(["zpool", "destroy", "-f", this.name]);
    }
    this.#daemon.kill("SIGTERM");
    await this.#daemon.exited;
    this.#lock.release();
    if (existsSync(this.#folder)) rmSync(this.#folder, { recursive: true, force: true });
    if (destroyed.exitCode !== 0 && !destroyed.stderr.includes("no such pool"))
      throw new Error(destroyed.stderr);
  }
}
