/** podman with us in runc's place: run, exec with and without a terminal, logs, limits, pause, stop, remove. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

const folder = mkdtempSync("/var/tmp/lxcri-podman-");
const image = "localhost/busybox:1";
const configuration = join(folder, "containers.conf");
// podman's own default limits are above what a machine without CAP_SYS_RESOURCE may set, for any runtime.
writeFileSync(
  configuration,
  `[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\nnetns = "none"\n`,
);
const env = {
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  TERM: "xterm",
  CONTAINERS_CONF: configuration,
};
const command = (...args: readonly string[]): readonly string[] => [
  ...["podman", "--root", join(folder, "root"), "--runroot", join(folder, "run")],
  ...["--tmpdir", join(folder, "tmp"), "--storage-driver", "overlay", "--events-backend", "file"],
  ...["--cgroup-manager", "cgroupfs", "--runtime", runtimeUnderTest],
  ...args,
];
const podman = (...args: readonly string[]): Promise<RunResult> =>
  run(command(...args), { env, timeout: engineTimeout });
const inspect = async (name: string, format: string): Promise<string> =>
  (await podman("inspect", "--format", format, name)).stdout.trim();

beforeAll(async () => {
  const archive = await busyboxArchive(folder, image);
  await runChecked(command("load", "--quiet", "--input", archive), { env });
});
afterAll(async () => {
  await podman("rm", "--all", "--force", "--time", "0");
  await podman("rmi", "--all", "--force");
  await run(["umount", join(folder, "root/overlay")]);
  rmSync(folder, { recursive: true, force: true });
});

test.each([0, 7, 137])("run: output and exit code %d arrive", async (code) => {
  const result = await podman("run", "--rm", image, "sh", "-c", `echo out; echo err >&2; exit ${code}`);
  expect(result).toEqual({ stdout: "out\n", stderr: "err\n", exitCode: code });
});

test("run --tty has a terminal", async () => {
  const result = await podman("run", "--rm", "--tty", image, "tty");
  expect(result).toMatchObject({ stdout: "/dev/pts/0\r\n", exitCode: 0 });
});

test("run: a program that is not there, and one that may not be executed", async () => {
  expect((await podman("run", "--rm", image, "nosuch")).exitCode).toBe(127);
  expect((await podman("run", "--rm", image, "/etc/passwd")).exitCode).toBe(126);
});

test("user, working directory, environment, hostname and read-only root are applied", async () => {
  const script = "id -u; id -g; pwd; echo $A; hostname; touch /x 2>/dev/null || echo read-only";
  const options = [
    "--user",
    "33:44",
    "--workdir",
    "/tmp",
    "--env",
    "A=b c",
    "--hostname",
    "h1",
    "--read-only",
  ];
  const result = await podman("run", "--rm", ...options, image, "sh", "-c", script);
  expect(result.stdout).toBe("33\n44\n/tmp\nb c\nh1\nread-only\n");
});

test("a container: logs, exec, terminal, limits, pause, stop, exit code, removal", async () => {
  const name = "whole-life";
  const options = ["--name", name, "--memory", "64m", "--pids-limit", "50"];
  const id = (await podman("run", "--detach", ...options, image, "sh", "-c", untilTerminated)).stdout.trim();
  await eventually("ready", async () => (await podman("logs", name)).stdout === "ready\n");

  const exec = await podman("exec", name, "sh", "-c", "echo in; exit 3");
  expect(exec).toMatchObject({ stdout: "in\n", exitCode: 3 });
  const terminal = await runOnTerminal(command("exec", "--tty", name, "sh", "-c", "tty; exit 4"), env);
  expect(terminal.stdout).toContain("/dev/pts/");
  expect(terminal.exitCode).toBe(4);
  expect((await podman("exec", name, "nosuch")).exitCode).toBe(127);

  const pid = await inspect(name, "{{.State.Pid}}");
  const group = /memory:(.*)$/m.exec(await Bun.file(`/proc/${pid}/cgroup`).text())?.[1];
  const limit = group === undefined ? undefined : `/sys/fs/cgroup/memory${group}/memory.limit_in_bytes`;
  if (limit !== undefined) expect(await Bun.file(limit).text()).toBe(`${64 * 1024 * 1024}\n`);

  await podman("pause", name);
  expect(await inspect(name, "{{.State.Status}}")).toBe("paused");
  await podman("unpause", name);
  expect(await inspect(name, "{{.State.Status}}")).toBe("running");

  expect((await podman("stop", "--time", "10", name)).exitCode).toBe(0);
  expect(await inspect(name, "{{.State.ExitCode}}")).toBe("143");
  expect((await podman("rm", name)).exitCode).toBe(0);
  expect(await leftovers(id)).toEqual([]);
});

test("kill: exit code 137", async () => {
  await podman("run", "--detach", "--name", "killed", image, "sleep", "1000");
  expect((await podman("kill", "killed")).exitCode).toBe(0);
  await podman("wait", "killed");
  expect(await inspect("killed", "{{.State.ExitCode}}")).toBe("137");
  expect((await podman("rm", "killed")).exitCode).toBe(0);
});
