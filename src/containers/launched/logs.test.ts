import { afterAll, beforeAll, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogQuery, readLog } from "./logs.ts";
import { type LaunchedRecord, LaunchedStore } from "./record.ts";

const dataRoot = mkdtempSync(join(tmpdir(), "lxcri-logs-"));
const launched = new LaunchedStore(dataRoot);
const record = { name: "web" } as LaunchedRecord;
afterAll(() => rmSync(dataRoot, { recursive: true }));

const line = (second: number, text: string): string =>
  `2026-01-01T00:00:0${second}.000000000+00:00 stdout F ${text}\n`;

beforeAll(() => {
  mkdirSync(launched.bundle("web"), { recursive: true });
  writeFileSync(
    launched.logPath("web"),
    Array.from({ length: 5000 }, (_, i) => line(1, `line ${i} ${"x".repeat(i % 90)}`)).join(""),
  );
  appendFileSync(launched.logPath("web"), line(5, "last but one") + line(6, "last"));
});

async function read(query: Partial<LogQuery>, of = record): Promise<string[]> {
  const lines: string[] = [];
  for await (const { text } of readLog(launched, of, { follow: false, ...query }))
    lines.push(text.toString());
  return lines;
}

test("all of it, in order", async () => {
  const lines = await read({});
  expect(lines).toHaveLength(5002);
  expect(lines[0]).toBe("line 0 ");
  expect(lines.at(-1)).toBe("last");
});

test.each([0, 1, 2, 3, 4000, 5002, 9999])("the last %d lines", async (tail) => {
  expect(await read({ tail })).toEqual((await read({})).slice(-tail || 5002, tail === 0 ? 0 : undefined));
});

test("since a moment", async () => {
  expect(await read({ since: Date.parse("2026-01-01T00:00:05Z") })).toEqual(["last but one", "last"]);
});

test("a container that never ran has no log", async () => {
  expect(await read({}, { name: "never" } as LaunchedRecord)).toEqual([]);
});

test("following one whose conmon has gone ends; so does an abort", async () => {
  expect(await read({ follow: true, tail: 1 })).toEqual(["last"]);
  expect(await read({ follow: true, tail: 1, signal: AbortSignal.abort() })).toEqual(["last"]);
});
