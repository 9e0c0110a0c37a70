import { afterEach, beforeEach, expect, test } from "bun:test";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { writeFileAtomic } from "./files.ts";
import { call } from "./libc.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/lxcri-files-`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("replaces a file, with its mode, and leaves nothing beside it", () => {
  writeFileAtomic(`${folder}/a`, "one", { mode: 0o644, durable: true });
  writeFileAtomic(`${folder}/a`, new Uint8Array([50]));
  expect(readFileSync(`${folder}/a`, "utf8")).toBe("2");
  expect(lstatSync(`${folder}/a`).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("replaces a link, not what it points at", () => {
  writeFileAtomic(`${folder}/target`, "kept");
  symlinkSync("target", `${folder}/link`);
  writeFileAtomic(`${folder}/link`, "new");
  expect(readFileSync(`${folder}/target`, "utf8")).toBe("kept");
  expect(lstatSync(`${folder}/link`).isFile()).toBe(true);
});

test("writes to a device, and leaves it a device", () => {
  const path = `${folder}/null`;
  call("mknod", [path, 0o020666, 0x103], path);
  writeFileAtomic(path, "text");
  expect(lstatSync(path).isCharacterDevice()).toBe(true);
  expect(readdirSync(folder)).toEqual(["null"]);
});

test("a failed write leaves no temporary file", () => {
  symlinkSync(folder, `${folder}/loop`);
  expect(() => writeFileAtomic(`${folder}/no/such`, "x")).toThrow("no such file");
  expect(() => writeFileAtomic(folder, "x")).toThrow();
  expect(readdirSync(folder)).toEqual(["loop"]);
});
