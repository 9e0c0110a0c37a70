/** What LXC and we hold open while a container is built must lead nobody out of it (CVE-2024-21626). */
import { expect, test } from "bun:test";
import { copyFileSync, existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../../src/host/process.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";
import { TestBundle } from "../spec/bundle.ts";

/** What a process has open beside its standard streams. */
const openIn = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`)
    .filter((fd) => Number(fd) > 2)
    .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/^.*\//, ""));

test("an init that waits holds nothing but what it waits at", async () => {
  await using bundle = await TestBundle.make();
  const pid = await bundle.create({ script: "true" });
  expect(openIn(pid).sort()).toEqual(["result.fifo", "start.fifo"]);
});

test("not even where more descriptors are to be kept than there are", async () => {
  await using bundle = await TestBundle.make();
  bundle.configure({ script: "ls /proc/self/fd | wc -l > /fds", extra: { root: { path: "rootfs" } } });
  await bundle.ok("create", "--preserve-fds", "50", "--bundle", bundle.path, bundle.id);
  const { pid } = JSON.parse(await bundle.ok("state", bundle.id)) as { pid: number };
  const folders = readdirSync(`/proc/${pid}/fd`).filter((fd) =>
    statSync(`/proc/${pid}/fd/${fd}`).isDirectory(),
  );
  expect(folders).toEqual([]);
  await bundle.ok("start", bundle.id);
  const file = join(bundle.rootfs, "fds");
  for (let i = 0; i < 100 && !(existsSync(file) && readFileSync(file, "utf8")); i += 1) await Bun.sleep(10);
  // The standard streams, and the folder that ls reads.
  expect(readFileSync(file, "utf8").trim()).toBe("4");
});

test("and the files of its own hooks' outcomes", async () => {
  await using bundle = await TestBundle.make();
  const hook = { path: "/bin/true" };
  const pid = await bundle.create({
    script: "true",
    extra: { hooks: { startContainer: [hook, hook], poststart: [hook] } },
  });
  expect(openIn(pid).sort()).toEqual(["result.fifo", "start.fifo", "startContainer.0", "startContainer.1"]);
});

/** A program of the host that no container has. */
function hostProgram(bundle: TestBundle): string {
  const path = join(bundle.folder, "echo");
  copyFileSync("/bin/busybox", path);
  return path;
}

const up = "../".repeat(20);

test("no program's path leads through a descriptor of create's", async () => {
  await using bundle = await TestBundle.make();
  const program = hostProgram(bundle);
  for (const fd of [3, 7, 10, 24, 26, 27, 30, 36, 46, 60, 100]) {
    const args = [`/proc/self/fd/${fd}/${up}${program}`, "escaped"] as const;
    const { exitCode, stdout, stderr } = await bundle.run({ process: { args } });
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/: (no such file or directory|not a directory)\n$/);
  }
}, 20_000);

test("no working directory either", async () => {
  await using bundle = await TestBundle.make();
  for (const fd of [7, 10, 27, 36]) {
    const { exitCode, stdout } = await bundle.run({
      script: "pwd",
      process: { cwd: `/proc/self/fd/${fd}/${up}` },
    });
    expect([exitCode, stdout]).not.toEqual([0, "/\n"]);
    if (exitCode === 0) expect(await bundle.leftovers()).toEqual([]);
  }
}, 20_000);

test("nor one that the caller of exec left open", async () => {
  await using bundle = await TestBundle.make();
  const program = hostProgram(bundle);
  await bundle.start({ script: "sleep 1000" });
  const line = 'exec 3</ 9</ 210</; exec "$@"';
  for (const fd of [3, 4, 5, 6, 7, 8, 9, 200, 201, 210, 211]) {
    const command = [
      runtimeUnderTest,
      "--root",
      bundle.root,
      "exec",
      bundle.id,
      `/proc/self/fd/${fd}/${up}${program}`,
    ];
    const { exitCode, stdout } = await run(["bash", "-c", line, "bash", ...command]);
    expect([exitCode, stdout]).not.toEqual([0, "escaped\n"]);
    expect(stdout).toBe("");
  }
});
