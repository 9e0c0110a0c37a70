import { expect, test } from "bun:test";
import { join } from "node:path";
import { runChecked } from "./process.ts";
import { makeRaw, terminalSize } from "./terminal.ts";

/** Runs a program under a terminal of its own. */
const onTerminal = async (code: string): Promise<string> => {
  const script = `const show = () => Bun.spawnSync(["stty", "-a"], { stdio: ["inherit", "inherit", "inherit"] }); import { makeRaw, terminalSize } from ${JSON.stringify(join(import.meta.dir, "terminal.ts"))}; ${code}`;
  const command = `stty rows 12 cols 34; '${process.execPath}' -e '${script}'`;
  return (await runChecked(["script", "-qec", command, "/dev/null"])).stdout;
};

test("the size of a terminal", async () => {
  expect(await onTerminal("console.log(JSON.stringify(terminalSize(0)));")).toContain(
    '{"rows":12,"columns":34}',
  );
});

test("raw mode, and back", async () => {
  const raw = await onTerminal("makeRaw(0); show();");
  expect(raw).toMatch(/-icanon/);
  expect(raw).toMatch(/ -echo /);
  expect(raw).toMatch(/-isig/);
  expect(raw).toMatch(/-icrnl/);
  expect(raw).toMatch(/-opost/);
  expect(raw).toMatch(/min = 1; time = 0/);
  const back = await onTerminal("makeRaw(0)(); show();");
  expect(back).toMatch(/ icanon/);
  expect(back).toMatch(/ echo /);
});

test("what is no terminal has no size", () => {
  expect(() => terminalSize(1_000_000)).toThrow("bad file descriptor");
  expect(() => makeRaw(1_000_000)).toThrow("bad file descriptor");
});
