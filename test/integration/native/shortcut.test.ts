/** `start` and `delete` by the launcher's way (native/shortcut.c) and by the engine: who looks sees no difference. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunResult, run } from "../../../src/host/process.ts";
import { runtimeUnderTest } from "../../conformance/runtime-under-test.ts";
import { TestBundle } from "../spec/bundle.ts";

/** Both programs: the launcher takes the short way where it may, the engine beside it never. */
const ways = [
  ["launcher", runtimeUnderTest],
  ["engine", `${runtimeUnderTest}-engine`],
] as const;

const call = (program: string, bundle: TestBundle, ...args: readonly string[]): Promise<RunResult> =>
  run([program, "--root", bundle.root, ...args], { timeout: 20_000 });

const status = async (bundle: TestBundle): Promise<string> =>
  (JSON.parse(await bundle.ok("state", bundle.id)) as { status: string }).status;

/** Types of the container's events so far; each has a time and the id. */
const events = (bundle: TestBundle): string[] =>
  readFileSync(join(bundle.root, "runtime/events.log"), "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const { time, type, id } = JSON.parse(line) as Record<string, string>;
      expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Math.abs(Date.now() - Date.parse(time ?? ""))).toBeLessThan(60_000);
      expect(id).toBe(bundle.id);
      return type ?? "";
    });

async function untilStopped(bundle: TestBundle): Promise<void> {
  for (let i = 0; i < 200 && (await status(bundle)) !== "stopped"; i += 1) await Bun.sleep(10);
  expect(await status(bundle)).toBe("stopped");
}

const folderOf = (bundle: TestBundle): string => join(bundle.root, "containers", bundle.id);
const silent = { exitCode: 0, stdout: "", stderr: "" };

