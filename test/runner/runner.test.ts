import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { addLcov, type Coverage, describeCoverage, measureCoverage } from "./coverage.ts";
import { readJunit } from "./junit.ts";
import { inPool } from "./pool.ts";
import { runTestFile } from "./test-file.ts";
import { readGuestReports } from "./virtual-machine.ts";

const limits = { fileSeconds: 20, testMilliseconds: 2_000 };

async function inFolder<Result>(
  files: Record<string, string>,
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "runner-"));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const runText = (text: string, fileLimits = limits) =>
  inFolder({ "a.test.ts": `import { expect, test } from "bun:test";\n${text}` }, (folder) =>
    runTestFile(relative(process.cwd(), join(folder, "a.test.ts")), fileLimits),
  );

test("counts what passed, failed and was skipped, with names", async () => {
  const { tally, output } = await runText(`
    test("good", () => { expect(1).toBe(1); });
    test("bad & <worse>", () => { expect(1).toBe(2); });
    test.skip("later (needs AppArmor)", () => {});`);
  expect(tally).toEqual({
    passed: 1,
    failed: 1,
    skipped: 1,
    failures: ["bad & <worse>"],
    skips: ["later (needs AppArmor)"],
  });
  expect(output).toContain("Received: 1");
});

test("a crash after passing tests is a failure", async () => {
  const { tally } =
    await runText(`test("good", () => { expect(1).toBe(1); setTimeout(() => process.exit(3), 0); });
    test("waits", async () => { await Bun.sleep(500); });`);
  expect(tally.failed).toBe(1);
});

test("an error outside any test, and a file without tests, are failures", async () => {
  expect((await runText(`throw new Error("no");`)).tally.failed).toBeGreaterThan(0);
  expect((await runText("")).tally.failed).toBe(1);
});

test("a file that hangs is ended with its children and counts as one failure", async () => {
  const marker = `${20_000 + process.pid}.125`;
  const { tally } = await runText(
    `test("hangs", () => { Bun.spawn(["sleep", "${marker}"]); for (;;) Bun.sleepSync(1000); });`,
    { fileSeconds: 1, testMilliseconds: 60_000 },
  );
  expect(tally.failures).toEqual([expect.stringContaining("no end after 1 s")]);
  expect(Bun.spawnSync(["pgrep", "-f", `sleep ${marker}`]).exitCode).toBe(1);
});

test("the pool keeps order and width", async () => {
  let running = 0;
  let most = 0;
  const results = await inPool([30, 10, 20, 5], 2, async (ms) => {
    running += 1;
    most = Math.max(most, running);
    await Bun.sleep(ms);
    running -= 1;
    return ms * 2;
  });
  expect(results).toEqual([60, 20, 40, 10]);
  expect(most).toBe(2);
});

test("coverage of several processes is merged; files never loaded count, types do not", () => {
  const coverage: Coverage = new Map();
  addLcov(
    coverage,
    "SF:src/a.ts\nDA:1,1\nDA:2,0\nDA:3,0\nend_of_record\nSF:src/b.ts\nDA:1,4\nend_of_record\n",
  );
  addLcov(coverage, "SF:src/a.ts\nDA:1,0\nDA:2,7\nend_of_record\n");
  const files = measureCoverage(
    coverage,
    new Map([
      ["src/a.ts", ""],
      ["src/b.ts", ""],
      ["src/new.ts", "// why\nexport const a = 1;\n\nexport const b = 2;\n"],
      ["src/types.ts", "export interface A { readonly a: number }\n"],
    ]),
  );
  expect(files.map(({ file, covered, lines }) => [file, covered, lines])).toEqual([
    ["src/new.ts", 0, 2],
    ["src/a.ts", 2, 3],
    ["src/b.ts", 1, 1],
    ["src/types.ts", 0, 0],
  ]);
  expect(describeCoverage(files, 95).split("\n")).toEqual([
    "line coverage (aim 95 %):",
    "  50.0 %  src (3/6 lines)",
    "   0.0 %  src/new.ts (0/2 lines)",
    "  66.7 %  src/a.ts (2/3 lines)",
  ]);
});

test("reports from the VM are counted per file, crashes too", () => {
  const reports = readGuestReports(
    `=== test/vm/a.test.ts 0\n<testsuites><testcase name="x" classname="" /></testsuites>\n=== test/vm/b.test.ts 132\n`,
  );
  expect(reports.get("test/vm/a.test.ts")).toMatchObject({ passed: 1, failed: 0 });
  expect(reports.get("test/vm/b.test.ts")).toMatchObject({ passed: 0, failed: 1 });
  expect(readJunit("").passed).toBe(0);
});

test("the suite ends with one summary line and fails when a test fails", async () => {
  const runSuite = (files: Record<string, string>) =>
    inFolder(files, async (folder) => {
      const child = Bun.spawnSync([process.execPath, join(import.meta.dir, "run.ts")], { cwd: folder });
      return { status: child.exitCode, last: child.stdout.toString().trimEnd().split("\n").at(-1) };
    });
  const good = `import { test } from "bun:test"; test("good", () => {}); test.skip("not here", () => {});`;
  const bad = `import { test } from "bun:test"; test("bad", () => { throw new Error("no"); });`;
  expect(await runSuite({ "src/a.test.ts": good, "src/b.test.ts": good })).toEqual({
    status: 0,
    last: "2 passed, 0 failed, 2 skipped",
  });
  expect(await runSuite({ "src/a.test.ts": good, "test/integration/b.test.ts": bad })).toEqual({
    status: 1,
    last: "1 passed, 1 failed, 1 skipped",
  });
  expect(await runSuite({})).toEqual({ status: 1, last: "0 passed, 0 failed, 0 skipped" });
});
