import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockFile, tryLockFile } from "./file-lock.ts";

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lxcri-lock-"));
  path = join(dir, "lock");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("one at a time, in one process too; the file goes with the last", async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    const lock = await lockFile(path);
    inside += 1;
    most = Math.max(most, inside);
    await Bun.sleep(5);
    inside -= 1;
    lock.release();
    lock.release();
  };
  await Promise.all(Array.from({ length: 10 }, work));
  expect(most).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test("a killed holder holds nothing, and waiters learn it at once", async () => {
  const script = join(dir, "hold.ts");
  writeFileSync(
    script,
    `import { tryLockFile } from ${JSON.stringify(join(import.meta.dir, "file-lock.ts"))};
     tryLockFile(${JSON.stringify(path)}); console.log("held"); setInterval(() => {}, 1000);`,
  );
  const child = Bun.spawn([process.execPath, script], { stdout: "pipe" });
  await child.stdout.getReader().read();
  expect(tryLockFile(path)).toBeUndefined();
  const waiting = lockFile(path);
  await Bun.sleep(50);
  const killed = performance.now();
  child.kill("SIGKILL");
  (await waiting).release();
  expect(performance.now() - killed).toBeLessThan(1000);
});

test("waiting ends with the signal", async () => {
  const held = tryLockFile(path);
  const stop = new AbortController();
  const waiting = lockFile(path, stop.signal);
  setTimeout(() => stop.abort(new Error("enough")), 20);
  expect(await waiting.catch((error: unknown) => (error as Error).message)).toBe("enough");
  held?.release();
});

test("a file that was renamed away is no longer the lock", async () => {
  const held = tryLockFile(path);
  const waiting = lockFile(path);
  await Bun.sleep(20);
  renameSync(path, join(dir, "result"));
  held?.release();
  (await waiting).release();
  expect(existsSync(join(dir, "result"))).toBe(true);
});

test("is given up but kept where asked", () => {
  tryLockFile(path)?.release(true);
  expect(existsSync(path)).toBe(true);
});
