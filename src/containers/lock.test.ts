import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { lockFile } from "./lock.ts";

const folder = mkdtempSync(`${tmpdir()}/lxcri-lock-`);
afterAll(() => rmSync(folder, { recursive: true }));
const subject = "container x";

describe("lockFile", () => {
  test("is taken at once when free, names its holder, and is free after release", async () => {
    const path = `${folder}/free`;
    const lock = await lockFile(path, subject);
    expect(readFileSync(path, "utf8")).toBe(`${process.pid}\n`);
    await expect(lockFile(path, subject, { timeout: 20 })).rejects.toThrow(
      `container x is busy: process ${process.pid} still works on it after 20 ms`,
    );
    lock.release();
    lock.release();
    (await lockFile(path, subject, { timeout: 0 })).release();
  });

  test("passes on when its holder is killed, long before the time-out", async () => {
    const path = `${folder}/killed`;
    // exec: the one process that holds the lock is the one that is killed.
    const holder = Bun.spawn(["sh", "-c", 'exec 9>"$0"; flock 9; echo held; exec sleep 1000', path], {
      stdin: "ignore",
      stdout: "pipe",
    });
    try {
      await holder.stdout.getReader().read();
      const waiting = lockFile(path, subject, { timeout: 20_000 });
      expect(await Promise.race([waiting, Bun.sleep(50)])).toBeUndefined();
      const started = performance.now();
      holder.kill("SIGKILL");
      (await waiting).release();
      expect(performance.now() - started).toBeLessThan(5_000);
    } finally {
      holder.kill("SIGKILL");
      await holder.exited;
    }
  });

  test("an abort ends the wait with its reason", async () => {
    const path = `${folder}/aborted`;
    using _held = await lockFile(path, subject);
    const controller = new AbortController();
    const waiting = lockFile(path, subject, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });

  test("who waited for a removed lock file gets the new one, not the old inode", async () => {
    const path = `${folder}/removed`;
    const first = await lockFile(path, subject);
    const second = lockFile(path, subject, { timeout: 5_000 });
    const third = lockFile(path, subject, { timeout: 5_000 });
    first.releaseAndRemove();
    const winner = await Promise.race([second, third]);
    expect(existsSync(path)).toBe(true);
    await expect(lockFile(path, subject, { timeout: 10 })).rejects.toThrow("is busy");
    winner.release();
    for (const lock of await Promise.all([second, third])) lock.release();
  });

  test("many at once go one after the other", async () => {
    const path = `${folder}/many`;
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        using lock = await lockFile(path, subject);
        inside += 1;
        most = Math.max(most, inside);
        await Bun.sleep(1);
        inside -= 1;
        lock.release();
      }),
    );
    expect(most).toBe(1);
  });
});
