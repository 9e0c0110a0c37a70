/** runtime-spec config.md, "POSIX-platform Hooks", and runtime.md, "Lifecycle". */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { TestBundle } from "./bundle.ts";

interface HookState {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid?: number;
  readonly status: string;
  readonly bundle: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A hook of the host: a shell script, with the arguments that it gets. */
const hook = (script: string, more: object = {}) => ({
  path: "/bin/sh",
  args: ["sh", "-c", script],
  ...more,
});

test("all six kinds: order, namespaces, state", async () => {
  await using bundle = await TestBundle.make();
  const log = join(bundle.folder, "log");
  const note = (name: string) =>
    hook(
      `read state; echo "${name} $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/net) $state" >> ${log}`,
    );
  const inside = {
    path: "/bin/sh",
    args: ["sh", "-c", 'read state; echo "startContainer $(readlink /proc/self/ns/mnt) - $state" >> /log'],
  };
  const pid = await bundle.create({
    script: "echo program >> /log; sleep 100",
    extra: {
      annotations: { "org.example": "a b" },
      hooks: {
        prestart: [note("prestart")],
        createRuntime: [note("createRuntime"), note("second")],
        createContainer: [note("createContainer")],
        startContainer: [inside],
        poststart: [note("poststart")],
        poststop: [note("poststop")],
      },
    },
  });
  const entries = (path: string) =>
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => {
        const [name = "", mounts = "", network = "", ...state] = line.split(" ");
        return { name, mounts, network, state: JSON.parse(state.join(" ") || "{}") as HookState };
      });
  const [own, container] = [readlinkSync("/proc/self/ns/mnt"), readlinkSync(`/proc/${pid}/ns/mnt`)];
  await bundle.ok("start", bundle.id);
  for (let i = 0; i < 100 && !readFileSync(join(bundle.rootfs, "log"), "utf8").includes("program"); i += 1) {
    await Bun.sleep(10);
  }
  await bundle.ok("delete", "--force", bundle.id);

  expect(entries(log).map(({ name, state }) => [name, state.status])).toEqual([
    ["prestart", "creating"],
    ["createRuntime", "creating"],
    ["second", "creating"],
    ["createContainer", "creating"],
    ["poststart", "running"],
    ["poststop", "stopped"],
  ]);
  for (const { name, mounts, network, state } of entries(log)) {
    expect(mounts).toBe(name === "createContainer" ? container : own);
    if (name !== "createContainer") expect(network).toBe(readlinkSync("/proc/self/ns/net"));
    expect(state).toMatchObject({
      ociVersion: "1.3.0",
      id: bundle.id,
      bundle: bundle.path,
      annotations: { "org.example": "a b" },
    });
    if (name === "poststop") expect(state.pid).toBeUndefined();
    else if (name !== "createContainer") expect(state.pid).toBe(pid);
  }
  const [started, program] = readFileSync(join(bundle.rootfs, "log"), "utf8").split("\n");
  expect(started).toStartWith(`startContainer ${container} - `);
  expect(program).toBe("program");
});

test("env and args are the config's own, and nothing of ours", async () => {
  await using bundle = await TestBundle.make();
  const out = join(bundle.folder, "env");
  const hooks = {
    createRuntime: [
      {
        path: "/bin/sh",
        args: ["my name", "-c", `echo "$0" > ${out}; /usr/bin/env >> ${out}`, "zero"],
        env: ["A=1"],
      },
    ],
  };
  await bundle.run({ script: "true", extra: { hooks } });
  expect(
    readFileSync(out, "utf8")
      .split("\n")
      .filter((line) => !/^(PWD|SHLVL|_)=/.test(line)),
  ).toEqual(["zero", "A=1", ""]);
});

describe("a failing hook", () => {
  test.each(["prestart", "createRuntime", "createContainer"])(
    "%s stops create and leaves nothing",
    async (kind) => {
      await using bundle = await TestBundle.make();
      const reached = join(bundle.folder, "reached");
      const hooks = { [kind]: [hook("echo why >&2; exit 3"), hook(`touch ${reached}`)] };
      const { exitCode, stderr } = await bundle.run({ script: "touch /ran", extra: { hooks } });
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`${kind} hook #0`);
      expect(stderr).toContain("exit status 3");
      expect(stderr).toContain("why");
      expect(existsSync(reached)).toBe(false);
      expect(existsSync(join(bundle.rootfs, "ran"))).toBe(false);
      expect(await bundle.leftovers()).toEqual([]);
    },
  );

  test("startContainer stops start; the program never runs", async () => {
    await using bundle = await TestBundle.make();
    await bundle.create({ script: "touch /ran", extra: { hooks: { startContainer: [hook("exit 4")] } } });
    const { exitCode, stderr } = await bundle.cli("start", bundle.id);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("startContainer hook #0");
    expect(existsSync(join(bundle.rootfs, "ran"))).toBe(false);
    expect(JSON.parse(await bundle.ok("state", bundle.id))).toMatchObject({ status: "stopped" });
  });

  test("poststart and poststop only warn", async () => {
    await using bundle = await TestBundle.make();
    const hooks = { poststart: [hook("exit 5")], poststop: [hook("exit 6")] };
    await bundle.create({ script: "sleep 100", extra: { hooks } });
    const started = await bundle.cli("start", bundle.id);
    expect(started.exitCode).toBe(0);
    expect(started.stderr).toContain("poststart hook #0");
    const deleted = await bundle.cli("delete", "--force", bundle.id);
    expect(deleted.exitCode).toBe(0);
    expect(deleted.stderr).toContain("poststop hook #0");
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("one that hangs is ended with its children after its time", async () => {
    await using bundle = await TestBundle.make();
    const hooks = { createRuntime: [hook("sleep 1001 & sleep 1002", { timeout: 1 })] };
    const started = performance.now();
    const { exitCode, stderr } = await bundle.run({ script: "true", extra: { hooks } });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("timed out after 1 s");
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("one that prints garbage without end, or is missing, is told in one clean line", async () => {
    await using bundle = await TestBundle.make();
    const garbage = {
      createRuntime: [hook("head -c 3000000 /dev/urandom; printf '\\033[31mred\\033[0m'; exit 1")],
    };
    const loud = await bundle.run({ script: "true", extra: { hooks: garbage } });
    expect(loud.exitCode).toBe(1);
    expect(loud.stderr.length).toBeLessThan(8_000);
    expect(loud.stderr).not.toContain("\u001b");
    const missing = { createRuntime: [{ path: "/no/such/hook" }] };
    const absent = await bundle.run({ script: "true", extra: { hooks: missing } });
    expect(absent.exitCode).toBe(1);
    expect(absent.stderr).toContain("/no/such/hook");
    expect(absent.stderr).toContain("no such file or directory");
    expect(await bundle.leftovers()).toEqual([]);
  });
});
