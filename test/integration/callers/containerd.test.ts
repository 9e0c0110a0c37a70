/** containerd's runc-v2 shim over us: terminals, execs, events, limits, namespaces, and what its log says. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type RunResult, run, runChecked } from "../../../src/host/process.ts";
import {
  busyboxArchive,
  engineTimeout,
  eventually,
  leftovers,
  runOnTerminal,
  untilTerminated,
} from "../../conformance/engine.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";

const folder = mkdtempSync("/var/tmp/lxcri-callers-containerd-");
const prefix = `callers-${process.pid}`;
const image = "local/busybox:1";
const socket = join(folder, "sock");
const logFile = join(folder, "log");
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", TERM: "xterm" };
const command = (...args: readonly string[]): readonly string[] => ["ctr", "--address", socket, ...args];
const ctr = (...args: readonly string[]): Promise<RunResult> =>
  run(command(...args), { env, timeout: engineTimeout });
const ctrOk = async (...args: readonly string[]): Promise<string> => {
  const result = await ctr(...args);
  expect(result).toMatchObject({ exitCode: 0 });
  return result.stdout.trim();
};
const create = ["run", "--runc-binary", runtimeUnderTest, "--runc-root", join(folder, "runc")];
/** Runs `script` in a fresh container that is removed at its end. */
const once = (id: string, options: readonly string[], script: string): Promise<RunResult> =>
  ctr(...create, "--rm", ...options, image, `${prefix}-${id}`, "sh", "-c", script);
const detached = async (
  id: string,
  argv: readonly string[],
  ...options: readonly string[]
): Promise<string> => {
  // Without FIFOs: what the container prints must not hold our pipe.
  await ctrOk(...create, "--detach", "--null-io", ...options, image, `${prefix}-${id}`, ...argv);
  return `${prefix}-${id}`;
};
const status = async (id: string): Promise<string> =>
  (await ctr("tasks", "list")).stdout
    .split("\n")
    .map((line) => line.split(/\s+/))
    .find(([name]) => name === id)?.[2] ?? "GONE";
const becomes = (id: string, wanted: string): Promise<void> =>
  eventually(`${id} becomes ${wanted}`, async () => (await status(id)) === wanted);
let daemon: Bun.Subprocess;
/** As much of containerd's log as tests have looked at. */
let seen = 0;
const logged = (): string => readFileSync(logFile, "utf8").slice(seen);

