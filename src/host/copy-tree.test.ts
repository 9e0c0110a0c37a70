import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { close, openDirectory } from "./at.ts";
import { type CopyOptions, copyContents, copyTree } from "./copy-tree.ts";
import { mkfifo } from "./libc.ts";

const folder = mkdtempSync(join(tmpdir(), "lxcri-copy-"));
const at = (...names: readonly string[]): string => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const skips: string[] = [];
const options: CopyOptions = { uid: 12, gid: 34, skipped: (path) => skips.push(path) };

function copy(from: string, name: string, to: string, newName = name): void {
  const source = openDirectory(from);
  const target = openDirectory(to);
  try {
    copyTree(source, name, target, newName, options);
  } finally {
    close(source);
    close(target);
  }
}

beforeAll(() => {
  mkdirSync(at("source/sub"), { recursive: true, mode: 0o750 });
  writeFileSync(at("source/file"), "x".repeat(3_000_000), { mode: 0o644 });
  Bun.spawnSync(["chmod", "6755", at("source/file")]);
  utimesSync(at("source/file"), 1000, 2000);
  writeFileSync(at("source/sub/inner"), "inner");
  writeFileSync(Buffer.concat([Buffer.from(`${at("source")}/`), Buffer.from([0xff, 0xfe])]), "odd name");
  symlinkSync("/etc/passwd", at("source/link"));
  mkfifo(at("source/sub/fifo"), 0o600);
  mkdirSync(at("target"));
});

test("files, folders and links come along, with owner, mode without setuid, and time; others are named", () => {
  copy(folder, "source", at("target"), "copy");
  const file = statSync(at("target/copy/file"));
  expect(file).toMatchObject({ uid: 12, gid: 34, mode: 0o100755, size: 3_000_000, mtimeMs: 2_000_000 });
  expect(readFileSync(at("target/copy/sub/inner"), "utf8")).toBe("inner");
  expect(readlinkSync(at("target/copy/link"))).toBe("/etc/passwd");
  expect(
    readFileSync(Buffer.concat([Buffer.from(`${at("target/copy")}/`), Buffer.from([0xff, 0xfe])]), "utf8"),
  ).toBe("odd name");
  expect(statSync(at("target/copy/sub"))).toMatchObject({ uid: 12, mode: 0o40750 });
  expect(skips).toEqual(["source/sub/fifo"]);
});

test("a link in the way is replaced, not followed; a folder that is there stays", () => {
  mkdirSync(at("outside"));
  writeFileSync(at("outside/victim"), "safe");
  mkdirSync(at("again/copy/sub"), { recursive: true });
  writeFileSync(at("again/copy/sub/kept"), "kept");
  symlinkSync(at("outside/victim"), at("again/copy/file"));
  copy(folder, "source", at("again"), "copy");
  expect(readFileSync(at("outside/victim"), "utf8")).toBe("safe");
  expect(statSync(at("again/copy/file")).size).toBe(3_000_000);
  expect(existsSync(at("again/copy/sub/kept"))).toBe(true);
});

test("a link to a folder is not entered", () => {
  mkdirSync(at("third/copy"), { recursive: true });
  symlinkSync(at("outside"), at("third/copy/sub"));
  expect(() => copy(folder, "source", at("third"), "copy")).toThrow("openat sub");
  expect(existsSync(at("outside/inner"))).toBe(false);
});

test("an aborted copy ends", () => {
  const fd = openDirectory(at("source"));
  try {
    expect(() =>
      copyContents(fd, fd, { ...options, signal: AbortSignal.abort(new Error("enough")) }),
    ).toThrow("enough");
  } finally {
    close(fd);
  }
});

test("what is missing is said", () => {
  expect(() => copy(folder, "nosuch", at("target"))).toThrow("no such file");
});
