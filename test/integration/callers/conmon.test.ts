/** conmon over us: attach sockets, standard input, OOM notices, execs, what it logs when we fail. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, runChecked } from "../../../src/host/process.ts";
import { makeBundle } from "../../bench/runtime-bundle.ts";
import { eventually, leftovers } from "../../conformance/engine.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";

const folder = mkdtempSync("/var/tmp/lxcri-callers-conmon-");
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
const at = (...names: readonly string[]): string => join(folder, ...names);
const runtime = (...args: readonly string[]) =>
  run([runtimeUnderTest, "--root", at("state"), ...args], { env, cwd: at("") });
const ids = new Set<string>();
let count = 0;

beforeAll(() => {
  mkdirSync(at("exits"));
  mkdirSync(at("sockets"));
});
afterAll(async () => {
  for (const id of ids) await runtime("delete", "--force", id);
  for (const id of ids) expect(await leftovers(id)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

function newId(): string {
  const id = `callers-conmon-${process.pid}-${count++}`;
  ids.add(id);
  return id;
}

/** conmon's arguments for a container and for an exec alike. */
const conmon = (id: string, name: string, ...args: readonly string[]): readonly string[] => [
  ...["conmon", "--cid", id, "--cuuid", name, "--name", id, "--runtime", runtimeUnderTest],
  ...["--runtime-arg", `--root=${at("state")}`, "--bundle", at(id), "--exit-dir", at("exits")],
  ...["--container-pidfile", at(`${name}.pid`), "--log-path", `k8s-file:${at(`${name}.log`)}`],
  ...["--socket-dir-path", at("sockets"), "--persist-dir", at(`${id}-persist`), ...args],
];

const read = (...names: readonly string[]): string =>
  existsSync(at(...names)) ? readFileSync(at(...names), "utf8") : "";
/** The log without its times. */
const log = (name: string): string => read(`${name}.log`).replace(/^\S+ /gm, "");

async function create(
  args: readonly string[],
  flags: readonly string[] = [],
  change: (config: { linux: { resources: object } }) => void = () => undefined,
): Promise<string> {
  const id = newId();
  const terminal = flags.includes("--terminal");
  makeBundle(at(id), { args, terminal });
  const config = JSON.parse(read(id, "config.json"));
  change(config);
  writeFileSync(at(id, "config.json"), JSON.stringify(config));
  mkdirSync(at(`${id}-persist`));
  await runChecked(conmon(id, id, ...flags), { env, cwd: at("") });
  await eventually(`${id} is created`, async () => (await runtime("state", id)).stdout.includes('"created"'));
  return id;
}

async function start(...how: Parameters<typeof create>): Promise<string> {
  const id = await create(...how);
  expect(await runtime("start", id)).toEqual({ stdout: "", stderr: "", exitCode: 0 });
  return id;
}

async function exitCode(id: string): Promise<string> {
  await eventually(`${id} ends`, () => existsSync(at("exits", id)));
  return read("exits", id);
}

/** Sends a line to a container's attach socket (frames of a SEQPACKET) and reads until `wanted` has come. */
const attach = (id: string, line: string, wanted: string) =>
  run(
    [
      ...["python3", "-c"],
      `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(5); s.connect(sys.argv[1])
s.send(sys.argv[2].encode() + b"\\n"); got = ""
while sys.argv[3] not in got: got += s.recv(8193)[1:].decode()
print(got, end="")`,
      ...[at("sockets", id, "attach"), line, wanted],
    ],
    { env, timeout: 10_000 },
  );

test("an attached client writes to standard input and reads what is printed", async () => {
  const id = await start(["/bin/cat"], ["--stdin", "--leave-stdin-open"]);
  expect(await attach(id, "hello", "hello")).toMatchObject({ stdout: "hello\n", exitCode: 0 });
  await eventually("it is logged", () => log(id) === "stdout F hello\n");
  expect((await runtime("kill", id, "9")).exitCode).toBe(0);
  expect(await exitCode(id)).toBe("137");
});

test("an attached client has the container's terminal", async () => {
  const id = await start(["/bin/sh"], ["--terminal", "--stdin"]);
  const { stdout } = await attach(id, "tty; echo $((40+2)); exit 6", "42");
  expect(stdout).toContain("/dev/pts/0");
  expect(await exitCode(id)).toBe("6");
});

