/** What a container's processes get of the one that called us: side by side with runc. */
import { describe, expect, test } from "bun:test";
import { type Outcome, Playground } from "./playground.fixture.ts";

/** A caller in an odd state; it becomes the command. */
const odd = [
  "sh",
  "-c",
  'umask 077; echo 500 >/proc/self/oom_score_adj; ulimit -S -n 512; exec 5</etc/passwd 9>/dev/null; exec "$@"',
  "sh",
  ...["nice", "-n", "5", "taskset", "-c", "0"],
  ...["env", "--ignore-signal=PIPE,CHLD,HUP,INT", "--block-signal"],
];
const files = ["status", "stat", "oom_score_adj", "limits"].map((name) => `/proc/self/${name}`);

/** What can be told about a process, from the files above. */
function traits(text: string): Record<string, string> {
  const lines = [
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "Umask",
    "Cpus_allowed_list",
    "NoNewPrivs",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "Groups",
    "Seccomp",
    "THP_enabled",
  ];
  const found = Object.fromEntries(
    lines.map((name) => [
      name,
      new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(text)?.[1]?.trim() ?? "missing",
    ]),
  );
  const stat = /^\d+ \(\w+\) (.*)$/m.exec(text)?.[1]?.split(" ") ?? [];
  return {
    ...found,
    nice: stat[16] ?? "",
    session: stat[3] === stat[2] ? "leads its group" : "is in another's group",
    oom: /^-?\d+$/m.exec(text)?.[0] ?? "",
    limits: text.slice(text.indexOf("Max cpu time")),
  };
}

interface Runtime {
  readonly name: string;
  readonly argv: (...args: readonly string[]) => readonly string[];
}

function runtimes(made: Playground): readonly [Runtime, Runtime] {
  return [
    { name: "runc", argv: (...args) => ["runc", "--root", `${made.folder}/runc`, ...args] },
    { name: "ours", argv: made.argv.bind(made) },
  ];
}

/** `args` run in a container by `run`, or by `exec` in one that sleeps. */
async function inContainer(
  made: Playground,
  { argv, name }: Runtime,
  way: "run" | "exec",
  args: readonly string[],
  { caller = [], flags = [] }: { caller?: readonly string[]; flags?: readonly string[] } = {},
): Promise<Outcome> {
  const id = made.id(name);
  made.configure((config) => {
    Object.assign(config.process, { args: way === "run" ? args : ["sleep", "1000"] });
  });
  if (way === "run") return await made.command([...caller, ...argv("run", ...flags, id)]);
  const begun = await made.command(argv("run", "--detach", id));
  expect(begun).toMatchObject({ code: 0, stderr: "" });
  const result = await made.command([...caller, ...argv("exec", ...flags, id, ...args)]);
  await made.command(argv("delete", "--force", id));
  return result;
}

describe.each(["run", "exec"] as const)("%s", (way) => {
  test("signals, mask, priorities, limits are as with runc, and none is blocked or ignored", async () => {
    await using made = new Playground();
    const [runc, ours] = runtimes(made);
    for (const caller of [[], odd]) {
      const theirs = await inContainer(made, runc, way, ["cat", ...files], { caller });
      const own = await inContainer(made, ours, way, ["cat", ...files], { caller });
      expect(own).toMatchObject({ code: 0, stderr: "" });
      // runc lets the caller's mask of signals through, and on exec its umask.
      const none = "0".repeat(16);
      const better = { SigBlk: none, Umask: "0022" };
      expect(traits(own.stdout)).toEqual({ ...traits(theirs.stdout), ...better });
      expect(traits(own.stdout)).toMatchObject({ SigIgn: none, SigCgt: none });
    }
    expect(await made.settled()).toEqual([]);
  });

  test("no descriptor gets in but what is asked for", async () => {
    await using made = new Playground();
    const [runc, ours] = runtimes(made);
    const list = ["ls", "/proc/self/fd"];
    const open = ["sh", "-c", 'exec 3</etc/passwd 4</etc/group 5</etc/hosts 9>/dev/null; exec "$@"', "sh"];
    const listening = [
      "sh",
      "-c",
      'export LISTEN_FDS=1 LISTEN_PID=$$; exec 3</etc/passwd 4</etc/group; exec "$@"',
      "sh",
    ];
    const cases = [
      { caller: [], flags: [], fds: "0 1 2 3" },
      { caller: open, flags: [], fds: "0 1 2 3" },
      { caller: open, flags: ["--preserve-fds", "2"], fds: "0 1 2 3 4 5" },
      { caller: listening, flags: [], fds: way === "run" ? "0 1 2 3 4" : "0 1 2 3" },
    ];
    for (const { fds, ...how } of cases) {
      const theirs = await inContainer(made, runc, way, list, how);
      const own = await inContainer(made, ours, way, list, how);
      expect({ ...how, own: own.stdout, said: own.stderr }).toEqual({ ...how, own: theirs.stdout, said: "" });
      expect(own.stdout.trim().split("\n").join(" ")).toBe(fds);
    }
    expect(await made.settled()).toEqual([]);
  });

  test("the environment is the config's alone", async () => {
    await using made = new Playground();
    const [runc, ours] = runtimes(made);
    const caller = [
      "env",
      "SECRET=1",
      "LD_PRELOAD=",
      "BUN_OPTIONS=--nothing",
      "LXC_NAME=x",
      "_LIBCONTAINER_X=1",
      "NOTIFY_SOCKET=",
    ];
    const sorted = ({ stdout }: Outcome): string[] => stdout.split("\n").filter(Boolean).sort();
    const theirs = await inContainer(made, runc, way, ["env"], { caller });
    const own = await inContainer(made, ours, way, ["env"], { caller });
    expect(sorted(own)).toEqual(sorted(theirs));
    expect(own.stdout).not.toContain("SECRET");
    expect(await made.settled()).toEqual([]);
  });
});

test("a created container's init holds nothing of the caller's but the standard streams", async () => {
  await using made = new Playground();
  const id = made.id("one");
  const open = ["sh", "-c", 'exec 3</etc/passwd 9</etc/group; exec "$@"', "sh"];
  await made.command([...open, ...made.argv("create", id)]);
  const { pid } = JSON.parse(await made.ok("state", id)) as { pid: number };
  const { stdout } = await made.command(["ls", "-l", `/proc/${pid}/fd`]);
  expect(stdout).not.toMatch(/passwd|group/);
  const held = stdout.split("\n").flatMap((line) => / -> (.*)$/.exec(line)?.[1] ?? []);
  expect(held.filter((path) => !path.includes("/output-") && path !== "/dev/null").sort()).toEqual([
    `${made.root}/containers/${id}/result.fifo`,
    `${made.root}/containers/${id}/start.fifo`,
  ]);
  await made.ok("delete", "--force", id);
  expect(await made.settled()).toEqual([]);
});