describe.each(ways)("by the %s", (_name, program) => {
  test("a life: created, started, over, deleted", async () => {
    await using bundle = await TestBundle.make();
    await bundle.create({ script: "exit 3" });
    expect(await call(program, bundle, "start", bundle.id)).toMatchObject(silent);
    await untilStopped(bundle);
    expect(await call(program, bundle, "delete", bundle.id)).toMatchObject(silent);
    expect(events(bundle)).toEqual(["create", "start", "delete"]);
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("what must be refused is, in the same words", async () => {
    await using bundle = await TestBundle.make();
    const id = JSON.stringify(bundle.id);
    const refused = async (text: string, ...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await call(program, bundle, ...args, bundle.id);
      expect({ exitCode, stdout, first: stderr.split("\n")[0] }).toEqual({
        exitCode: 1,
        stdout: "",
        first: `proxmox-lxcri: ${text}`,
      });
    };
    await refused(`container ${id} does not exist`, "start");
    await refused(`container ${id} does not exist`, "delete");
    expect(await call(program, bundle, "delete", "--force", bundle.id)).toMatchObject(silent);
    expect(existsSync(join(bundle.root, "locks", bundle.id))).toBe(false);

    await bundle.start({ script: "sleep 100" });
    await refused(`cannot start container ${id}: its status is running`, "start");
    await refused(`cannot delete container ${id} that is not stopped: running`, "delete");
    expect(await status(bundle)).toBe("running");

    await bundle.ok("kill", bundle.id, "KILL");
    await untilStopped(bundle);
    await refused(`cannot start container ${id}: its status is stopped`, "start");
    expect(await call(program, bundle, "delete", "-f", bundle.id)).toMatchObject(silent);
    expect(events(bundle)).toEqual(["create", "start", "kill", "delete"]);
  });

  test("a created container is deleted without its start, a running one by force", async () => {
    await using bundle = await TestBundle.make();
    await bundle.create({ script: "sleep 100" });
    expect(await call(program, bundle, "delete", bundle.id)).toMatchObject(silent);
    await bundle.start({ script: "sleep 100" });
    expect(await call(program, bundle, "delete", "--force", bundle.id)).toMatchObject(silent);
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("a paused container does not start, and does afterwards", async () => {
    await using bundle = await TestBundle.make();
    await bundle.create({ script: "sleep 100" });
    await bundle.ok("pause", bundle.id);
    const { exitCode, stderr } = await call(program, bundle, "start", bundle.id);
    expect([exitCode, stderr]).toEqual([
      1,
      `proxmox-lxcri: cannot start container ${JSON.stringify(bundle.id)}: its status is paused\n`,
    ]);
    await bundle.ok("resume", bundle.id);
    expect(await call(program, bundle, "start", bundle.id)).toMatchObject(silent);
    expect(await status(bundle)).toBe("running");
  });

  test("it waits for who holds the lock", async () => {
    await using bundle = await TestBundle.make();
    await bundle.create({ script: "sleep 100" });
    const lock = join(bundle.root, "locks", bundle.id);
    const script = 'exec 9<>"$0"; flock 9; echo held; sleep 0.7; echo free';
    const holder = Bun.spawn(["sh", "-c", script, lock], { stdout: "pipe" });
    const reader = holder.stdout.getReader();
    await reader.read();
    let freed = 0;
    const free = reader.read().then(() => {
      freed = performance.now();
    });
    expect(await call(program, bundle, "start", bundle.id)).toMatchObject(silent);
    const done = performance.now();
    await free;
    expect(done).toBeGreaterThan(freed);
    await holder.exited;
  });

  test.each(["text", "json"])("an error goes to the %s log, and to standard error", async (format) => {
    await using bundle = await TestBundle.make();
    const hooks = {
      startContainer: [{ path: "/bin/sh", args: ["sh", "-c", 'echo "my \\"words\\""; exit 4'] }],
    };
    await bundle.create({ script: "true", extra: { hooks } });
    const log = join(bundle.folder, "log");
    const flags = ["--log", log, "--log-format", format];
    const { exitCode, stderr } = await call(program, bundle, ...flags, "start", bundle.id);
    const text = 'error running startContainer hook #0 (/bin/sh): exit status 4: my "words" ';
    expect([exitCode, stderr]).toEqual([1, `proxmox-lxcri: ${text}\n`]);
    const line = readFileSync(log, "utf8");
    if (format === "json") {
      expect(JSON.parse(line)).toEqual({ level: "error", msg: text, time: expect.stringMatching(/Z$/) });
      expect(line.endsWith("}\n")).toBe(true);
    } else {
      expect(line).toMatch(
        /^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=error msg="error running .*my \\"words\\" "\n$/,
      );
    }
    // What the hook left is in the container's folder.
    expect(readFileSync(join(folderOf(bundle), "hooks/startContainer.0"), "utf8")).toBe(
      '/bin/sh: exit status 4\nmy "words"\n\n',
    );
  });

  test("a failed poststart hook is a warning: in the log where there is one, else on standard error", async () => {
    await using bundle = await TestBundle.make();
    const hooks = { poststart: [{ path: "/bin/sh", args: ["sh", "-c", "echo no; exit 1"] }] };
    const text = "poststart hook #0 /bin/sh: exit status 1: no ";
    await bundle.create({ script: "sleep 100", extra: { hooks } });
    expect(await call(program, bundle, "start", bundle.id)).toMatchObject({
      ...silent,
      stderr: `proxmox-lxcri: warning: ${text}\n`,
    });
    await bundle.ok("delete", "--force", bundle.id);
    await bundle.create({ script: "sleep 100", extra: { hooks } });
    const log = join(bundle.folder, "log");
    expect(await call(program, bundle, "--log", log, "--log-format=json", "start", bundle.id)).toMatchObject(
      silent,
    );
    expect(JSON.parse(readFileSync(log, "utf8"))).toMatchObject({ level: "warning", msg: text });
    expect(readdirSync(join(folderOf(bundle), "hooks"))).toEqual(["poststart.0"]);
  });

  test("poststop hooks run", async () => {
    await using bundle = await TestBundle.make();
    const mark = join(bundle.folder, "mark");
    const hooks = { poststop: [{ path: "/bin/sh", args: ["sh", "-c", `cat > ${mark}`] }] };
    await bundle.start({ script: "true", extra: { hooks } });
    await untilStopped(bundle);
    expect(await call(program, bundle, "delete", bundle.id)).toMatchObject(silent);
    expect(JSON.parse(readFileSync(mark, "utf8"))).toMatchObject({ status: "stopped", id: bundle.id });
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("a wrong log format is refused before anything is done", async () => {
    await using bundle = await TestBundle.make();
    await bundle.create({ script: "sleep 100" });
    const { exitCode, stderr } = await call(program, bundle, "--log-format", "xml", "start", bundle.id);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('invalid value "xml"');
    expect(await status(bundle)).toBe("created");
  });

  test("with all standard streams closed it does the same", async () => {
    await using bundle = await TestBundle.make();
    const hooks = {
      poststart: [{ path: "/bin/sh", args: ["sh", "-c", `cat >"$0"; exit 1`, `${bundle.folder}/said`] }],
    };
    await bundle.create({ script: "sleep 100", extra: { hooks } });
    const closed = 'exec "$@" <&- >&- 2>&-';
    const { exitCode } = await run([
      "sh",
      "-c",
      closed,
      "sh",
      program,
      "--root",
      bundle.root,
      "start",
      bundle.id,
    ]);
    expect(exitCode).toBe(0);
    expect(await status(bundle)).toBe("running");
    expect(JSON.parse(readFileSync(join(bundle.folder, "said"), "utf8"))).toMatchObject({
      status: "running",
    });
    expect(readFileSync(join(bundle.root, "locks", bundle.id), "utf8")).toMatch(/^\d*\n?$/);
  });

  test("a damaged plan of delete harms nothing", async () => {
    for (const harm of [
      (path: string) => truncateSync(path),
      (path: string) => truncateSync(path, 7),
      (path: string) => writeFileSync(path, "rubbish that is long enough"),
      (path: string) => rmSync(path),
    ]) {
      await using bundle = await TestBundle.make();
      await bundle.start({ script: "true" });
      await untilStopped(bundle);
      harm(join(folderOf(bundle), "delete.plan"));
      expect(await call(program, bundle, "delete", bundle.id)).toMatchObject(silent);
      expect(await bundle.leftovers()).toEqual([]);
    }
  });
});

test("the launcher's way is taken at all: no engine is needed for it", async () => {
  await using bundle = await TestBundle.make();
  await bundle.create({ script: "true" });
  // Beside this copy of the launcher there is no engine.
  const alone = join(bundle.folder, "proxmox-lxcri");
  for (const suffix of ["", "-native"])
    await Bun.write(`${alone}${suffix}`, Bun.file(`${runtimeUnderTest}${suffix}`));
  await run(["chmod", "755", alone, `${alone}-native`]);
  expect(await call(alone, bundle, "start", bundle.id)).toMatchObject(silent);
  await untilStopped(bundle);
  expect(await call(alone, bundle, "delete", bundle.id)).toMatchObject(silent);
  expect(await bundle.leftovers()).toEqual([]);
  const { exitCode, stderr } = await call(alone, bundle, "delete", bundle.id);
  expect(exitCode).toBe(1);
  expect(stderr).toBe(`proxmox-lxcri: cannot start ${alone}-engine: no such file or directory\n`);
});
