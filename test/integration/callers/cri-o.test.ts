/** CRI-O's own command lines (beside those that it leaves to conmon), spelt as it spells them; with what it reads. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunResult, run } from "../../../src/host/process.ts";
import { makeBundle } from "../../bench/runtime-bundle.ts";
import { eventually, leftovers } from "../../conformance/engine.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";

const folder = mkdtempSync("/var/tmp/lxcri-callers-crio-");
const root = join(folder, "state");
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
const crio = (...args: readonly string[]): Promise<RunResult> =>
  run([runtimeUnderTest, "--root", root, ...args], { env, timeout: 20_000 });
const done = { exitCode: 0, stdout: "", stderr: "" };
const ids: string[] = [];

afterEach(async () => {
  for (const id of ids) await crio("delete", "--force", id);
});
afterAll(async () => {
  for (const id of ids) expect(await leftovers(id)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

const bundle = (id: string): string => join(folder, id);
const state = async (id: string): Promise<{ status: string; pid?: number }> =>
  JSON.parse((await crio("state", id)).stdout);

/** A container as conmon leaves it to CRI-O: created. */
async function created(args: readonly string[] = ["/bin/sleep", "1000"], pidFile?: string): Promise<string> {
  const id = `callers-crio-${process.pid}-${ids.length}`;
  ids.push(id);
  makeBundle(bundle(id), { args });
  const create = ["create", "--bundle", bundle(id), "--pid-file", pidFile ?? join(folder, `${id}.pid`), id];
  // Its output is the container's: it stays open as long as the container lives.
  const child = Bun.spawn([runtimeUnderTest, "--root", root, ...create], {
    env,
    stdio: ["ignore", "ignore", "ignore"],
  });
  expect(await child.exited).toBe(0);
  return id;
}

async function running(...how: Parameters<typeof created>): Promise<string> {
  const id = await created(...how);
  expect(await crio("start", id)).toEqual(done);
  return id;
}

const becomes = (id: string, status: string): Promise<void> =>
  eventually(`${id} becomes ${status}`, async () => (await state(id)).status === status);

test("start, state, kill by name, delete", async () => {
  const id = await created();
  expect(await state(id)).toMatchObject({
    status: "created",
    pid: Number(readFileSync(join(folder, `${id}.pid`), "utf8")),
  });
  expect(await crio("start", id)).toEqual(done);
  expect(await state(id)).toMatchObject({ status: "running" });
  expect(await crio("kill", id, "KILL")).toEqual(done);
  await becomes(id, "stopped");
  expect(await crio("delete", "--force", id)).toEqual(done);
  expect((await crio("state", id)).exitCode).toBe(1);
});

test.each(["TERM", "SIGTERM", "15"])("a stop signal spelt %s", async (signal) => {
  const id = await running(["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.02; done"]);
  expect(await crio("kill", id, signal)).toEqual(done);
  await becomes(id, "stopped");
});

test("kill -a of all processes, also when init has gone", async () => {
  const id = await running();
  expect(await crio("kill", "-a", id, "9")).toEqual(done);
  await becomes(id, "stopped");
  expect((await crio("kill", "-a", id, "9")).exitCode).toBe(0);
});

test("a signal to what has ended: the words it looks for", async () => {
  const id = await running(["/bin/true"]);
  await becomes(id, "stopped");
  const late = await crio("kill", id, "KILL");
  expect(late.exitCode).toBe(1);
  expect(late.stderr).toMatch(/no such process|container not running/);
  const never = await crio("kill", "callers-crio-never", "KILL");
  expect(never).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("does not exist") });
});

test("pause and resume", async () => {
  const id = await running();
  expect(await crio("pause", id)).toEqual(done);
  expect(await state(id)).toMatchObject({ status: "paused" });
  expect(await crio("resume", id)).toEqual(done);
  expect(await state(id)).toMatchObject({ status: "running" });
});

