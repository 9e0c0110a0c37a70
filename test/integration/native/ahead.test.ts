/** `exec` and `create`: the native half starts beside the engine (native/ahead.h); nothing of that is to be seen. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunResult, run } from "../../../src/host/process.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";
import { TestBundle } from "../spec/bundle.ts";

let bundle: TestBundle;
beforeAll(async () => {
  bundle = await TestBundle.make();
  await bundle.start({ script: "sleep 1000", process: { noNewPrivileges: false } });
});
afterAll(async () => await bundle[Symbol.asyncDispose]());

const exec = (...args: readonly string[]): Promise<RunResult> =>
  run([runtimeUnderTest, "--root", bundle.root, "exec", ...args], { timeout: 20_000 });
/** By a shell that does something first; `"$@"` is the command. */
const execBy = (script: string, ...args: readonly string[]): Promise<RunResult> =>
  run(["bash", "-c", script, "bash", runtimeUnderTest, "--root", bundle.root, "exec", ...args], {
    timeout: 20_000,
  });

describe("exit codes", () => {
  test.each([
    ["true", 0],
    ["exit 7", 7],
    ["exit 255", 255],
    ["kill -9 $$", 137],
    ["kill -15 $$", 143],
  ])("%s", async (script, exitCode) => {
    expect(await exec(bundle.id, "/bin/sh", "-c", script)).toMatchObject({
      exitCode,
      stdout: "",
      stderr: "",
    });
  });

  test("are those of our process, not of what the caller left behind", async () => {
    // The shell becomes the launcher, which so has a child of the shell's that ends with 9.
    const script = '(sleep 0.001; exit 9) & exec "$@"';
    expect(await execBy(script, bundle.id, "/bin/sh", "-c", "sleep 0.1; exit 5")).toMatchObject({
      exitCode: 5,
    });
    expect(await execBy(script, "no-such-container", "true")).toMatchObject({ exitCode: 1 });
  });
});

describe("what the engine says without a plan", () => {
  test("an error, with exit code 1 and nothing twice", async () => {
    const { exitCode, stderr } = await exec("no-such-container", "true");
    expect([exitCode, stderr]).toEqual([1, 'proxmox-lxcri: container "no-such-container" does not exist\n']);
  });

  test("help, with exit code 0", async () => {
    const { exitCode, stdout, stderr } = await exec("--help");
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("--preserve-fds");
  });

  test("a wrong flag", async () => {
    const { exitCode, stderr } = await exec("--no-such-flag", bundle.id, "true");
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("no-such-flag");
  });

  test("a missing program, by runc's words", async () => {
    const { exitCode, stderr } = await exec(bundle.id, "/no/such");
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('exec: "/no/such": stat /no/such: no such file or directory');
  });
});

describe("descriptors", () => {
  const shown = "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> /\\1 /p' | grep -v '/proc/'";

  test("none but the standard streams reaches the process", async () => {
    const { stdout } = await execBy(
      `exec 7</etc/passwd 8</ 250</; exec "$@"`,
      bundle.id,
      "/bin/sh",
      "-c",
      shown,
    );
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ).toEqual(["0", "1", "2"]);
  });

  test("those that are to be kept do, by their numbers", async () => {
    const file = join(bundle.folder, "kept");
    writeFileSync(file, "kept");
    const args = ["--preserve-fds", "2", bundle.id, "/bin/sh", "-c", `cat <&4; ${shown}`];
    const { stdout } = await execBy(`exec 3</dev/null 4<${file} 5</; exec "$@"`, ...args);
    expect(stdout.startsWith("kept")).toBe(true);
    expect(
      stdout
        .slice(4)
        .trim()
        .split("\n")
        .map((line) => line.split(" ")[0]),
    ).toEqual(["0", "1", "2", "3", "4"]);
  });

  test.each(["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])("closed streams %s are /dev/null", async (closed) => {
    const script = "for fd in 0 1 2; do [ -e /proc/self/fd/$fd ] || exit 1; done; cat >/dev/null; exit 6";
    expect((await execBy(`exec "$@" ${closed}`, bundle.id, "/bin/sh", "-c", script)).exitCode).toBe(6);
  });

  test.each([64, 201, 202, 256])("at most %d of them", async (limit) => {
    const { exitCode, stderr } = await execBy(
      `ulimit -S -n ${limit}; exec "$@"`,
      bundle.id,
      "/bin/sh",
      "-c",
      "exit 6",
    );
    expect([exitCode, stderr]).toEqual([6, ""]);
  });

  test("a plan's socket from outside is not believed", async () => {
    const file = join(bundle.folder, "not-a-socket");
    writeFileSync(file, "");
    const script = `exec 9<>${file}; LXCRI_PLAN_FD=9 exec "$@"`;
    expect((await execBy(script, bundle.id, "/bin/sh", "-c", "exit 6")).exitCode).toBe(6);
    expect(readFileSync(file, "utf8")).toBe("");
  });
});

