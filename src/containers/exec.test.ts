/** What `exec` decides: the plan that it hands over, read at the place where the C program would. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { nested, valuesOf } from "../lxc/plan.fixture.ts";
import type { Config } from "../spec/config.ts";
import { defaultConfig } from "../spec/default-config.ts";
import { TestContainers } from "./containers.fixture.ts";
import type { ExecOptions, ExecProcess } from "./options.ts";
import { pauseContainer, resumeContainer } from "./pause.ts";

let made: TestContainers;
let config: Config;
beforeAll(() => {
  made = new TestContainers();
  made.make("one");
  config = {
    ...defaultConfig(),
    process: {
      ...defaultConfig().process,
      env: ["A=1"],
      cwd: "/work",
      user: { uid: 5, gid: 6, additionalGids: [7] },
      capabilities: { bounding: ["CAP_CHOWN"] },
      noNewPrivileges: false,
      consoleSize: { height: 1, width: 2 },
    },
  };
  writeFileSync(made.store.configPath("one"), JSON.stringify(config));
});
afterAll(async () => await made[Symbol.asyncDispose]());

const process: ExecProcess = {
  kind: "arguments",
  args: ["ls", "-l"],
  env: [],
  additionalGids: [],
  tty: false,
  capabilities: [],
  noNewPrivileges: false,
};

type Options = Partial<Omit<ExecOptions, "store" | "log">>;

/** A process of its own calls it, since it ends the process that does; the descriptor for the plan is a file. */
const script = `
const { execProcess } = await import(process.argv[1]);
const { ContainerStore } = await import(process.argv[2]);
const log = { path: undefined, format: "text", error() {}, warning: (m) => console.log(m), debug() {} };
try { await execProcess({ ...JSON.parse(process.argv[4]), store: ContainerStore.open(process.argv[3]), log }); }
catch (error) { console.log(JSON.stringify([error.code, error.message])); process.exit(9); }
`;

function exec(options: Options) {
  const file = `${made.root}/plan-${crypto.randomUUID()}`;
  const given = {
    id: "one",
    process,
    detach: false,
    ignorePaused: false,
    cgroups: [],
    preserveFds: 0,
    ...options,
  };
  const modules = [`${import.meta.dir}/exec.ts`, `${import.meta.dir}/store.ts`];
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    [globalThis.process.execPath, "-e", script, ...modules, made.root, JSON.stringify(given)],
    { stdio: ["ignore", "pipe", "pipe", Bun.file(file)], env: { ...Bun.env, LXCRI_PLAN_FD: "3" } },
  );
  expect(stderr.toString()).toBe("");
  return { exitCode, said: stdout.toString(), file };
}

/** The plan of a call that goes well. */
function planOf(options: Options): Buffer {
  const { exitCode, said, file } = exec(options);
  expect([exitCode, said]).toEqual([0, ""]);
  const bytes = readFileSync(file);
  expect(bytes.readUInt32LE(0)).toBe(bytes.length - 4);
  return bytes.subarray(4);
}

const processIn = (plan: Buffer) => {
  const [pairs = []] = nested(plan, "process");
  return (key: string): string[] => pairs.flatMap(([name, value]) => (name === key ? [value] : []));
};

const failure = (options: Options): unknown => {
  const { exitCode, said } = exec(options);
  expect(exitCode).toBe(9);
  return JSON.parse(said);
};

test("the container's process with other arguments", () => {
  const plan = planOf({});
  const { init } = made.store.load("one");
  expect(valuesOf(plan, "pid")).toEqual([`${init?.pid}`]);
  expect(valuesOf(plan, "start-time")).toEqual([`${init?.startTime}`]);
  for (const key of ["detach", "chroot", "pid-file", "console-socket"])
    expect(valuesOf(plan, key)).toEqual([]);
  const of = processIn(plan);
  expect([
    of("arg"),
    of("env"),
    of("cwd"),
    of("uid"),
    of("gid"),
    of("group"),
    of("terminal"),
    of("rows"),
  ]).toEqual([["ls", "-l"], ["A=1"], ["/work"], ["5"], ["6"], ["7"], [], []]);
});

