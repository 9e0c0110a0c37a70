/**
 * SIGKILL at every step: of the process that makes it, of the command, of all its processes at once. Whatever is
 * hit, what is left says sensible things about itself, `delete --force` takes it away, and the next one works.
 * A sample by default; LXCRI_FAULTS=all for every step.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { runChecked } from "../../../src/host/process.ts";
import { eventually } from "../../conformance/engine.ts";
import { type Outcome, Playground } from "./playground.fixture.ts";

const every = process.env.LXCRI_FAULTS === "all";
/** Steps that a sample takes of each operation and victim. */
const SAMPLE = 20;
const victims = ["caller", "first", "all"] as const;
type Victim = (typeof victims)[number];

const tools = mkdtempSync("/var/tmp/lxcri-kill-at-");
const tool = `${tools}/kill-at`;

beforeAll(async () => {
  const flags = ["-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"];
  await runChecked(["gcc", ...flags, "-o", tool, `${import.meta.dir}/kill-at.c`]);
});
afterAll(() => rmSync(tools, { recursive: true, force: true }));

interface Killed extends Outcome {
  /** Steps that the command came to. */
  readonly steps: number;
  /** Number of the system call and name of the process that made it; `- -`: nobody was killed. */
  readonly where: string;
}

async function killAt(
  made: Playground,
  victim: Victim,
  step: number,
  argv: readonly string[],
): Promise<Killed> {
  const report = `${made.folder}/report`;
  const outcome = await made.command([tool, report, victim, `${step}`, ...argv]);
  const [steps = "", ...where] = readFileSync(report, "utf8").trim().split(" ");
  return { ...outcome, steps: Number(steps), where: where.join(" ") };
}

/** Steps to try of `count`: all, or some spread over them, others for each victim. */
function chosen(count: number, victim: Victim): number[] {
  const all = Array.from({ length: count }, (_, i) => i + 1);
  if (every) return all;
  const offset = victims.indexOf(victim) / victims.length;
  return Array.from({ length: SAMPLE }, (_, i) => 1 + Math.floor(((i + offset) * count) / SAMPLE));
}

const statuses = ["creating", "created", "running", "stopped"];

/** The container's status; undefined where there is none. Fails over any other answer. */
async function statusOf(made: Playground, id: string): Promise<string | undefined> {
  const state = await made.runtime("state", id);
  const list = await made.ok("list", "--format", "json");
  const listed = JSON.parse(list) as { id: string; status: string }[];
  if (state.code === 0) {
    const { status } = JSON.parse(state.stdout) as { status: string };
    expect(statuses).toContain(status);
    const ids = listed.map((one) => one.id);
    // What a foreground run leaves to a child of its own, the clean-up, goes on without it.
    if (ids.length === 0) expect((await made.runtime("state", id)).stderr).toContain("does not exist");
    else expect(ids).toEqual([id]);
    return status;
  }
  expect(state.stderr).toMatch(/does not exist|state\.json is missing/);
  return undefined;
}

/** `operation` is killed at its steps; `prepare` makes what it works on, and says how it is called. */
function sweep(
  operation: string,
  change: (made: Playground) => void,
  prepare: (made: Playground, id: string) => Promise<readonly string[]>,
  check: (made: Playground, id: string, killed: Killed) => Promise<void> = async () => {},
): void {
  for (const victim of victims) {
    test(
      `${operation}, killing ${victim}`,
      async () => {
        await using made = new Playground();
        change(made);
        const id = made.id("one");
        const whole = await killAt(made, victim, 0, await prepare(made, id));
        expect(whole).toMatchObject({ code: 0, where: "- -" });
        await made.ok("delete", "--force", id);
        expect(await made.settled()).toEqual([]);
        const faults: string[] = [];
        for (const step of chosen(whole.steps, victim)) {
          let at = `step ${step}`;
          try {
            const killed = await killAt(made, victim, step, await prepare(made, id));
            at += `, ${killed.where}, exit code ${killed.code}, ${killed.stderr}`;
            await statusOf(made, id);
            await check(made, id, killed);
          } catch (error) {
            faults.push(`${at}: ${error}`);
          }
          const { code, stderr } = await made.runtime("delete", "--force", id);
          const left = await made.settled();
          if (code !== 0 || left.length > 0)
            faults.push(`${at}: delete: ${code} ${stderr} ${left.join("\n")}`);
        }
        for (const fault of faults) console.error(fault);
        expect(faults).toEqual([]);
        // What was killed stands in nobody's way.
        await made.ok("run", "--detach", id);
        await made.ok("delete", "--force", id);
        expect(await made.settled()).toEqual([]);
      },
      every ? 1_200_000 : 60_000,
    );
  }
}

const plain = (): void => {};
const unprivileged = (made: Playground): void => made.configure((config) => made.unprivileged(config));

/** Created anew: it says that it exists, or works. */
async function createAgain(made: Playground, id: string): Promise<void> {
  const again = await made.runtime("create", id);
  if (again.code === 0) expect(await statusOf(made, id)).toBe("created");
  else expect(again.stderr).toContain("already exists");
}

describe("create", () => {
  const prepare = async (made: Playground, id: string) => made.argv("create", id);
  sweep("create", plain, prepare, createAgain);
  sweep("create, unprivileged", unprivileged, prepare, createAgain);
});

sweep(
  "start",
  unprivileged,
  async (made, id) => {
    await made.ok("create", id);
    return made.argv("start", id);
  },
  async (made, id) => {
    // Either nothing has happened yet, or the program runs; or its init was the one that was killed.
    if ((await statusOf(made, id)) === "created") await made.ok("start", id);
  },
);

describe("exec", () => {
  const prepare = async (made: Playground, id: string, ...options: readonly string[]) => {
    await made.ok("run", "--detach", id);
    return made.argv("exec", ...options, id, "true");
  };
  // The container goes on, and takes the next one.
  const check = async (made: Playground, id: string) => {
    expect(await statusOf(made, id)).toBe("running");
    expect(await made.ok("exec", id, "echo", "well")).toBe("well\n");
  };
  sweep("exec", unprivileged, (made, id) => prepare(made, id), check);
  sweep("exec, detached", plain, (made, id) => prepare(made, id, "--detach"), check);
});

sweep(
  "run",
  (made) => made.configure((config) => Object.assign(config.process, { args: ["true"] })),
  async (made, id) => made.argv("run", id),
);

describe("delete", () => {
  sweep("delete", unprivileged, async (made, id) => {
    await made.ok("run", "--detach", id);
    await made.ok("kill", id, "KILL");
    return made.argv("delete", "--force", id);
  });
});

test.each(["prestart", "createRuntime", "createContainer"] as const)(
  "a %s hook that hangs ends with its command",
  async (kind) => {
    await using made = new Playground();
    const id = made.id("one");
    const started = `${made.folder}/started`;
    made.configure((config) => {
      const hook = { path: "/bin/sh", args: ["sh", "-c", `: >${started}; exec sleep 1000`] };
      Object.assign(config, { hooks: { [kind]: [hook] } });
    });
    const command = Bun.spawn([...made.argv("create", id)], {
      cwd: made.bundle,
      stdio: ["ignore", "ignore", "ignore"],
    });
    await eventually("the hook runs", () => existsSync(started));
    expect(await statusOf(made, id)).toBe("creating");
    command.kill("SIGKILL");
    await command.exited;
    await eventually("nobody is left", () => !made.leftovers().some((line) => line.startsWith("process ")));
    await made.ok("delete", "--force", id);
    expect(await made.settled()).toEqual([]);
  },
);
