import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LaunchedStore } from "../containers/launched/record.ts";
import { digestOf } from "../spec/digest.ts";
import { type CommandResult, runCommand } from "./command.fixture.ts";

let dataRoot: string;
beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), "lxcri-volumes-"));
});
afterEach(() => rmSync(dataRoot, { recursive: true, force: true }));

const volume = (...argv: string[]): Promise<CommandResult> =>
  runCommand(["--data-root", dataRoot, "volume", ...argv]);
const listed = async (): Promise<{ name: string; path: string; uid: number; containers: string[] }[]> =>
  JSON.parse((await volume("ls", "--json")).stdout);

/** A record of a container that mounts a volume. */
function mountIn(container: string, path: string): void {
  const store = new LaunchedStore(dataRoot);
  store.save({
    name: container as never,
    phase: "launched",
    created: new Date(0).toISOString(),
    root: join(dataRoot, "run"),
    cgroupManager: "cgroupfs",
    image: "x",
    digest: digestOf("x"),
    kind: "application",
    tty: false,
    interactive: false,
    remove: false,
    privileged: false,
    stopSignal: "SIGTERM",
    labels: {},
    unnamedVolumes: [],
  });
  writeFileSync(join(store.bundle(container), "config.json"), JSON.stringify({ mounts: [{ source: path }] }));
}

test("volumes are made, listed, looked at and removed", async () => {
  expect(await listed()).toEqual([]);
  expect((await volume("create", "b", "a")).stdout).toBe("b\na\n");
  const [a] = await listed();
  expect((await listed()).map(({ name }) => name)).toEqual(["a", "b"]);
  writeFileSync(join(a?.path ?? "", "kept"), "x".repeat(5000));
  expect((await volume("create", "a")).code).toBe(0);
  expect(readFileSync(join(a?.path ?? "", "kept"), "utf8").length).toBe(5000);
  const [inspected] = JSON.parse((await volume("inspect", "a")).stdout);
  expect(inspected).toMatchObject({ name: "a", path: a?.path, containers: [] });
  expect(inspected.bytes).toBeGreaterThan(5000);
  expect((await volume("ls", "-q")).stdout).toBe("a\nb\n");
  expect((await volume("ls")).stdout).toMatch(/^NAME .*\na .*\nb /);
  expect((await volume("rm", "a", "b")).stdout).toBe("a\nb\n");
  expect(existsSync(a?.path ?? "")).toBe(false);
});

test("a container's root owns them: an unprivileged one's, or the host's", async () => {
  await volume("create", "mapped");
  await volume("create", "--privileged", "plain");
  const [mapped, plain] = await listed();
  expect(mapped?.uid).toBeGreaterThan(0);
  expect(plain?.uid).toBe(0);
  expect(statSync(mapped?.path ?? "").mode & 0o777).toBe(0o755);
});

test("one that a container mounts stays", async () => {
  await volume("create", "used");
  mountIn("web", (await listed())[0]?.path ?? "");
  expect((await listed())[0]?.containers).toEqual(["web"]);
  const { code, stderr } = await volume("rm", "used");
  expect(code).toBe(1);
  expect(stderr).toContain("web mounts it");
});

test("what is not there, or no name, is told", async () => {
  expect((await volume("rm", "none")).stderr).toContain('volume "none" does not exist');
  expect((await volume("rm", "--force", "none")).code).toBe(0);
  expect((await volume("inspect", "none")).code).toBe(1);
  for (const name of ["../x", ".", "a/b", ""]) {
    expect((await volume("create", name)).stderr).toContain("is not allowed");
  }
});