test("update --resources - reads limits from standard input", async () => {
  const id = await running();
  const limits = {
    memory: { limit: 64 << 20 },
    cpu: { shares: 512, quota: 50_000, period: 100_000 },
    pids: { limit: 44 },
  };
  const result = await run([runtimeUnderTest, "--root", root, "update", "--resources", "-", id], {
    env,
    stdin: JSON.stringify(limits),
  });
  expect(result).toEqual(done);
  const groups = readFileSync(`/proc/${(await state(id)).pid}/cgroup`, "utf8");
  const value = (controller: string, file: string): string => {
    const path = new RegExp(`:${controller}:(.*)$`, "m").exec(groups)?.[1];
    return readFileSync(`/sys/fs/cgroup/${controller}${path}/${file}`, "utf8").trim();
  };
  expect(value("memory", "memory.limit_in_bytes")).toBe(String(64 << 20));
  expect(value("cpu", "cpu.cfs_quota_us")).toBe("50000");
  expect(value("cpu", "cpu.shares")).toBe("512");
  expect(value("pids", "pids.max")).toBe("44");
});

test("exec --process: output, exit code, and a program that is not there", async () => {
  const id = await running();
  const { process: own } = JSON.parse(readFileSync(join(bundle(id), "config.json"), "utf8"));
  const document = join(folder, `${id}.json`);
  const exec = (args: readonly string[]): Promise<RunResult> => {
    writeFileSync(document, JSON.stringify({ ...own, args }));
    return crio("exec", "--process", document, id);
  };
  expect(await exec(["/bin/sh", "-c", "echo out; echo err >&2; exit 7"])).toEqual({
    stdout: "out\n",
    stderr: "err\n",
    exitCode: 7,
  });
  const missing = await exec(["nosuch"]);
  expect(missing.exitCode).not.toBe(0);
  expect(missing.stderr).toContain('exec: "nosuch": executable file not found in $PATH');
});

test("a pid file never replaces a device, and what its caller cannot be told of does not run", async () => {
  const id = await running();
  const device = join(folder, "null");
  await run(["mknod", device, "c", "1", "3"]);
  expect(await crio("exec", "--pid-file", device, id, "/bin/true")).toEqual(done);
  await created(["/bin/true"], device);
  expect(statSync(device).isCharacterDevice()).toBe(true);

  const nowhere = join(folder, "nowhere/pid");
  const exec = await crio("exec", "--detach", "--pid-file", nowhere, id, "/bin/sleep", "2000");
  expect(exec).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no such file or directory") });
  await eventually(
    "only init runs",
    async () => JSON.parse((await crio("ps", "--format=json", id)).stdout).length === 1,
  );
});

test("a checkpoint with its options is understood; the container survives a refusal", async () => {
  const id = await running();
  const places = ["--image-path", join(folder, "image"), "--work-path", folder];
  const result = await crio("checkpoint", "--file-locks", ...places, "--leave-running", id);
  if (result.exitCode !== 0) expect(result.stderr).toMatch(/checkpoint|criu/i);
  expect(result.stderr).not.toContain("flag provided but not defined");
  expect(await state(id)).toMatchObject({ status: "running" });
});

test("a user namespace, whatever umask the caller has", async () => {
  const id = `callers-crio-${process.pid}-${ids.length}`;
  ids.push(id);
  makeBundle(bundle(id), { args: ["/bin/sh", "-c", "umask; cat /proc/self/uid_map"] });
  const path = join(bundle(id), "config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  config.linux.namespaces.push({ type: "user" });
  config.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  config.linux.gidMappings = config.linux.uidMappings;
  writeFileSync(path, JSON.stringify(config));
  // The runtime's folders are made under this umask; those around them may be passed.
  chmodSync(folder, 0o711);
  const own = [runtimeUnderTest, "--root", join(folder, "strict"), "run", "--bundle", bundle(id), id];
  const result = await run(["sh", "-c", 'umask 077; exec "$@"', "sh", ...own], { env, timeout: 20_000 });
  expect(result).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^0022\n +0 +100000 +65536\n$/),
  });
});

test("its probes: version, features, whether checkpoint is known", async () => {
  const version = await run([runtimeUnderTest, "--version"], { env });
  expect(version).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/ version \S+\n.*^spec: \d/ms),
  });
  const features = await run([runtimeUnderTest, "features"], { env });
  expect(JSON.parse(features.stdout)).toMatchObject({
    ociVersionMax: expect.stringMatching(/^1\./),
    hooks: expect.arrayContaining(["prestart", "poststop"]),
    linux: { namespaces: expect.arrayContaining(["user", "pid"]), seccomp: { enabled: true } },
  });
  expect((await run([runtimeUnderTest, "checkpoint", "--help"], { env })).exitCode).toBe(0);
});

test("an unknown flag is refused with a line of usage", async () => {
  const result = await crio("--no-such-flag", "state", "x");
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toContain("flag provided but not defined: -no-such-flag");
});