test("what the flags change", () => {
  const of = processIn(
    planOf({
      process: {
        ...process,
        env: ["A=2", "B=3"],
        cwd: "/other",
        user: { uid: 8 },
        additionalGids: [9],
        tty: true,
        capabilities: ["KILL", "CAP_CHOWN"],
        noNewPrivileges: true,
      },
      preserveFds: 2,
    }),
  );
  expect([of("env"), of("cwd"), of("uid"), of("gid"), of("group")]).toEqual([
    ["A=1", "A=2", "B=3"],
    ["/other"],
    ["8"],
    ["6"],
    ["7", "9"],
  ]);
  expect([of("terminal"), of("rows"), of("no-new-privileges"), of("preserve")]).toEqual([
    ["1"],
    [],
    ["1"],
    ["2"],
  ]);
  // KILL and CHOWN, in the sets that had none, too.
  for (const set of ["bounding", "effective", "permitted", "inheritable", "ambient"]) {
    expect([set, of(`cap-${set}`)]).toEqual([set, ["33"]]);
  }
});

test("where its ends go", () => {
  const plan = planOf({ detach: true, pidFile: "/p", consoleSocket: "/c", pidfdSocket: "/f" });
  expect(
    ["detach", "pid-file", "console-socket", "pidfd-socket"].map((key) => valuesOf(plan, key)[0]),
  ).toEqual(["1", "/p", "/c", "/f"]);
  // A console socket asks for a terminal.
  expect(processIn(plan)("terminal")).toEqual(["1"]);
});

describe("a process document", () => {
  const document = (value: object): ExecProcess => {
    const path = `${made.root}/process-${crypto.randomUUID()}.json`;
    writeFileSync(path, JSON.stringify(value));
    return { kind: "file", path };
  };

  test("stands for itself: nothing of the config's process is in it", () => {
    const of = processIn(planOf({ process: document({ args: ["id"], cwd: "/", user: { uid: 1, gid: 2 } }) }));
    expect([of("arg"), of("env"), of("group"), of("uid"), of("cap-bounding")]).toEqual([
      ["id"],
      [],
      [],
      ["1"],
      ["0"],
    ]);
  });

  test("a bad one is refused with its faults", () => {
    const [code, message] = failure({ process: document({ args: [], cwd: "relative" }) }) as [string, string];
    expect(code).toBe("invalid-config");
    expect(message).toContain("cwd");
  });
});

describe("groups", () => {
  const leaves = (): string[] => Object.values(made.store.load("one").cgroup?.leaves ?? {});

  test("the container's, in every hierarchy", () => {
    expect(valuesOf(planOf({}), "cgroup").sort()).toEqual(
      leaves()
        .map((folder) => `${folder}/cgroup.procs`)
        .sort(),
    );
  });

  test("one below, of all hierarchies or of one", () => {
    const below = valuesOf(planOf({ cgroups: ["sub/group"] }), "cgroup").sort();
    expect(below).toEqual(
      leaves()
        .map((folder) => `${folder}/sub/group/cgroup.procs`)
        .sort(),
    );
    const keys = Object.keys(made.store.load("one").cgroup?.leaves ?? {});
    const some = valuesOf(planOf({ cgroups: [`${keys[0]}:sub`] }), "cgroup");
    expect(some.filter((path) => path.endsWith("/sub/cgroup.procs")).length).toBe(1);
    expect(some.length).toBe(keys.length);
  });

  test("none outside", () => {
    expect(failure({ cgroups: ["../other"] })).toEqual([
      "cgroup-path-invalid",
      '--cgroup "../other": must not contain ".."',
    ]);
  });
});

describe("a container that cannot take it", () => {
  test("missing", () => {
    expect(failure({ id: "none" })).toEqual(["container-not-found", 'container "none" does not exist']);
  });

  test("stopped, or never begun", async () => {
    const { init } = made.make("two", { cgroup: false });
    init.kill("SIGKILL");
    await init.exited;
    expect(failure({ id: "two" })).toEqual([
      "container-not-running",
      'container not running: "two" is stopped',
    ]);
    made.make("three", { cgroup: false, record: { phase: "creating" } });
    expect(failure({ id: "three" })).toEqual([
      "container-not-running",
      'container not running: "three" is stopped',
    ]);
  });

  test("paused, unless that is wanted", async () => {
    await pauseContainer(made.store, "one");
    try {
      expect(failure({})).toEqual(["container-paused", 'cannot exec in a paused container: "one"']);
      expect(processIn(planOf({ ignorePaused: true }))("arg")).toEqual(["ls", "-l"]);
    } finally {
      await resumeContainer(made.store, "one");
    }
  });
});
