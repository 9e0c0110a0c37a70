/** Prints what the validation programs say of us and of runc. Started by `run`. */
import { resolve } from "node:path";
import { runtimeUnderTest } from "../runtime-under-test.ts";
import { buildValidation, compare, losses, type Verdict } from "./validation.ts";

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
const show = (verdict: Verdict): string =>
  `${String(verdict.ok.length).padStart(4)} ok ${String(verdict.notOk.length).padStart(3)} not ok, exit ${verdict.exitCode}`;

const validation = await buildValidation(resolve(import.meta.dir, "../../../dist/conformance/runtime-tools"));
if ("missing" in validation) {
  console.log(`SKIPPED: runtime-tools validation (${validation.missing})`);
  process.exit(0);
}
const results = await compare(validation, runtimeUnderTest);
let bad = 0;
for (const result of results) {
  const lost = losses(result);
  const broken = result.ours.exitCode === 137 || result.ours.stderr.includes("panic:");
  if (lost.length > 0 || broken) bad += 1;
  console.log(`${result.name.padEnd(34)} ours ${show(result.ours)} | runc ${show(result.runc)}`);
  for (const check of lost) console.log(`    only runc: ${check}`);
  for (const check of result.ours.notOk) console.log(`    not ok: ${check}`);
}
for (const who of ["ours", "runc"] as const) {
  const ok = sum(results.map((result) => result[who].ok.length));
  const notOk = sum(results.map((result) => result[who].notOk.length));
  console.log(`${who}: ${ok} ok, ${notOk} not ok in ${results.length} programs`);
}
process.exit(bad > 0 ? 1 : 0);
