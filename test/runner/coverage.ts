/** Merges the line coverage (lcov) of many `bun test` processes and prints it. */

/** Line number → how often it ran, per source file. */
export type Coverage = Map<string, Map<number, number>>;

/** Adds one lcov report to `coverage`. A line counts as run when any process ran it. */
export function addLcov(coverage: Coverage, lcov: string): void {
  let lines = new Map<number, number>();
  for (const row of lcov.split("\n")) {
    if (row.startsWith("SF:")) {
      const file = row.slice(3);
      lines = coverage.get(file) ?? new Map<number, number>();
      coverage.set(file, lines);
    } else if (row.startsWith("DA:")) {
      const [line = 0, hits = 0] = row.slice(3).split(",").map(Number);
      lines.set(line, (lines.get(line) ?? 0) + hits);
    }
  }
}

/** Lines run, lines there are, and their ratio in percent, of one file or of all. */
export interface LineCoverage {
  readonly file: string;
  readonly covered: number;
  readonly lines: number;
  readonly percent: number;
}

const lineCoverage = (file: string, covered: number, lines: number): LineCoverage => ({
  file,
  covered,
  lines,
  percent: lines === 0 ? 100 : (100 * covered) / lines,
});

const transpiler = new Bun.Transpiler({ loader: "ts" });

/**
 * Coverage of `sources` (path → text), worst first. A file that no test loaded counts with all lines of its code
 * (types are none) as not run.
 */
export function measureCoverage(
  coverage: Coverage,
  sources: ReadonlyMap<string, string>,
): readonly LineCoverage[] {
  const files = [...sources].map(([file, text]) => {
    const lines = coverage.get(file);
    if (lines === undefined) {
      const code = transpiler
        .transformSync(text)
        .split("\n")
        .filter((line) => line.trim() !== "");
      return lineCoverage(file, 0, code.length);
    }
    return lineCoverage(file, [...lines.values()].filter((hits) => hits > 0).length, lines.size);
  });
  return files.sort((a, b) => a.percent - b.percent || b.lines - a.lines);
}

/** The report: a line for all, then the worst files below `aim` percent. */
export function describeCoverage(files: readonly LineCoverage[], aim: number): string {
  const sum = (of: (file: LineCoverage) => number): number =>
    files.reduce((total, file) => total + of(file), 0);
  const all = lineCoverage(
    "src",
    sum((file) => file.covered),
    sum((file) => file.lines),
  );
  const row = ({ file, percent, covered, lines }: LineCoverage): string =>
    `${percent.toFixed(1).padStart(6)} %  ${file} (${covered}/${lines} lines)`;
  const worst = files.filter((file) => file.percent < aim).slice(0, 15);
  return [`line coverage (aim ${aim} %):`, row(all), ...worst.map(row)].join("\n");
}
