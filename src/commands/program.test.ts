import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { TestContainers } from "../containers/containers.fixture.ts";
import { parseConfig } from "../spec/parse.ts";
import { runCommand } from "./command.fixture.ts";
import type { Command } from "./command.ts";
import { parseFlags } from "./parse.ts";
import { commandNames, loadCommand } from "./registry.ts";

/** Runs a command on the containers of `made`. */
const on = (made: TestContainers, ...argv: string[]) => runCommand(["--root", made.root, ...argv]);

/** By all the words that call them. */
async function allCommands(): Promise<[string, Command][]> {
  const found: [string, Command][] = [];
  for (const name of commandNames) {
    const loaded = await loadCommand(name);
    if (loaded === undefined) continue;
    if (!("subcommands" in loaded)) found.push([name, loaded]);
    else {
      for (const [second, load] of Object.entries(loaded.subcommands)) {
        found.push([`${name} ${second}`, (await load()).command]);
      }
    }
  }
  return found;
}

describe("the program", () => {
  test("--version has the lines that go-runc parses", async () => {
    for (const flag of ["--version", "-v"]) {
      const { code, stdout } = await runCommand([flag]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^proxmox-lxcri version \S+\ncommit: \S+\nspec: 1\.3\.0\n$/);
    }
  });

  test.each([["--help"], ["-h"], ["help"], []])("help for %p names every command", async (...argv) => {
    const { code, stdout, stderr } = await runCommand(argv as string[]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const name of commandNames) expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, "m"));
  });

  test("--help of each shows its flags and examples, exit code 0", async () => {
    for (const [name, command] of await allCommands()) {
      const { code, stdout } = await runCommand([...name.split(" "), "--help"]);
      expect(code).toBe(0);
      expect(command.name).toBe(name);
      for (const flag of command.flags) expect(stdout).toContain(`--${flag.name}`);
      for (const example of command.examples) expect(stdout).toContain(`  proxmox-lxcri ${example}\n`);
      expect((await runCommand(["help", ...name.split(" ")])).stdout).toBe(stdout);
    }
  });

  test("--help of a group names its commands; without one of them it is an error", async () => {
    for (const name of commandNames) {
      const group = await loadCommand(name);
      if (group === undefined || !("subcommands" in group)) continue;
      const { code, stdout } = await runCommand([name, "--help"]);
      expect(code).toBe(0);
      for (const each of Object.keys(group.subcommands)) {
        expect(stdout).toMatch(new RegExp(`^  ${name} ${each} +\\S`, "m"));
      }
      expect((await runCommand(["help", name])).stdout).toBe(stdout);
      const bare = await runCommand([name]);
      expect(bare.code).toBe(1);
      expect(bare.stderr).toContain(`"${name}" takes a command`);
      expect((await runCommand([name, "constructor"])).stderr).toContain(
        `no such command: ${name} constructor`,
      );
    }
  });

  test("every example is understood", async () => {
    for (const [name, command] of await allCommands()) {
      expect(command.examples.length).toBeGreaterThan(0);
      for (const example of command.examples) {
        expect(` ${example} `).toContain(` ${name} `);
        const own = example.slice(example.indexOf(name) + name.length + 1).split(" ");
        expect(() => parseFlags(own, command.flags, command.inOrder === true)).not.toThrow();
      }
    }
  });

  test.each([
    [["frobnicate"], "no such command: frobnicate"],
    [["constructor"], "no such command: constructor"],
    [["--bogus", "list"], "flag provided but not defined: -bogus"],
    [["list", "--fromat", "json"], "Did you mean --format?"],
    [["kil", "x"], "Did you mean kill?"],
    [["state"], '"state" requires exactly 1 argument(s), not 0'],
    [["kill"], '"kill" requires a minimum of 1 argument(s), not 0'],
    [["kill", "a", "9", "b"], '"kill" takes at most 2 argument(s), not 3'],
    [["--root", "", "list"], "--root must not be empty"],
    [["--cgroup-manager", "magic", "list"], "not one of cgroupfs, systemd, disabled"],
    [["exec", "x"], "process args cannot be empty"],
    [["exec", "--user", "4294967295", "x", "sh"], "not a user or group number"],
    [["create", "--preserve-fds", "-1", "x"], "--preserve-fds must not be negative"],
    [["update", "x"], "nothing to update"],
    [["events", "--interval", "0s", "x"], "invalid duration"],
  ])("%p is refused with a usage line", async (argv, message) => {
    const { code, stdout, stderr } = await runCommand(argv);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^Usage: proxmox-lxcri /m);
  });

  test("the globals of runc, crun and youki are taken", async () => {
    await using made = new TestContainers();
    const argv = [
      "--criu",
      "/usr/bin/criu",
      "--log-level=info",
      "--rootless=auto",
      "--debug",
      "--systemd-cgroup",
    ];
    expect(await on(made, ...argv, "--log-format=json", "list", "--quiet")).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });

  test("an error goes to standard error and, with --log, as JSON to the file", async () => {
    await using made = new TestContainers();
    const path = `${made.root}/log.json`;
    const { code, stdout, stderr } = await on(made, "--log", path, "--log-format", "json", "state", "no");
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "",
      stderr: 'proxmox-lxcri: container "no" does not exist\n',
    });
    const line = JSON.parse(readFileSync(path, "utf8"));
    expect(line).toEqual({ level: "error", msg: 'container "no" does not exist', time: expect.any(String) });
    expect(Number.isNaN(Date.parse(line.time))).toBe(false);
  });

  test("a relative --root is taken from the working directory", async () => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false });
    const cwd = made.root.slice(0, made.root.lastIndexOf("/"));
    const { stdout } = await runCommand(["--root", made.root.slice(cwd.length + 1), "list", "-q"], { cwd });
    expect(stdout).toBe("one\n");
  });
});

