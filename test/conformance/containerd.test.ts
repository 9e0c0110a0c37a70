/** containerd with its runc-v2 shim and us as the binary: run, exec, pause, kill, remove. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunResult, run, runChecked } from "../../src/host/process.ts";
import {
  busyboxArchive,
  engineTimeout,
  eventually,
  leftovers,
  runOnTerminal,
  untilTerminated,
} from "./engine.ts";
import { runtimeUnderTest } from "./runtime-under-test.ts";

const folder = mkdtempSync("/var/tmp/lxcri-containerd-");
const image = "local/busybox:1";
const socket = join(folder, "sock");
const namespace = `lxcri-test-${process.pid}`;
/** Where the shim has the runtime keep its state. */
const state = join("/run/containerd/runc", namespace);
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", TERM: "xterm" };
const command = (...args: readonly string[]): readonly string[] => [
  ...["ctr", "--address", socket, "--namespace", namespace],
  ...args,
];
const ctr = (...args: readonly string[]): Promise<RunResult> =>
  run(command(...args), { env, timeout: engineTimeout });
const create = ["run", "--runc-binary", runtimeUnderTest];
let daemon: Bun.Subprocess;

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
  daemon = Bun.spawn(["containerd", "--config", configuration, "--log-level", "error"], {
    env,
    stdio: ["ignore", "ignore", "ignore"],
  });
  await eventually(
    "containerd answers",
    async () => existsSync(socket) && (await ctr("version")).exitCode === 0,
  );
  await runChecked(command("images", "import", await busyboxArchive(folder, image)), { env });
});
afterAll(async () => {
  daemon.kill();
  await daemon.exited;
  // Whatever a failed test left running: shims that hang, containers, mounts.
  const shims = await run(["pgrep", "--full", socket]);
  for (const pid of shims.stdout.split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
  const left = await run([runtimeUnderTest, "--root", state, "list", "--quiet"]);
  for (const id of left.stdout.split("\n").filter(Boolean)) {
    await run([runtimeUnderTest, "--root", state, "delete", "--force", id]);
  }
  for (const path of await leftovers(folder)) await run(["umount", "--lazy", path]);
  // The parent group of the containers is named after the namespace, and nobody's.
  await run(["find", "/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*/${namespace}*`, "-delete"]);
  rmSync(folder, { recursive: true, force: true });
  rmSync(state, { recursive: true, force: true });
});

test.each([0, 7, 137])("run: output and exit code %d arrive", async (code) => {
  const result = await ctr(...create, "--rm", image, `run-${code}`, "sh", "-c", `echo out; exit ${code}`);
  expect(result).toMatchObject({ stdout: "out\n", exitCode: code });
});

test("run with a terminal", async () => {
  const result = await runOnTerminal(command(...create, "--rm", "--tty", image, "on-tty", "tty"), env);
  expect(result.stdout).toContain("/dev/pts/0");
});

test("a program that is not there is reported", async () => {
  const result = await ctr(...create, "--rm", image, "missing", "nosuch");
  expect(result.exitCode).not.toBe(0);
  expect(result.stderr).toContain(`exec: "nosuch": executable file not found in $PATH`);
  await ctr("containers", "delete", "missing");
});

test("a container: exec, terminal, pause, metrics, SIGTERM, removal", async () => {
  const id = `whole-${process.pid}`;
  const running = run(command(...create, "--rm", image, id, "sh", "-c", untilTerminated), {
    env,
    timeout: engineTimeout,
  });
  await eventually("running", async () => (await ctr("tasks", "list")).stdout.includes("RUNNING"));

  const exec = await ctr("tasks", "exec", "--exec-id", "e1", id, "sh", "-c", "echo in; exit 3");
  expect(exec).toMatchObject({ stdout: "in\n", exitCode: 3 });
  const shell = command("tasks", "exec", "--tty", "--exec-id", "e2", id, "sh", "-c", "tty; exit 4");
  const terminal = await runOnTerminal(shell, env);
  expect(terminal.stdout).toContain("/dev/pts/");
  expect(terminal.exitCode).toBe(4);

  expect((await ctr("tasks", "pause", id)).exitCode).toBe(0);
  expect((await ctr("tasks", "list")).stdout).toContain("PAUSED");
  expect((await ctr("tasks", "resume", id)).exitCode).toBe(0);
  expect((await ctr("tasks", "metrics", id)).stdout).toContain("memory.usage");
  expect((await ctr("tasks", "ps", id)).stdout.trim().split("\n").length).toBeGreaterThan(1);

  expect((await ctr("tasks", "kill", "--signal", "SIGTERM", id)).exitCode).toBe(0);
  expect(await running).toMatchObject({ stdout: "ready\n", exitCode: 143 });
  expect(await leftovers(id)).toEqual([]);
});

test("SIGKILL: exit code 137", async () => {
  const id = `killed-${process.pid}`;
  const running = run(command(...create, "--rm", image, id, "sleep", "1000"), {
    env,
    timeout: engineTimeout,
  });
  await eventually("running", async () => (await ctr("tasks", "list")).stdout.includes("RUNNING"));
  expect((await ctr("tasks", "kill", "--signal", "SIGKILL", id)).exitCode).toBe(0);
  expect((await running).exitCode).toBe(137);
  expect(await leftovers(id)).toEqual([]);
});
