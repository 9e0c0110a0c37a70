import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { IN_ATTRIB, IN_CLOSE_WRITE, Watch } from "./inotify.ts";

const folder = mkdtempSync(`${tmpdir()}/lxcri-inotify-`);
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string): string {
  writeFileSync(`${folder}/${name}`, "");
  return `${folder}/${name}`;
}

describe("Watch", () => {
  test("tells of what happened since it was made", async () => {
    const path = file("told");
    using watch = new Watch(path, IN_CLOSE_WRITE);
    closeSync(openSync(path, "a"));
    expect(await watch.next(5_000)).toBe(true);
  });

  test("gives up after its time and when aborted", async () => {
    using late = new Watch(file("late"), IN_CLOSE_WRITE);
    expect(await late.next(10)).toBe(false);
    using aborted = new Watch(file("aborted"), IN_CLOSE_WRITE);
    const controller = new AbortController();
    const waiting = aborted.next(60_000, controller.signal);
    controller.abort();
    expect(await waiting).toBe(false);
    using before = new Watch(file("before"), IN_CLOSE_WRITE);
    expect(await before.next(60_000, controller.signal)).toBe(false);
  });

  test("waits no more once its file is gone", async () => {
    const path = file("gone");
    using watch = new Watch(path, IN_ATTRIB);
    rmSync(path);
    while (await watch.next(60_000)) {}
    expect(await watch.next(60_000)).toBe(false);
  });

  test("a watch that is closed while waiting ends with the next event", async () => {
    const path = file("closed");
    const watch = new Watch(path, IN_CLOSE_WRITE);
    const waiting = watch.next(60_000);
    watch.close();
    closeSync(openSync(path, "a"));
    expect(await waiting).toBe(true);
    watch.close();
  });

  test("a missing file is an error", () => {
    expect(() => new Watch(`${folder}/no`, IN_ATTRIB)).toThrow("no such file or directory");
  });
});