describe("commands on containers", () => {
  test("state prints what the runtime-spec wants", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    const { code, stdout } = await on(made, "state", "one");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ociVersion: "1.3.0",
      id: "one",
      status: "running",
      pid: init.pid,
      bundle: `${made.root}/bundle`,
      annotations: { "org.example": "yes" },
    });
  });

  test("list has runc's table and JSON", async () => {
    await using made = new TestContainers();
    expect((await on(made, "list")).stdout).toBe(
      "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n",
    );
    const { init } = made.make("one", { cgroup: false });
    const stopped = made.make("two", { cgroup: false });
    stopped.init.kill("SIGKILL");
    await stopped.init.exited;
    const rows = (await on(made, "list")).stdout.trimEnd().split("\n").slice(1);
    expect(rows.map((row) => row.split(/ {3,}/))).toEqual([
      ["one", String(init.pid), "running", `${made.root}/bundle`, "2026-01-02T03:04:05.678Z", "root"],
      ["two", "0", "stopped", `${made.root}/bundle`, "2026-01-02T03:04:05.678Z", "root"],
    ]);
    const json = JSON.parse((await on(made, "list", "--format=json")).stdout);
    expect(json.map((each: { id: string; pid: number }) => [each.id, each.pid])).toEqual([
      ["one", init.pid],
      ["two", 0],
    ]);
    expect((await on(made, "list", "-q")).stdout).toBe("one\ntwo\n");
  });

  test("ps passes its options to the system's ps", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    expect(JSON.parse((await on(made, "ps", "--format", "json", "one")).stdout)).toEqual([init.pid]);
    expect((await on(made, "ps", "one")).stdout).toMatch(/^UID +PID .*\n.*sleep 1000\n$/);
    expect((await on(made, "ps", "--format", "table", "one", "-e", "-o", "pid,comm")).stdout).toContain(
      "sleep",
    );
  });

  test("kill by name and number, delete, and both on what is not there", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    expect((await on(made, "kill", "one", "NOSUCH")).stderr).toContain("unknown signal");
    expect((await on(made, "delete", "one")).stderr).toContain("that is not stopped: running");
    expect((await on(made, "kill", "one", "SIGTERM")).code).toBe(0);
    expect(await init.exited).toBe(143);
    expect((await on(made, "kill", "one", "9")).stderr).toContain("container not running");
    expect((await on(made, "kill", "-a", "one", "9")).code).toBe(0);
    expect(await on(made, "delete", "one")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await on(made, "delete", "one")).stderr).toContain("does not exist");
    expect((await on(made, "delete", "--force", "one")).code).toBe(0);
    expect((await on(made, "kill", "one", "9")).stderr).toContain("does not exist");
    const events = readFileSync(`${made.root}/runtime/events.log`, "utf8").trim().split("\n");
    expect(events.map((line) => JSON.parse(line).type)).toEqual(["kill", "kill", "delete"]);
  });

  test("pause and resume", async () => {
    await using made = new TestContainers();
    made.make("one");
    expect((await on(made, "pause", "one")).code).toBe(0);
    expect(JSON.parse((await on(made, "state", "one")).stdout).status).toBe("paused");
    expect((await on(made, "resume", "one")).code).toBe(0);
    expect((await on(made, "resume", "one")).stderr).toContain("container not paused");
    expect((await on(made, "pause", "no")).stderr).toContain("does not exist");
    expect(existsSync(`${made.root}/locks/no`)).toBe(false);
  });

  test("update by flags, by file and by standard input", async () => {
    await using made = new TestContainers();
    const { leaf } = made.make("one");
    const pids = () => leaf?.read("pids", "pids.max");
    expect(await on(made, "update", "--pids-limit", "11", "one")).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    expect(pids()).toBe("11");
    const path = `${made.root}/resources.json`;
    writeFileSync(path, '{"pids":{"limit":12}}');
    expect((await on(made, "update", `--resources=${path}`, "--pids-limit=99", "one")).code).toBe(0);
    expect(pids()).toBe("12");
    const stdin = '{"pids":{"limit":13}}';
    expect((await runCommand(["--root", made.root, "update", "-r", "-", "one"], { stdin })).code).toBe(0);
    expect(pids()).toBe("13");
    for (const bad of ["{", '{"pids":{"limit":"x"}}', '{"pid":{"limit":5}}']) {
      const { code } = await runCommand(["--root", made.root, "update", "-r", "-", "one"], { stdin: bad });
      expect(code).toBe(1);
    }
    writeFileSync(made.store.configPath("one"), "{}");
    // Where the machine has it, it would make a class of service.
    if (!existsSync("/sys/fs/resctrl/schemata")) {
      const { code, stderr } = await on(made, "update", "--l3-cache-schema", "L3:0=f", "one");
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("linux.intelRdt") });
    }
    expect(pids()).toBe("13");
  });

  test("events: the figures once, and until the container ends", async () => {
    await using made = new TestContainers();
    const { init } = made.make("one");
    const once = await on(made, "events", "--stats", "one");
    expect(JSON.parse(once.stdout)).toMatchObject({
      type: "stats",
      id: "one",
      data: { pids: { current: 1 } },
    });
    const watching = on(made, "events", "--interval", "20ms", "one");
    await Bun.sleep(100);
    init.kill("SIGKILL");
    const { code, stdout } = await watching;
    expect(code).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(JSON.parse(line).type).toBe("stats");
    await init.exited;
    expect((await on(made, "events", "--stats", "one")).stderr).toContain("container not running");
  });

  test("events tell of an OOM kill when it happens", async () => {
    await using made = new TestContainers();
    const { leaf } = made.make("one", {
      argv: ["sh", "-c", "read -r go < /dev/null; sleep 0.3; exec tail /dev/zero"],
    });
    expect((await on(made, "update", "--memory", "16m", "one")).code).toBe(0);
    const { stdout } = await on(made, "events", "--interval", "1h", "one");
    expect(stdout).toContain('{"type":"oom","id":"one"}\n');
    expect(leaf?.oomKills()).toBe(1);
  });

  test("events end when they are interrupted", async () => {
    await using made = new TestContainers();
    made.make("one");
    const controller = new AbortController();
    const watching = runCommand(["--root", made.root, "events", "one"], { signal: controller.signal });
    await Bun.sleep(20);
    controller.abort();
    expect((await watching).code).toBe(0);
  });

  test("checkpoint and restore take their flags and say not yet", async () => {
    await using made = new TestContainers();
    made.make("one", { cgroup: false });
    const both = [
      "--image-path",
      "/i",
      "--work-path=/w",
      "--tcp-established",
      "--file-locks",
      "--empty-ns",
      "network",
    ];
    const checkpoint = await on(made, "checkpoint", ...both, "--leave-running", "--status-fd", "3", "one");
    expect(checkpoint).toMatchObject({ code: 1, stderr: expect.stringContaining("not yet supported") });
    const restore = await on(
      made,
      "restore",
      ...both,
      "--detach",
      "-no-subreaper",
      "--lsm-profile=x",
      "--bundle",
      "/b",
      "two",
    );
    expect(restore).toMatchObject({ code: 1, stderr: expect.stringContaining("not yet supported") });
  });
});

describe("commands without a container", () => {
  test("spec writes a valid config once", async () => {
    const folder = mkdtempSync(`${tmpdir()}/lxcri-spec-`);
    expect(await runCommand(["spec", "--bundle", folder])).toEqual({ code: 0, stdout: "", stderr: "" });
    const text = readFileSync(`${folder}/config.json`, "utf8");
    expect(parseConfig(text).warnings).toEqual([]);
    expect((await runCommand(["spec"], { cwd: folder })).stderr).toContain("exists. Remove it first");
    expect(readFileSync(`${folder}/config.json`, "utf8")).toBe(text);
    expect((await runCommand(["spec", "--bundle", `${folder}/no`])).code).toBe(1);
    rmSync(folder, { recursive: true });
  });

  test("features is a document of the runtime-spec", async () => {
    const { code, stdout } = await runCommand(["features"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ociVersionMax: "1.3.0",
      linux: { cgroup: { v1: true, v2: true }, seccomp: { enabled: true } },
    });
  });
});
