/** Runs one test file in a `bun test` process of its own: what one file leaves or hangs on harms no other. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJunit, type Tally } from "./junit.ts";

/** What came out of a test file. */
export interface FileResult {
  readonly file: string;
  readonly tally: Tally;
  /** Everything the process printed. */
  readonly output: string;
  /** Line coverage as lcov text; empty where the process ended early. */
  readonly lcov: string;
  readonly seconds: number;
}

/** Limits of a test file: seconds for the whole file, milliseconds for each of its tests. */
export interface FileLimits {
  readonly fileSeconds: number;
  readonly testMilliseconds: number;
}

const readOrEmpty = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** Runs `file` (path from the repository's root, the working directory) to its end or its time limit. */
export async function runTestFile(file: string, limits: FileLimits): Promise<FileResult> {
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "lxcri-test-"));
  const report = join(folder, "junit.xml");
  try {
    const child = Bun.spawn(
      [
        // timeout(1) makes a process group of its own and, at the limit, ends the whole group.
        ...["timeout", "--kill-after=5", String(limits.fileSeconds)],
        ...[process.execPath, "test", `--timeout=${limits.testMilliseconds}`],
        ...["--coverage", "--coverage-reporter=lcov", `--coverage-dir=${folder}`],
        ...["--reporter=junit", `--reporter-outfile=${report}`, `./${file}`],
      ],
      { stdin: "ignore", stdout: Bun.file(join(folder, "out")), stderr: Bun.file(join(folder, "err")) },
    );
    const status = await child.exited;
    const output = readOrEmpty(join(folder, "err")) + readOrEmpty(join(folder, "out"));
    return {
      file,
      tally: judge(status, readJunit(readOrEmpty(report)), limits),
      output,
      lcov: readOrEmpty(join(folder, "lcov.info")),
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A process that failed without a failed test (a crash, a time-out, an error outside any test) is one failure. */
function judge(status: number, tally: Tally, limits: FileLimits): Tally {
  if (status === 0 && tally.passed + tally.skipped > 0) return tally;
  if (tally.failed > 0 && status !== 124 && status !== 137) return tally;
  const reason =
    status === 124 || status === 137
      ? `no end after ${limits.fileSeconds} s`
      : `bun test ended with status ${status} outside any test`;
  return { ...tally, failed: tally.failed + 1, failures: [...tally.failures, reason] };
}
