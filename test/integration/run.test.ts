/** `run` in the foreground, as an administrator uses it: what passes through, what it costs, what it leaves. */
import { afterEach, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { run, runChecked } from "../../src/host/process.ts";
import { runtimeUnderTest } from "../conformance/runtime-under-test.ts";
import { TestBundle } from "./spec/bundle.ts";

const KIB = 1024;
let bundle: TestBundle | undefined;

afterEach(async () => {
  await bundle?.[Symbol.asyncDispose]();
  bundle = undefined;
});

const argv = (made: TestBundle, ...words: string[]): string[] => [
  runtimeUnderTest,
  "--root",
  made.root,
  ...words,
];

/** Ids of the containers that are left. */
const left = (made: TestBundle): string[] => {
  const folder = `${made.root}/containers`;
  return existsSync(folder) ? readdirSync(folder) : [];
};

/** A container that runs in the foreground and has printed its first line. */
async function foreground(script: string) {
  const made = await TestBundle.make();
  bundle = made;
  made.configure({ script });
  const child = Bun.spawn(argv(made, "run", "--bundle", made.path, made.id), {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  const rest = async (): Promise<string> => {
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return text;
      text += new TextDecoder().decode(value);
    }
  };
  return { made, child, first, rest };
}

test("passes input, output and the exit code through, and leaves nothing", async () => {
  const { made, child, first, rest } = await foreground("echo ready; read line; echo got $line; exit 7");
  expect(first).toBe("ready\n");
  child.stdin.write("a line\n");
  child.stdin.end();
  expect(await rest()).toBe("got a line\n");
  expect(await child.exited).toBe(7);
  expect(left(made)).toEqual([]);
});

test("passes signals on", async () => {
  const { made, child, rest } = await foreground(
    "trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.05; done",
  );
  child.kill("SIGUSR1");
  expect(await rest()).toBe("caught\n");
  expect(await child.exited).toBe(9);
  expect(left(made)).toEqual([]);
});

test("ends with 128 + n where signal n ends the container", async () => {
  const { made, child } = await foreground("echo ready; exec sleep 60");
  await runChecked(argv(made, "kill", made.id, "KILL"));
  expect(await child.exited).toBe(137);
  expect(left(made)).toEqual([]);
});

test("costs at most 2 MB while the container runs", async () => {
  const { made, child } = await foreground("echo ready; exec sleep 60");
  const smaps = readFileSync(`/proc/${child.pid}/smaps_rollup`, "utf8");
  const pss = Number(/^Pss:\s+(\d+) kB$/m.exec(smaps)?.[1]);
  expect(pss).toBeGreaterThan(0);
  expect(pss * KIB).toBeLessThanOrEqual(2_000_000);
  expect(readFileSync(`/proc/${child.pid}/comm`, "utf8")).toBe("lxcri\n");
  await runChecked(argv(made, "kill", made.id, "KILL"));
  await child.exited;
});

test("runs what `spec` writes, as it is, with a terminal", async () => {
  const made = await TestBundle.make();
  bundle = made;
  await runChecked(argv(made, "spec", "--bundle", made.path));
  // The shell of the default config reads its commands from the terminal that script(1) gives us.
  const command = argv(made, "run", "--bundle", made.path, made.id).join(" ");
  const said = await run(["script", "--quiet", "--return", "--command", command, "/dev/null"], {
    stdin: "tty; id -u; hostname; exit 5\n",
    timeout: 20_000,
  });
  expect(said.exitCode).toBe(5);
  expect(said.stdout).toContain("/dev/pts/0");
  expect(said.stdout).toMatch(/^0\r?$/m);
  expect(left(made)).toEqual([]);
});