test("partial lines and both streams are logged as CRI wants them", async () => {
  const id = await start(["/bin/sh", "-c", "printf part; echo err >&2; sleep 0.1; echo ial"]);
  expect(await exitCode(id)).toBe("0");
  const lines = read(`${id}.log`).trimEnd().split("\n");
  for (const line of lines) {
    expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[+-]\d\d:\d\d (stdout|stderr) [PF] /);
  }
  expect(log(id)).toContain("stderr F err\n");
  expect(log(id)).toContain("stdout P part\n");
  expect(log(id)).toContain("stdout F ial\n");
});

test("a container that is killed for memory: code 137 and an OOM notice", async () => {
  const id = await start(["/bin/busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=200M"], [], (config) => {
    Object.assign(config.linux.resources, { memory: { limit: 16 << 20, swap: 16 << 20 } });
  });
  expect(await exitCode(id)).toBe("137");
  await eventually("the notice", () => existsSync(at(`${id}-persist`, "oom")));
});

test("a created container that is killed before its start", async () => {
  const id = await create(["/bin/true"]);
  expect((await runtime("kill", id, "KILL")).exitCode).toBe(0);
  expect(await exitCode(id)).toBe("137");
  expect(await runtime("delete", id)).toMatchObject({ exitCode: 0 });
});

test("the pid file names init, a child of conmon's", async () => {
  const id = await start(["/bin/sleep", "1000"]);
  const pid = read(`${id}.pid`);
  expect(JSON.parse((await runtime("state", id)).stdout).pid).toBe(Number(pid));
  const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  expect(readFileSync(`/proc/${parent}/comm`, "utf8")).toBe("conmon\n");
});

test("what cannot be created: conmon hands our error on, and there is no pid file", async () => {
  const id = newId();
  makeBundle(at(id), { args: ["/bin/nosuch"] });
  mkdirSync(at(`${id}-persist`));
  expect(await answer(conmon(id, id))).toMatchObject({
    message: expect.stringContaining('exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory'),
  });
  expect(existsSync(at(`${id}.pid`))).toBe(false);
  expect((await runtime("state", id)).stderr).toContain("does not exist");
});

test.each([
  ["exit 0", "0"],
  ["exit 7", "7"],
  ["kill -9 $$", "137"],
  ["kill $$", "143"],
])("exec of %p: exit file %s, output in its own log", async (script, code) => {
  const id = await start(["/bin/sleep", "1000"]);
  await runChecked(exec(id, { args: ["/bin/sh", "-c", `echo in; ${script}`] }), { env, cwd: at("") });
  expect(await exitCode(id)).toBe(code);
  expect(log(`${id}-exec`)).toBe("stdout F in\n");
});

test("exec with a terminal", async () => {
  const id = await start(["/bin/sleep", "1000"]);
  await runChecked(exec(id, { args: ["/bin/sh", "-c", "tty; exit 9"], terminal: true }, "--terminal"), {
    env,
  });
  expect(await exitCode(id)).toBe("9");
  expect(log(`${id}-exec`)).toContain("stdout F /dev/pts/0");
});

test("exec of what is not there leaves no pid file", async () => {
  const id = await start(["/bin/sleep", "1000"]);
  expect(await answer(exec(id, { args: ["nosuch"] }))).toMatchObject({
    message: expect.stringContaining("executable file not found in $PATH"),
  });
  expect(existsSync(at(`${id}-exec.pid`))).toBe(false);
});

/** The command line of an exec that changes `change` in the container's own process. */
function exec(id: string, change: object, ...flags: readonly string[]): readonly string[] {
  const { process: own } = JSON.parse(read(id, "config.json"));
  const document = at(`${id}-process.json`);
  writeFileSync(document, JSON.stringify({ ...own, ...change }));
  return conmon(id, `${id}-exec`, "--exec", "--exec-process-spec", document, ...flags);
}

/** What conmon tells CRI-O and podman through their pipe (here a file) of how the runtime fared. */
async function answer(argv: readonly string[]): Promise<unknown> {
  const pipe = `answer-${count++}`;
  await run(["sh", "-c", 'exec 3>"$0"; exec "$@"', at(pipe), ...argv], {
    env: { ...env, _OCI_SYNCPIPE: "3" },
  });
  await eventually("an answer", () => read(pipe).endsWith("\n"));
  return JSON.parse(read(pipe).split("\n")[0] ?? "");
}
