/** How benchmarks print: a table for people, then one line of JSON for programs. */
import type { Result } from "./measure.ts";

/** One result as a line of the table. */
export function describeResult({ name, unit, ours, peer, peerName, ratio, goal, n }: Result): string {
  const own = `${name.padEnd(20)} ${String(ours).padStart(9)} ${unit.padEnd(4)}`;
  const other = peer === null ? "" : `  ${peerName} ${peer} ${unit}, ratio ${ratio}`;
  return `${own}${other}${goal === null ? "" : `  (goal ${goal})`}  n=${n}`;
}

/** Prints the table and, as the last line, `{"bench":…,"results":[…]}`. */
export function report(bench: string, results: readonly Result[]): void {
  for (const result of results) console.log(describeResult(result));
  console.log(JSON.stringify({ bench, results }));
}
