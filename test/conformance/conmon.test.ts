/** conmon, as CRI-O and podman use it, over us: logs in CRI form, exit file, exec with and without a terminal. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { run, runChecked } from "../../src/host/process.ts";
import { makeBundle } from "../bench/runtime-bundle.ts";
import { eventually, leftovers, untilTerminated } from "./engine.ts";
import { runtimeUnderTest } from "./runtime-under-test.ts";

const folder = mkdtempSync("/var/tmp/lxcri-conmon-");
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
const at = (...names: readonly string[]): string => join(folder, ...names);
const runtime = (...args: readonly string[]) =>
  run([runtimeUnderTest, "--root", at("state"), ...args], { env, cwd: at("") });

beforeAll(() => mkdirSync(at("exits")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** conmon's arguments for a container and for an exec alike. */
const conmon = (id: string, name: string, ...args: readonly string[]): readonly string[] => [
  ...["conmon", "--cid", id, "--cuuid", `${id}-${name}`, "--name", id, "--runtime", runtimeUnderTest],
  ...["--runtime-arg", `--root=${at("state")}`, "--bundle", at(id), "--exit-dir", at("exits")],
  ...["--container-pidfile", at(`${id}-${name}.pid`), "--log-path", `k8s-file:${at(`${id}-${name}.log`)}`],
  ...["--socket-dir-path", folder, ...args],
];

async function create(id: string, args: readonly string[], terminal = false): Promise<void> {
  makeBundle(at(id), { args, terminal });
  await runChecked(conmon(id, "init", ...(terminal ? ["--terminal"] : [])), { env, cwd: at("") });
  await eventually(`${id} is created`, async () => (await runtime("state", id)).stdout.includes('"created"'));
  expect(await runtime("start", id)).toMatchObject({ exitCode: 0 });
}

const log = (id: string, name = "init"): string => {
  const path = at(`${id}-${name}.log`);
  return existsSync(path) ? readFileSync(path, "utf8").replace(/^\S+ /gm, "") : "";
};

async function exitCode(id: string): Promise<string> {
  await eventually(`${id} ends`, () => existsSync(at("exits", id)));
  return readFileSync(at("exits", id), "utf8");
}

test.each([0, 7, 137])("log lines and exit code %d arrive", async (code) => {
  const id = `lxcri-conmon-${process.pid}-${code}`;
  await create(id, ["/bin/sh", "-c", `echo out; echo err >&2; exit ${code}`]);
  expect(await exitCode(id)).toBe(String(code));
  expect(log(id).trim().split("\n").sort()).toEqual(["stderr F err", "stdout F out"]);
  expect(await runtime("delete", id)).toMatchObject({ exitCode: 0 });
  expect(await leftovers(id)).toEqual([]);
});

test.each([
  ["TERM", "143"],
  ["KILL", "137"],
])("SIG%s: exit code %s", async (signal, code) => {
  const id = `lxcri-conmon-${process.pid}-${signal}`;
  await create(id, ["/bin/sh", "-c", untilTerminated]);
  await eventually("ready", () => log(id) === "stdout F ready\n");
  expect(await runtime("kill", id, signal)).toMatchObject({ exitCode: 0 });
  expect(await exitCode(id)).toBe(code);
  expect(await runtime("delete", id)).toMatchObject({ exitCode: 0 });
  expect(await leftovers(id)).toEqual([]);
});

test("a terminal for the container", async () => {
  const id = `lxcri-conmon-${process.pid}-tty`;
  await create(id, ["/bin/sh", "-c", "tty; exit 5"], true);
  expect(await exitCode(id)).toBe("5");
  // conmon may read the line in two pieces.
  expect(log(id)).toMatch(/stdout [PF] \/dev\/pts\/0/);
  expect(await runtime("delete", id)).toMatchObject({ exitCode: 0 });
});

test.each([false, true])("exec, terminal: %p", async (terminal) => {
  const id = `lxcri-conmon-${process.pid}-exec-${terminal}`;
  await create(id, ["/bin/sleep", "1000"]);
  const specification = at(`${id}.json`);
  const { process: own } = JSON.parse(readFileSync(at(id, "config.json"), "utf8"));
  await Bun.write(
    specification,
    JSON.stringify({ ...own, terminal, args: ["/bin/sh", "-c", "tty; exit 9"] }),
  );
  const flags = ["--exec", "--exec-process-spec", specification, ...(terminal ? ["--terminal"] : [])];
  await runChecked(conmon(id, "exec", ...flags), { env, cwd: at("") });
  expect(await exitCode(id)).toBe("9");
  expect(log(id, "exec")).toMatch(terminal ? /stdout [PF] \/dev\/pts\// : /stdout F not a tty/);
  expect(await runtime("delete", "--force", id)).toMatchObject({ exitCode: 0 });
  expect(await leftovers(id)).toEqual([]);
});