/** An `exec` whose engine waits for its process document at a FIFO, and what has run if `mark` is there. */
async function waitingExec() {
  const mark = `/tmp/mark-${crypto.randomUUID()}`;
  const document = join(bundle.folder, `process-${crypto.randomUUID()}`);
  await run(["mkfifo", document]);
  const child = Bun.spawn(
    [runtimeUnderTest, "--root", bundle.root, "exec", "--process", document, bundle.id],
    { stderr: "pipe", stdout: "ignore", stdin: "ignore" },
  );
  let engine: number | undefined;
  for (let i = 0; i < 500 && engine === undefined; i += 1) {
    await Bun.sleep(10);
    engine = childrenOf(child.pid).find((pid) => readlinkSync(`/proc/${pid}/exe`).endsWith("-engine"));
  }
  if (engine === undefined) throw new Error("no engine was seen");
  const given = join(bundle.folder, `given-${crypto.randomUUID()}`);
  writeFileSync(given, JSON.stringify({ args: ["/bin/touch", mark], cwd: "/", user: { uid: 0, gid: 0 } }));
  const give = () => run(["sh", "-c", 'cat "$0" > "$1"', given, document], { timeout: 3000 });
  return { child, engine, give, hasRun: () => existsSync(join(bundle.rootfs, mark)) };
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

test("both halves left alone: it runs, so the next tests can fail", async () => {
  const { child, give, hasRun } = await waitingExec();
  await give();
  expect(await child.exited).toBe(0);
  expect(hasRun()).toBe(true);
});

test("the engine killed: that is said, the exit code is its signal, and nothing has run", async () => {
  const { child, engine, hasRun } = await waitingExec();
  process.kill(engine, "SIGKILL");
  expect(await child.exited).toBe(137);
  expect(await child.stderr.text()).toBe("proxmox-lxcri: the engine was ended by signal 9\n");
  expect(hasRun()).toBe(false);
});

test("the native half killed: nothing runs, and the engine does not stay", async () => {
  const { child, engine, hasRun } = await waitingExec();
  child.kill("SIGKILL");
  await child.exited;
  for (let i = 0; i < 200 && existsSync(`/proc/${engine}/fd/0`); i += 1) await Bun.sleep(10);
  expect(existsSync(`/proc/${engine}/fd/0`)).toBe(false);
  expect(hasRun()).toBe(false);
});

test("a terminal that cannot be handed over: the process does not run on", async () => {
  const socket = join(bundle.folder, "deaf.sock");
  const hungUp = Promise.withResolvers<void>();
  const deaf = Bun.listen({
    unix: socket,
    socket: { data() {}, open: (peer) => void peer.terminate(), close: () => hungUp.resolve() },
  });
  // Paused, the process cannot make its terminal before that.
  await bundle.ok("pause", bundle.id);
  try {
    const flags = ["--ignore-paused", "--tty", "--detach", "--console-socket", socket];
    const running = exec(...flags, bundle.id, "sleep", "4321");
    await hungUp.promise;
    await bundle.ok("resume", bundle.id);
    const { exitCode, stderr } = await running;
    expect([exitCode, stderr]).toEqual([
      1,
      "proxmox-lxcri: send the terminal to the console socket: broken pipe\n",
    ]);
  } finally {
    deaf.stop(true);
    await bundle.cli("resume", bundle.id);
  }
  for (let i = 0; i < 50 && (await sleepers()) !== ""; i += 1) await Bun.sleep(20);
  expect(await sleepers()).toBe("");
});

const sleepers = async (): Promise<string> => (await run(["pgrep", "--full", "^sleep 4321$"])).stdout;

describe("create", () => {
  test("a small limit of descriptors", async () => {
    await using other = await TestBundle.make();
    other.configure({ script: "true" });
    const argv = ["create", "--bundle", other.path, other.id];
    const out = openSync(join(other.folder, "out"), "w");
    const child = Bun.spawn(
      ["bash", "-c", 'ulimit -S -n 150; exec "$@"', "sh", runtimeUnderTest, "--root", other.root, ...argv],
      { stdio: ["ignore", out, out] },
    );
    expect(await child.exited).toBe(0);
    closeSync(out);
    expect(readFileSync(join(other.folder, "out"), "utf8")).toBe("");
  });

  test("its error is said once, with exit code 1, and leaves nothing", async () => {
    await using other = await TestBundle.make();
    other.configure({ process: { args: ["/no/such"] } });
    const { exitCode, stderr } = await other.cli("create", "--bundle", other.path, other.id);
    expect([exitCode, stderr]).toEqual([
      1,
      'proxmox-lxcri: unable to start container process: exec: "/no/such": stat /no/such: no such file or directory\n',
    ]);
    expect(await other.leftovers()).toEqual([]);
  });

  test("a pidfd socket that is not there: init does not stay", async () => {
    await using other = await TestBundle.make();
    other.configure({ script: "sleep 1000" });
    const args = ["--pidfd-socket", join(other.folder, "none.sock"), other.id];
    const { exitCode, stderr } = await other.cli("create", "--bundle", other.path, ...args);
    expect([exitCode, stderr]).toEqual([
      1,
      `proxmox-lxcri: pidfd socket ${other.folder}/none.sock: no such file or directory\n`,
    ]);
    expect(await other.leftovers()).toEqual([]);
  });
});
