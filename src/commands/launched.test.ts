/** The commands for launched containers, in this process: what they print and how they end. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { buildBusyboxImage } from "../../test/images/build.ts";
import { LaunchWorld } from "../../test/integration/launch.fixture.ts";
import { runCommand } from "./command.fixture.ts";

const world = new LaunchWorld();
const [id, other] = [`${world.prefix}one`, `${world.prefix}two`];
const lxcri = (...argv: readonly string[]) => runCommand([...world.argv.slice(1), ...argv]);

beforeAll(async () => {
  const { dir } = buildBusyboxImage(world.at("image"), { config: { Cmd: ["sleep", "1000"] } });
  await world.ok("launch", "-d", "--name", id, "--memory", "32m", "--pids", "9", `oci:${dir}`);
});
afterAll(() => world.dispose());

describe("a running container", () => {
  test("list: runc's columns and the image; JSON; ids", async () => {
    const { stdout } = await lxcri("list");
    expect(stdout.split("\n")[0]?.split(/\s+/)).toEqual([
      "ID",
      "PID",
      "STATUS",
      "BUNDLE",
      "CREATED",
      "OWNER",
      "IMAGE",
    ]);
    expect(stdout).toContain(`oci:${world.at("image")}`);
    expect(JSON.parse((await lxcri("list", "--json")).stdout)).toMatchObject([{ id, status: "running" }]);
    expect((await lxcri("list", "--format", "json")).stdout).toBe((await lxcri("list", "--json")).stdout);
    expect((await lxcri("list", "-q")).stdout).toBe(`${id}\n`);
    const elsewhere = await runCommand(["--root", "/nosuch", "--data-root", world.at("data"), "list"]);
    expect(elsewhere.stdout).not.toContain(id);
  });

  test("stats: a table, or JSON; all that run, or those named", async () => {
    const { stdout } = await lxcri("stats", "--no-stream");
    expect(stdout).toContain("32.0 MiB");
    expect(stdout).toContain("of 9");
    expect(JSON.parse((await lxcri("stats", "--no-stream", "--json", id)).stdout)).toMatchObject([
      { name: id, memoryLimit: 32 << 20, processes: 1, processLimit: 9, cpuPercent: expect.any(Number) },
    ]);
    expect(await lxcri("stats", "--no-stream", "nosuch")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("does not exist"),
    });
    const stop = AbortSignal.timeout(400);
    const stream = await runCommand([...world.argv.slice(1), "stats", "--json"], { signal: stop });
    expect(stream.stdout.trim().split("\n").length).toBeGreaterThan(0);
  });

  test("top, inspect, cp", async () => {
    expect((await lxcri("top", id)).stdout).toMatch(/COMMAND\n.*sleep 1000/);
    expect((await lxcri("top", id, "-o", "pid")).stdout).toMatch(/^\s*PID\n\s*\d+\n$/);
    expect(JSON.parse((await lxcri("inspect", id)).stdout)).toMatchObject([
      { name: id, status: "running", config: { hostname: id } },
    ]);
    writeFileSync(world.at("file"), "x");
    expect(await lxcri("cp", world.at("file"), `${id}:/tmp`)).toMatchObject({ code: 0, stderr: "" });
    expect(await lxcri("cp", `${id}:/tmp/file`, world.at("back"))).toMatchObject({ code: 0 });
    expect(await Bun.file(world.at("back")).text()).toBe("x");
    for (const ends of [
      ["/a", "/b"],
      ["a:/b", "c:/d"],
      ["", "a:/b"],
    ]) {
      expect(await lxcri("cp", ...ends)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Usage:"),
      });
    }
  });

  test("rm and rename refuse it", async () => {
    expect((await lxcri("rm", id)).stderr).toContain(`proxmox-lxcri stop ${id}`);
    expect((await lxcri("rename", id, other)).stderr).toContain("not stopped");
    expect((await lxcri("start", id)).stderr).toContain("its status is running");
  });
});

test("flags that make no sense are usage errors", async () => {
  for (const argv of [
    ["stop", "--time", "-1", id],
    ["logs", "--tail", "some", id],
    ["logs", "--since", "2026-99-99", id],
    ["logs", "--since", "soon", id],
  ]) {
    expect(await lxcri(...argv)).toMatchObject({ code: 1, stderr: expect.stringContaining("Usage:") });
  }
});

test("stop, wait, rename, rm", async () => {
  const waiting = lxcri("wait", id);
  expect(await lxcri("stop", "--time", "0", id)).toMatchObject({ code: 0, stderr: "" });
  expect(await waiting).toMatchObject({ code: 0, stdout: "137\n" });
  expect((await lxcri("list")).stdout).toContain("stopped (137)");
  expect(await lxcri("rename", id, other)).toMatchObject({ code: 0 });
  expect(await lxcri("shell", other)).toMatchObject({ code: 1, stderr: expect.stringContaining(other) });
  expect((await lxcri("attach", other)).stderr).toContain("nobody listens");
  expect(await lxcri("logs", other)).toMatchObject({ code: 0 });
  expect(await lxcri("rm", other)).toMatchObject({ code: 0, stderr: "" });
  expect(await lxcri("rm", "--force", other)).toMatchObject({ code: 0 });
  expect((await lxcri("wait", other)).stderr).toContain("does not exist");
});
