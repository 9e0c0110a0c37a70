import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consoleFdOf, NativeError, runNative } from "./native.ts";
import { Plan } from "./plan.ts";

const folder = mkdtempSync(join(tmpdir(), "native-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const failure = (act: () => unknown): NativeError => {
  try {
    act();
  } catch (error) {
    if (error instanceof NativeError) return error;
    throw error;
  }
  throw new Error("it did not fail");
};

const openFiles = () => readdirSync("/proc/self/fd").length;

/** A record with another length than it has. */
const withLength = (length: number): Buffer => {
  const bytes = new Plan().add("id", "one").bytes();
  bytes.writeUInt32LE(length);
  return bytes;
};

describe("a plan that is none is refused", () => {
  test.each([
    ["empty", new Uint8Array(), "plan: empty"],
    ["of three bytes", Uint8Array.of(1, 0, 0), "plan: cut short"],
    ["with a key that does not end", Uint8Array.of(0, 0, 0, 0, 105, 100), "plan: malformed record"],
    ["with a value that is longer than the plan", withLength(4), "plan: malformed record"],
    ["with a value of 4 GiB", withLength(0xffff_ffff), "plan: malformed record"],
    ["with a value that is shorter", withLength(2), "plan: malformed record"],
    [
      "followed by rubbish",
      Buffer.concat([new Plan().add("id", "a").bytes(), Buffer.from("xyz")]),
      "plan: cut short",
    ],
  ])("%s", (_name, bytes, message) => {
    for (const command of ["create", "start", "hooks"] as const) {
      const error = failure(() => runNative(command, bytes));
      expect([error.code, error.message]).toEqual(["native-failed", message]);
    }
  });

  test("nothing stays open", () => {
    const before = openFiles();
    for (let i = 0; i < 5; i += 1) failure(() => runNative("hooks", new Uint8Array()));
    expect(openFiles()).toBe(before);
  });
});

test("a create whose plan has no process says so", () => {
  expect(failure(() => runNative("create", new Plan().add("id", "a"))).message).toBe("plan: no process");
});

test("a start whose init has gone says so", () => {
  const plan = new Plan().add("pid", 2 ** 22 + 1).add("start-time", 1);
  expect(failure(() => runNative("start", plan)).message).toBe("the container's init has ended");
});

describe("hooks", () => {
  const hook = (script: string, timeout?: number) =>
    new Plan()
      .add("kind", "poststop")
      .add("path", "/bin/sh")
      .addAll("arg", ["sh", "-c", script])
      .addAll("env", ["PATH=/usr/bin:/bin"])
      .add("timeout", timeout);
  const plan = (...hooks: readonly Plan[]) =>
    new Plan()
      .add("kind", "poststop")
      .add("status", "stopped")
      .add("state", '"id":"one"}')
      .add("hooks-folder", folder)
      .addAll("hook", hooks);

  test("get the state; how each ended is a warning here, and a file for who looks later", () => {
    const out = join(folder, "state");
    const { warnings } = runNative(
      "hooks",
      plan(
        hook(`cat > ${out}`),
        hook("echo said; echo wrong >&2; exit 3"),
        hook("kill -9 $$"),
        hook("sleep 9", 1),
      ),
    );
    expect(JSON.parse(readFileSync(out, "utf8"))).toEqual({ status: "stopped", id: "one" });
    expect(warnings).toEqual([
      "poststop hook #1 /bin/sh: exit status 3: said wrong ",
      "poststop hook #2 /bin/sh: ended by signal 9",
      "poststop hook #3 /bin/sh: timed out after 1 s",
    ]);
    const outcome = (n: number) => readFileSync(join(folder, `poststop.${n}`), "utf8");
    expect(outcome(0)).toBe("/bin/sh: exit status 0\n\n");
    expect(outcome(1)).toBe("/bin/sh: exit status 3\nsaid\nwrong\n\n");
    expect(outcome(2)).toBe("/bin/sh: ended by signal 9\n\n");
    expect(outcome(3)).toBe("/bin/sh: timed out after 1 s\n\n");
  });

  test("one that prints more than a pipe holds is not told to try again", () => {
    const flood = "head -c 4000000 /dev/zero | tr '\\0' x && echo end >&2";
    expect(runNative("hooks", plan(hook(flood))).warnings).toEqual([]);
    expect(readFileSync(join(folder, "poststop.0"), "utf8").length).toBeLessThan(1200);
  });

  test("what it prints cannot drive a terminal", () => {
    const [warning = ""] = runNative("hooks", plan(hook("printf '\\033[2J\\nx\\177'; exit 1"))).warnings;
    expect(warning).toBe("poststop hook #0 /bin/sh: exit status 1:  [2J x ");
  });

  test("one that is missing is named", () => {
    const missing = new Plan().add("kind", "poststop").add("path", "/no/such/hook");
    const [warning = ""] = runNative("hooks", plan(missing)).warnings;
    expect(warning).toBe("poststop hook #0 /no/such/hook: exit status 127: no such file or directory");
  });

  test("it inherits its three streams and nothing else", () => {
    const out = join(folder, "fds");
    runNative("hooks", plan(hook(`ls /proc/self/fd > ${out}`)));
    // The fourth is the folder that ls itself reads.
    expect(readFileSync(out, "utf8").trim().split("\n").length).toBe(4);
  });
});

test("the terminal's socket comes after the kept descriptors, the plan and the result", () => {
  expect(consoleFdOf(0)).toBe(5);
  expect(consoleFdOf(3)).toBe(8);
});

test("without the C program the error names it and says what to do", async () => {
  await Bun.build({ entrypoints: [join(import.meta.dir, "native.ts")], outdir: folder, target: "bun" });
  writeFileSync(
    join(folder, "run.js"),
    `import { runNative } from "./native.js";
     try { runNative("hooks", new Uint8Array()); } catch (e) { console.log(JSON.stringify([e.code, e.message, e.fix])); }`,
  );
  const { stdout } = Bun.spawnSync([process.execPath, join(folder, "run.js")]);
  expect(JSON.parse(stdout.toString())).toEqual([
    "native-missing",
    expect.stringMatching(/: the C program is missing$/),
    "Install proxmox-lxcri again: both programs belong in one folder.",
  ]);
});
