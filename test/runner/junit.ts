/** Reads the JUnit report that `bun test` writes: how many tests passed, failed and were skipped, and which. */

/** What one or many test files came to. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Full names (`describe > test`) of the tests that failed. */
  readonly failures: readonly string[];
  /** Full names of the tests that were skipped; by house rule a name says its reason. */
  readonly skips: readonly string[];
}

export const emptyTally: Tally = { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };

/** Adds tallies up. */
export const sumTallies = (tallies: readonly Tally[]): Tally =>
  tallies.reduce(
    (sum, tally) => ({
      passed: sum.passed + tally.passed,
      failed: sum.failed + tally.failed,
      skipped: sum.skipped + tally.skipped,
      failures: [...sum.failures, ...tally.failures],
      skips: [...sum.skips, ...tally.skips],
    }),
    emptyTally,
  );

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

const decode = (text: string): string =>
  text.replace(/&(?:#(\d+)|([a-z]+));/g, (whole, code: string | undefined, name: string | undefined) =>
    code !== undefined ? String.fromCodePoint(Number(code)) : (entities[name ?? ""] ?? whole),
  );

const attribute = (tag: string, name: string): string =>
  decode(new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? "");

/** Counts the `<testcase>` elements of a report. */
export function readJunit(xml: string): Tally {
  const failures: string[] = [];
  const skips: string[] = [];
  let passed = 0;
  for (const match of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const [, tag = "", body = ""] = match;
    const name = [attribute(tag, "classname"), attribute(tag, "name")].filter(Boolean).join(" > ");
    if (/<(?:failure|error)\b/.test(body)) failures.push(name);
    else if (/<skipped\b/.test(body)) skips.push(name);
    else passed += 1;
  }
  return { passed, failed: failures.length, skipped: skips.length, failures, skips };
}
