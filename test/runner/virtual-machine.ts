/** The part of the suite that needs another kernel: `test/vm/*.test.ts`, run as root in a Debian 12 VM. */
import { emptyTally, readJunit, sumTallies, type Tally } from "./junit.ts";

const seconds = 480;

/**
 * Boots the VM once and runs all `files` in it. Where the VM cannot be made (no QEMU to install), every file
 * counts as one skipped test.
 */
export async function runInVirtualMachine(files: readonly string[]): Promise<Tally> {
  if (files.length === 0) return emptyTally;
  const build = Bun.spawn(["test/vm/build"], { stdio: ["ignore", "inherit", "inherit"] });
  if ((await build.exited) !== 0) {
    const skips = files.map((file) => `${file} (the test VM could not be built; see above)`);
    return { ...emptyTally, skipped: files.length, skips };
  }
  const guest = Bun.spawn(
    ["test/vm/run", "--share", ".", "--timeout", String(seconds), "--", "/mnt/host/test/vm/guest", ...files],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [reports, status] = await Promise.all([new Response(guest.stdout).text(), guest.exited]);
  const tallies = readGuestReports(reports);
  const silent = files.filter((file) => !tallies.has(file));
  const failures = silent.map((file) => `${file}: no report (VM status ${status})`);
  return sumTallies([...tallies.values(), { ...emptyTally, failed: silent.length, failures }]);
}

/** The guest prints `=== FILE STATUS` and that file's JUnit report, for each file. */
export function readGuestReports(text: string): ReadonlyMap<string, Tally> {
  const tallies = new Map<string, Tally>();
  for (const part of text.split(/^=== /m).slice(1)) {
    const [, file = "", status = ""] = /^(\S+) (\d+)\n/.exec(part) ?? [];
    const tally = readJunit(part);
    const crashed = status !== "0" && tally.failed === 0;
    const named = (names: readonly string[]): readonly string[] => names.map((name) => `${file}: ${name}`);
    const failures = named(crashed ? [`bun test ended with status ${status}`] : tally.failures);
    tallies.set(file, { ...tally, failed: failures.length, failures, skips: named(tally.skips) });
  }
  return tallies;
}