beforeAll(async () => {
  const configuration = join(folder, "config.toml");
  writeFileSync(
    configuration,
    `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`,
  );
  daemon = Bun.spawn(["containerd", "--config", configuration, "--log-level", "warn"], {
    env,
    stdio: ["ignore", "ignore", Bun.file(logFile)],
  });
  await eventually(
    "containerd answers",
    async () => existsSync(socket) && (await ctr("version")).exitCode === 0,
  );
  await runChecked(command("images", "import", await busyboxArchive(folder, image)), { env });
  seen = readFileSync(logFile, "utf8").length;
});
afterEach(async () => {
  for (const id of (await ctr("tasks", "list", "--quiet")).stdout.split("\n").filter(Boolean)) {
    await ctr("tasks", "delete", "--force", id);
  }
  for (const id of (await ctr("containers", "list", "--quiet")).stdout.split("\n").filter(Boolean)) {
    await ctr("containers", "delete", id);
  }
});
afterAll(async () => {
  daemon.kill();
  await daemon.exited;
  expect(await leftovers(prefix)).toEqual([]);
  expect(await leftovers(basename(folder))).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

test.each<[string, string[], string, string]>([
  ["a read-only root", ["--read-only"], "touch /x 2>/dev/null || echo no", "no\n"],
  ["a folder that is made", ["--cwd=/made/here"], "pwd", "/made/here\n"],
  ["environment", ["--env=A=b c"], "echo $A", "b c\n"],
  ["the default seccomp profile", ["--seccomp"], "grep ^Seccomp: /proc/self/status", "Seccomp:\t2\n"],
  [
    "a capability less",
    ["--cap-drop=CAP_CHOWN"],
    "grep CapBnd /proc/self/status",
    "CapBnd:\t00000000a80425fa\n",
  ],
  ["new privileges", ["--allow-new-privs"], "grep NoNew /proc/self/status", "NoNewPrivs:\t0\n"],
  [
    "a bind mount",
    [`--mount=type=bind,src=${folder},dst=/m,options=rbind:ro`],
    "ls /m/config.toml",
    "/m/config.toml\n",
  ],
  ["its control group", [`--cgroup=/${prefix}/deep`], "grep -c deep /proc/self/cgroup", "10\n"],
])("run: %s", async (name, options, script, stdout) => {
  expect(await once(name.replaceAll(" ", "-"), options, script)).toMatchObject({ stdout, exitCode: 0 });
  await run(["find", "/sys/fs/cgroup", "-mindepth", "2", "-name", prefix, "-type", "d", "-delete"]);
});

test("limits are set and measured", async () => {
  const id = await detached("limits", ["sleep", "1000"], "--memory-limit=33554432", "--cpus=0.5");
  const metrics = JSON.parse(await ctrOk("tasks", "metrics", "--format=json", id));
  expect(metrics).toMatchObject({
    memory: { usage: { limit: 33554432 }, hierarchical_memory_limit: 33554432 },
    pids: { current: 1 },
  });
  const pid = (await ctrOk("tasks", "ps", id)).split("\n")[1]?.split(/\s+/)[0];
  const group = /cpu:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1];
  expect(readFileSync(`/sys/fs/cgroup/cpu${group}/cpu.cfs_quota_us`, "utf8")).toBe("50000\n");
});

test("an out-of-memory kill becomes an event", async () => {
  const events = Bun.spawn([...command("events")], { env, stdout: "pipe", stderr: "ignore" });
  try {
    const id = `${prefix}-oom`;
    const text = new Response(events.stdout).text();
    await eventually("events arrive", async () => {
      await ctr("namespaces", "label", "default", `beat=${performance.now()}`);
      return true;
    });
    const hungry = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M"];
    const result = await ctr(...create, "--rm", "--memory-limit=16777216", image, id, ...hungry);
    expect(result.exitCode).toBe(137);
    await Bun.sleep(100);
    events.kill();
    expect(
      (await text)
        .split("\n")
        .filter((line) => line.includes("/tasks/oom"))
        .join(),
    ).toContain(id);
  } finally {
    events.kill();
  }
});

test("a terminal for the container and for an exec, sized, controlling, alone", async () => {
  const script = "tty; [ -c /dev/console ] && echo console; ls /proc/self/fd | wc -l; echo $TERM; exit 4";
  const shell = command(...create, "--rm", "--tty", image, `${prefix}-tty`, "sh", "-c", script);
  const container = await runOnTerminal(shell, env);
  expect(container.stdout.replaceAll("\r", "")).toContain("/dev/pts/0\nconsole\n4\nxterm\n");
  expect(container.exitCode).toBe(4);

  const id = await detached("tty2", ["sleep", "1000"]);
  const exec = ["tasks", "exec", "--tty", "--exec-id=t", id, "sh", "-c", "tty; exec sleep 0.2; exit 5"];
  const second = await runOnTerminal(command(...exec), env);
  expect(second.stdout).toContain("/dev/pts/0");
});

test("exec: codes, signals, users, input, folders and programs that are not there", async () => {
  const id = await detached("exec", ["sleep", "1000"]);
  let count = 0;
  const exec = (...args: readonly string[]): Promise<RunResult> =>
    ctr("tasks", "exec", `--exec-id=e${count++}`, ...args);
  for (const [script, exitCode] of [
    ["exit 0", 0],
    ["exit 7", 7],
    ["kill -9 $$", 137],
    ["kill $$", 143],
  ] as const) {
    expect((await exec(id, "sh", "-c", script)).exitCode).toBe(exitCode);
  }
  expect((await exec("--user=33", id, "id", "-u")).stdout).toBe("33\n");
  const piped = await run(command("tasks", "exec", "--exec-id=in", id, "cat"), {
    env,
    stdin: "in\n",
    timeout: engineTimeout,
  });
  expect(piped).toMatchObject({ stdout: "in\n", exitCode: 0 });
  const text = "OCI runtime exec failed: ";
  for (const [args, cause] of [
    [[id, "nosuch"], 'unable to start container process: exec: "nosuch": executable file not found in $PATH'],
    [[id, "/etc/passwd"], 'unable to start container process: exec: "/etc/passwd": permission denied'],
    [
      ["--cwd=/nosuch", id, "pwd"],
      'chdir to cwd ("/nosuch") set in config.json failed: no such file or directory',
    ],
  ] as const) {
    const { exitCode, stderr } = await exec(...args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(text);
    expect(stderr).toContain(cause);
  }
});

test("a detached exec is signalled by its own id", async () => {
  const id = await detached("two", ["sleep", "1000"]);
  await ctrOk("tasks", "exec", "--detach", "--exec-id=second", id, "sleep", "2000");
  await ctrOk("tasks", "kill", "--signal=KILL", "--exec-id=second", id);
  await eventually(
    "only init is left",
    async () => (await ctr("tasks", "ps", id)).stdout.trim().split("\n").length === 2,
  );
  expect(await status(id)).toBe("RUNNING");
});

test("stopping: wrong moments are refused, the exit code stays for who deletes", async () => {
  const id = await detached("stop", ["sh", "-c", untilTerminated]);
  const refused = await ctr("tasks", "delete", id);
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("must be stopped") });
  await ctrOk("tasks", "pause", id);
  expect(await status(id)).toBe("PAUSED");
  expect((await ctr("tasks", "exec", "--exec-id=p", id, "true")).stderr).toContain("paused");
  await ctrOk("tasks", "resume", id);
  await becomes(id, "RUNNING");
  await ctrOk("tasks", "kill", "--signal=TERM", id);
  await becomes(id, "STOPPED");
  const late = await ctr("tasks", "kill", "--signal=KILL", id);
  expect(late).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("process already finished") });
  expect((await ctr("tasks", "delete", id)).stderr).toContain("exit code 143");
});

