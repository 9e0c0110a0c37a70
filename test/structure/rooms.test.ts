import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { importsOf } from "./imports.ts";
import { findViolations, readImportGraph } from "./rooms.ts";

function check(files: Record<string, string>): readonly string[] {
  const src = mkdtempSync(join(tmpdir(), "rooms-"));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(src, file)), { recursive: true });
      writeFileSync(join(src, file), text);
    }
    return findViolations(readImportGraph(src));
  } finally {
    rmSync(src, { recursive: true });
  }
}

test("finds static, side-effect, type, multi-line, re-exporting and lazy imports", () => {
  const text = `import "./a.ts";
import { b } from "./b.ts";
import type { C } from "./c.ts";
import {
  d,
  type E,
} from "./d.ts";
export * from "./e.ts";
export { f } from "./f.ts";
const g = () => import("./g.ts");
export const notOne = "from './h.ts'";`;
  expect(importsOf(text)).toEqual(["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts", "./f.ts", "./g.ts"]);
});

test("calls down the house, and within a room, are allowed", () => {
  const files = {
    "main.ts": `export const run = () => import("./commands/list.ts");`,
    "commands/list.ts": `import { a } from "../containers/a.ts"; import { c } from "../host/c.ts";`,
    "containers/a.ts": `import { b } from "./deep/b.ts";`,
    "containers/deep/b.ts": `import type { C } from "../../spec/c.ts"; import { readFileSync } from "node:fs";`,
    "containers/a.test.ts": `import { list } from "../commands/list.ts";`,
    "spec/c.ts": "",
    "host/c.ts": "",
  };
  expect(check(files)).toEqual([]);
});

test.each([
  ["host/a.ts", `import type { C } from "../spec/c.ts";`, "spec is not below host"],
  ["lxc/a.ts", `const c = () => import("../containers/c.ts");`, "containers is not below lxc"],
  ["images/a.ts", `import { c } from "../network/c.ts";`, "network is not below images"],
  ["spec/a.ts", `export * from "../main.ts";`, "main is not below spec"],
  ["spec/a.ts", `import { t } from "../../test/t.ts";`, "outside src"],
  ["cupboard/a.ts", "", "the room cupboard has no floor"],
])("%s with %s is refused", (file, text, reason) => {
  expect(check({ [file]: text })).toEqual([expect.stringContaining(reason)]);
});

test("files that import each other are refused", () => {
  const files = {
    "spec/a.ts": `import "./b.ts";`,
    "spec/b.ts": `import "./c.ts";`,
    "spec/c.ts": `import "./a.ts";`,
  };
  expect(check(files)).toEqual(["circle: spec/a.ts → spec/b.ts → spec/c.ts → spec/a.ts"]);
});

test("the command fails on a house with a violation", () => {
  const src = mkdtempSync(join(tmpdir(), "rooms-"));
  try {
    mkdirSync(join(src, "host"));
    writeFileSync(join(src, "host/a.ts"), `import "../spec/b.ts";`);
    const result = Bun.spawnSync([process.execPath, join(import.meta.dir, "rooms.ts"), src]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr.toString()).toContain("spec is not below host");
  } finally {
    rmSync(src, { recursive: true });
  }
});
