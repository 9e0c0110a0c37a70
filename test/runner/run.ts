/**
 * The suite. usage: bun test/runner/run.ts [PATH-PREFIX…]
 * Runs every test file (or those below the prefixes), prints failures, skips and line coverage, and ends with one
 * line: `N passed, N failed, N skipped`.
 */
import { availableParallelism } from "node:os";
import { addLcov, type Coverage, describeCoverage, measureCoverage } from "./coverage.ts";
import { emptyTally, sumTallies, type Tally } from "./junit.ts";
import { inPool } from "./pool.ts";
import { type FileLimits, runTestFile } from "./test-file.ts";
import { runInVirtualMachine } from "./virtual-machine.ts";

interface Part extends FileLimits {
  readonly name: string;
  readonly pattern: string;
  /** How many files at a time: tests of one part share the machine's cores. */
  readonly width: number;
}

const cores = availableParallelism();
const parts: readonly Part[] = [
  { name: "unit", pattern: "src/**/*.test.ts", width: cores, fileSeconds: 120, testMilliseconds: 20_000 },
  {
    name: "harness",
    pattern: "test/{runner,structure,bench,images,vectors}/**/*.test.ts",
    width: cores,
    fileSeconds: 120,
    testMilliseconds: 60_000,
  },
  {
    name: "integration",
    pattern: "test/integration/**/*.test.ts",
    width: Math.max(1, Math.floor(cores / 2)),
    fileSeconds: 300,
    testMilliseconds: 60_000,
  },
  {
    name: "conformance",
    pattern: "test/conformance/**/*.test.ts",
    width: 1,
    fileSeconds: 600,
    testMilliseconds: 300_000,
  },
];

const prefixes = process.argv.slice(2);
const find = (pattern: string): readonly string[] =>
  [...new Bun.Glob(pattern).scanSync(".")]
    .filter((file) => prefixes.length === 0 || prefixes.some((prefix) => file.startsWith(prefix)))
    .sort();

const coverage: Coverage = new Map();

async function runPart(part: Part): Promise<Tally> {
  const results = await inPool(find(part.pattern), part.width, async (file) => {
    const result = await runTestFile(file, part);
    const { passed, failed, skipped } = result.tally;
    const verdict = failed > 0 ? "FAIL" : "ok  ";
    console.log(
      `${verdict} ${file}: ${passed} passed, ${failed} failed, ${skipped} skipped (${result.seconds.toFixed(1)} s)`,
    );
    if (failed > 0) console.log(result.output.trimEnd().replaceAll(/^/gm, "     | "));
    addLcov(coverage, result.lcov);
    const named = (names: readonly string[]): readonly string[] => names.map((name) => `${file}: ${name}`);
    return { ...result.tally, failures: named(result.tally.failures), skips: named(result.tally.skips) };
  });
  return sumTallies(results);
}

let total = emptyTally;
for (const part of parts) total = sumTallies([total, await runPart(part)]);
total = sumTallies([total, await runInVirtualMachine(find("test/vm/**/*.test.ts"))]);

const sources = new Map<string, string>();
for (const file of find("src/**/*.ts")) {
  if (!file.endsWith(".test.ts")) sources.set(file, await Bun.file(file).text());
}
if (sources.size > 0) console.log(`\n${describeCoverage(measureCoverage(coverage, sources), 95)}`);
if (total.skips.length > 0) console.log(`\nSKIPPED:\n${total.skips.map((name) => `  ${name}`).join("\n")}`);
if (total.failures.length > 0)
  console.log(`\nFAILED:\n${total.failures.map((name) => `  ${name}`).join("\n")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
