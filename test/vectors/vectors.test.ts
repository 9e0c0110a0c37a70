/** Every recorded Proxmox VE case holds. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runFile, runVectors } from "./run.ts";

const DATA = join(import.meta.dir, "data");
const FILES = ["config", "lxcconf", "net", "prop", "sdn", "sdnnet", "update", "validate"];

for (const file of FILES) {
  test(`${file}.jsonl holds`, async () => {
    const result = await runFile(DATA, `${file}.jsonl`);
    expect(result.differences).toEqual([]);
    expect(result.held).toBe(result.total);
    expect(result.total).toBeGreaterThan(20);
  });
}

test("cases that differ, are malformed or of no known form are reported by file and line", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lxcri-vectors-"));
  try {
    await Bun.write(
      join(directory, "own.jsonl"),
      '{"in":"name=a","ok":false,"errors":["name"]}\n{"in":"name=a","ok":true}\nnot json\n{"x":1}\n',
    );
    const [result] = await runVectors(directory);
    expect(result?.held).toBe(1);
    expect(result?.differences.map((line) => line.split(": ", 1)[0])).toEqual([
      "own.jsonl:1",
      "own.jsonl:3",
      "own.jsonl:4",
    ]);
    const run = Bun.spawnSync([process.execPath, join(import.meta.dir, "run.ts"), directory]);
    expect(run.exitCode).toBe(1);
    expect(run.stdout.toString()).toContain("FAIL own.jsonl: 1 of 4 hold");
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("an empty or missing directory is a failure", () => {
  const run = Bun.spawnSync([process.execPath, join(import.meta.dir, "run.ts"), join(DATA, "nothing-here")]);
  expect(run.exitCode).toBe(1);
  expect(run.stderr.toString()).toContain("cannot run the cases of");
});
