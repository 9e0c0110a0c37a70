/** The built executable takes no code from where, or with what environment, it is started. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const dist = resolve(import.meta.dir, "../../dist");
const folder = mkdtempSync(join(tmpdir(), "executable-"));
const program = join(folder, "program/proxmox-lxcri");
const hostile = join(folder, "hostile");
const marker = join(folder, "ran");

/** Code that leaves `marker` when anything runs it. */
const evil = `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "");`;

beforeAll(() => {
  mkdirSync(join(folder, "program"));
  for (const file of ["proxmox-lxcri", "proxmox-lxcri-engine", "proxmox-lxcri-native"]) {
    copyFileSync(join(dist, file), join(folder, "program", file));
  }
  const put = (path: string, text: string): void => {
    mkdirSync(join(hostile, path, ".."), { recursive: true });
    writeFileSync(join(hostile, path), text);
  };
  put("evil.js", evil);
  put("evil.ts", evil);
  put("bunfig.toml", `preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n`);
  put(".bunfig.toml", `preload = ["${hostile}/evil.ts"]\n`);
  put(".env", `BUN_OPTIONS="--preload ${hostile}/evil.ts"\nPATH=/nowhere\n`);
  put("package.json", `{"main":"./evil.js","imports":{"#a":"./evil.js"},"scripts":{"start":"bun evil.js"}}`);
  put("tsconfig.json", `{"compilerOptions":{"paths":{"*":["./evil.ts"],"node:fs":["./evil.ts"]}}}`);
  for (const name of ["fs", "bun", "bun:ffi", "node:fs"]) put(`node_modules/${name}/index.js`, evil);
  put("start.ts", evil);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(argv: readonly string[], env: Record<string, string>, cwd = hostile): Outcome {
  rmSync(marker, { force: true });
  const child = Bun.spawnSync([...argv], { env, cwd, stdin: "ignore", timeout: 20_000 });
  return { status: child.exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
}

const plain = { PATH: "/usr/bin:/bin", HOME: "/root" };
const version = expect.stringMatching(/^proxmox-lxcri version \d+\.\d+\.\d+\n/);

test("the bait works: the bare engine runs it, so these tests can fail", () => {
  start([`${program}-engine`, "--version"], { ...plain, BUN_OPTIONS: `--preload ${hostile}/evil.ts` });
  expect(existsSync(marker)).toBe(true);
});

test.each([
  ["nothing", {}],
  ["BUN_OPTIONS", { BUN_OPTIONS: `--preload ${hostile}/evil.ts` }],
  ["BUN_OPTIONS asking for Bun's version", { BUN_OPTIONS: "--version" }],
  ["BUN_BE_BUN", { BUN_BE_BUN: "1" }],
  ["BUN_INSPECT_PRELOAD", { BUN_INSPECT_PRELOAD: `${hostile}/evil.ts` }],
  ["BUN_INSPECT", { BUN_INSPECT: "ws://127.0.0.1:0/x?break=1" }],
  ["BUN_CONFIG", { BUN_CONFIG: `${hostile}/bunfig.toml`, BUN_CONFIG_PRELOAD: `${hostile}/evil.ts` }],
  ["NODE_OPTIONS", { NODE_OPTIONS: `--require ${hostile}/evil.js --import ${hostile}/evil.js` }],
  ["NODE_PATH", { NODE_PATH: `${hostile}/node_modules` }],
  ["JSC options", { BUN_JSC_dumpOptions: "2", JSC_dumpOptions: "2" }],
  ["a hostile HOME", { HOME: hostile, XDG_CONFIG_HOME: hostile, USERPROFILE: hostile }],
  ["a hostile TMPDIR", { TMPDIR: hostile, BUN_TMPDIR: hostile, BUN_INSTALL: hostile }],
])("in a hostile directory with %s in the environment, only our program runs", (_name, env) => {
  const before = readdirSync(hostile);
  expect(start([program, "--version"], { ...plain, ...env })).toEqual({
    status: 0,
    stdout: version,
    stderr: "",
  });
  expect(start([program, "spec", "--help"], { ...plain, ...env }).status).toBe(0);
  const root = join(folder, "state");
  expect(start([program, "--root", root, "list", "--quiet"], { ...plain, ...env }).status).toBe(0);
  expect(existsSync(marker)).toBe(false);
  expect(readdirSync(hostile)).toEqual(before);
});

test("arguments that Bun itself knows are ours to refuse", () => {
  for (const argv of [
    ["-e", evil],
    ["--eval", evil],
    ["--preload", `${hostile}/evil.ts`, "--version"],
    ["run", `${hostile}/evil.ts`],
    [`${hostile}/evil.ts`],
  ]) {
    expect(start([program, ...argv], plain).status).not.toBe(0);
    expect(existsSync(marker)).toBe(false);
  }
});

test("it needs no environment, no HOME and no Bun or Node on the PATH", () => {
  expect(start([program, "--version"], {})).toEqual({ status: 0, stdout: version, stderr: "" });
  expect(start([program, "--version"], { PATH: "/nowhere" }).stdout).toEqual(version);
});

test("it starts from a directory that has been deleted", () => {
  const gone = join(folder, "gone");
  mkdirSync(gone);
  const line = 'cd "$1" && rmdir "$1" && exec "$2" --version';
  expect(start(["/bin/sh", "-c", line, "sh", gone, program], plain).stdout).toEqual(version);
});

test("it starts with its standard input closed", () => {
  expect(start(["/bin/sh", "-c", 'exec "$1" --version <&-', "sh", program], plain).stdout).toEqual(version);
});

test("it starts through a symbolic link and under another name", () => {
  Bun.spawnSync(["ln", "-s", program, join(folder, "runc")]);
  expect(start([join(folder, "runc"), "--version"], plain).stdout).toEqual(version);
});