test("all processes of a container in the host's PID namespace are killed", async () => {
  const script = "sleep 1000 & sleep 1000 & wait";
  const id = await detached("all", ["sh", "-c", script], "--with-ns=pid:/proc/self/ns/pid");
  const pids = async (): Promise<string[]> =>
    (await ctr("tasks", "ps", id)).stdout
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(/\s+/)[0] ?? "");
  await eventually("three processes", async () => (await pids()).length === 3);
  const before = await pids();
  await ctrOk("tasks", "kill", "--all", "--signal=KILL", id);
  await becomes(id, "STOPPED");
  await eventually("all have gone", () => before.every((pid) => !existsSync(`/proc/${pid}/exe`)));
});

test("a checkpoint is refused in words, and the container goes on", async () => {
  const id = await detached("checkpoint", ["sleep", "1000"]);
  const result = await ctr("tasks", "checkpoint", id);
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toMatch(/checkpoint|criu/i);
  expect(await status(id)).toBe("RUNNING");
});

test("a shim that is killed leaves nothing behind", async () => {
  const id = await detached("shim", ["sleep", "1000"]);
  const shims = await run(["pgrep", "--full", `containerd-shim-runc-v2 .*-id ${id} `]);
  process.kill(Number(shims.stdout.trim()), "SIGKILL");
  await becomes(id, "GONE");
  await eventually("no trace", async () => (await leftovers(id)).length === 0);
  const { stdout } = await run(
    [runtimeUnderTest, "--root", join(folder, "runc/default"), "list", "--quiet"],
    { env },
  );
  expect(stdout).not.toContain(id);
});

test("containerd has nothing to complain of in a plain run", async () => {
  seen = readFileSync(logFile, "utf8").length;
  expect(await once("quiet", [], "exit 7")).toMatchObject({ exitCode: 7, stdout: "", stderr: "" });
  // How the shim's end is logged at any run, with any runtime.
  const usual = /shim disconnected|cleaning up|cleanup warnings|copy shim log/;
  const complaints = logged()
    .split("\n")
    .filter((line) => /level=(warning|error)/.test(line) && !usual.test(line));
  expect(complaints).toEqual([]);
});
