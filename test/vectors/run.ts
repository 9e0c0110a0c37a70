/**
 * Runs recorded Proxmox VE cases against our own engine: `npm run vectors -- DIR`. Prints for each `*.jsonl` file
 * how many cases hold, how many of them were recorded with a known fault, and the first differences. Exits 1
 * unless all hold.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/host/errors.ts";
import { checkFor } from "./forms.ts";
import type { Vector, Verdict } from "./verdict.ts";

/** How one file fared. */
export interface FileResult {
  readonly file: string;
  readonly total: number;
  readonly held: number;
  /** Of those that hold: how many were recorded with a known fault of upstream. */
  readonly knownFaults: number;
  /** One line for each case that does not hold. */
  readonly differences: readonly string[];
}

async function judge(line: string): Promise<Verdict> {
  try {
    const vector = JSON.parse(line) as Vector;
    const check = checkFor(vector);
    return check === undefined ? { holds: false, difference: "its form is not known" } : await check(vector);
  } catch (reason) {
    return { holds: false, difference: messageOf(reason) };
  }
}

/** Runs every case of one file. */
export async function runFile(directory: string, file: string): Promise<FileResult> {
  const lines = (await Bun.file(join(directory, file)).text()).split("\n");
  const differences: string[] = [];
  let total = 0;
  let knownFaults = 0;
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    total++;
    const verdict = await judge(line);
    if (!verdict.holds) differences.push(`${file}:${index + 1}: ${verdict.difference ?? "differs"}`);
    else if (verdict.knownFault === true) knownFaults++;
  }
  return { file, total, held: total - differences.length, knownFaults, differences };
}

/** Runs every `*.jsonl` file of a directory, in the order of their names. */
export async function runVectors(directory: string): Promise<FileResult[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith(".jsonl")).sort();
  return Promise.all(files.map((file) => runFile(directory, file)));
}

const MOST_SHOWN = 5;

async function main(directory: string): Promise<number> {
  const results = await runVectors(directory);
  for (const { file, total, held, knownFaults, differences } of results) {
    const apart = knownFaults > 0 ? `, ${knownFaults} of them recorded with a known fault of upstream` : "";
    console.log(`${held === total ? "ok  " : "FAIL"} ${file}: ${held} of ${total} hold${apart}`);
    for (const difference of differences.slice(0, MOST_SHOWN))
      console.log(`     ${difference.slice(0, 1000)}`);
    if (differences.length > MOST_SHOWN) console.log(`     … and ${differences.length - MOST_SHOWN} more`);
  }
  if (results.length === 0) console.error(`no *.jsonl file in ${directory}`);
  return results.length > 0 && results.every(({ held, total }) => held === total) ? 0 : 1;
}

if (import.meta.main) {
  const directory = process.argv[2] ?? join(import.meta.dir, "data");
  process.exit(
    await main(directory).catch((reason: unknown) => {
      console.error(`cannot run the cases of ${directory}: ${messageOf(reason)}`);
      return 1;
    }),
  );
}
