import { describe, expect, test } from "bun:test";
import type { Linux, Process } from "../spec/config.ts";
import { nested, pairs, readPlan, valuesOf } from "./plan.fixture.ts";
import type { Plan } from "./plan.ts";
import { type ProcessDecisions, planProcess } from "./process-plan.ts";

const none: ProcessDecisions = {
  capabilities: { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n },
  rlimits: [],
  preserveFds: 0,
};
const least: Process = { args: ["sh"], cwd: "/", user: { uid: 0, gid: 0 } };

const plan = (process: Partial<Process>, decided: Partial<ProcessDecisions> = {}, linux?: Linux): Plan =>
  planProcess({ ...least, ...process }, linux, { ...none, ...decided });
const value = (from: Plan, key: string): string | undefined => valuesOf(from, key)[0];

test("the least process", () => {
  expect(pairs(plan({}))).toEqual([
    ["arg", "sh"],
    ["cwd", "/"],
    ["uid", "0"],
    ["gid", "0"],
    ["preserve", "0"],
    ["cap-bounding", "0"],
    ["cap-effective", "0"],
    ["cap-permitted", "0"],
    ["cap-inheritable", "0"],
    ["cap-ambient", "0"],
  ]);
});

test("arguments and environment as they are: spaces, quotes, newlines, duplicates", () => {
  const args = ["my program", '"', "a\nb", ""];
  const env = ["A=1", "A=2", "B=", "C=x y"];
  const made = plan({ args: ["/bin/sh", ...args], env });
  expect(valuesOf(made, "arg")).toEqual(["/bin/sh", ...args]);
  expect(valuesOf(made, "env")).toEqual(env);
});

test("the user, its groups, and umask 0", () => {
  const made = plan({ user: { uid: 4294967294, gid: 7, additionalGids: [1, 2, 2], umask: 0 } });
  expect(value(made, "uid")).toBe("4294967294");
  expect(value(made, "gid")).toBe("7");
  expect(valuesOf(made, "group")).toEqual(["1", "2", "2"]);
  expect(value(made, "umask")).toBe("0");
});

test("the terminal's size only where there is a terminal", () => {
  const consoleSize = { height: 24, width: 80 };
  const made = plan({ terminal: true, consoleSize });
  expect([value(made, "terminal"), value(made, "rows"), value(made, "columns")]).toEqual(["1", "24", "80"]);
  expect(valuesOf(plan({ terminal: false, consoleSize }), "rows")).toEqual([]);
  expect(valuesOf(plan({ consoleSize }), "terminal")).toEqual([]);
});

test("labels and no_new_privs; empty labels are none", () => {
  const made = plan({ noNewPrivileges: true, apparmorProfile: "p", selinuxLabel: "l" });
  expect([value(made, "no-new-privileges"), value(made, "apparmor"), value(made, "selinux")]).toEqual([
    "1",
    "p",
    "l",
  ]);
  const without = plan({ noNewPrivileges: false, apparmorProfile: "", selinuxLabel: "" });
  for (const key of ["no-new-privileges", "apparmor", "selinux"]) expect(valuesOf(without, key)).toEqual([]);
});

test("what was decided: capabilities beyond 53 bits, limits, score, descriptors", () => {
  const made = plan(
    {},
    {
      capabilities: { ...none.capabilities, bounding: (1n << 64n) - 1n, ambient: 1n << 40n },
      rlimits: [
        { type: "RLIMIT_NOFILE", soft: 1024n, hard: 18446744073709551615n },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      ],
      oomScoreAdj: -999,
      preserveFds: 3,
    },
  );
  expect(value(made, "cap-bounding")).toBe("18446744073709551615");
  expect(value(made, "cap-ambient")).toBe("1099511627776");
  expect(valuesOf(made, "rlimit")).toEqual(["7 1024 18446744073709551615", "4 0 0"]);
  expect(value(made, "oom-score-adj")).toBe("-999");
  expect(value(made, "preserve")).toBe("3");
  expect(value(plan({}, { oomScoreAdj: 0 }), "oom-score-adj")).toBe("0");
});

test("the filter's bytes, its flags, and whether someone listens", () => {
  const program = Uint8Array.from([6, 0, 0, 0, 0, 0, 255, 127]);
  const made = plan({}, { seccomp: { program, flags: 2 } });
  expect([...(readPlan(made).find(({ key }) => key === "seccomp")?.bytes ?? [])]).toEqual([...program]);
  expect(value(made, "seccomp-flags")).toBe("2");
  expect(valuesOf(made, "seccomp-listener")).toEqual([]);
  expect(value(plan({}, { seccomp: { program, flags: 0, listener: {} } }), "seccomp-listener")).toBe("1");
});

describe("scheduling", () => {
  test("every field of the scheduler; flags are one number", () => {
    const made = plan({
      scheduler: {
        policy: "SCHED_DEADLINE",
        flags: ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"],
        nice: -5,
        priority: 3,
        runtime: 1,
        deadline: 2,
        period: 4,
      },
    });
    expect(nested(made, "scheduler")).toEqual([
      [
        ["policy", "6"],
        ["flags", "3"],
        ["nice", "-5"],
        ["priority", "3"],
        ["runtime", "1"],
        ["deadline", "2"],
        ["period", "4"],
      ],
    ]);
  });

  test("what is not asked for is not set", () => {
    expect(nested(plan({ scheduler: { policy: "SCHED_BATCH" } }), "scheduler")).toEqual([
      [
        ["policy", "3"],
        ["flags", "0"],
      ],
    ]);
    expect(valuesOf(plan({}), "scheduler")).toEqual([]);
  });

  test("I/O priority is the kernel's number: class and level in one", () => {
    expect(value(plan({ ioPriority: { class: "IOPRIO_CLASS_IDLE", priority: 7 } }), "ioprio")).toBe(
      `${(3 << 13) | 7}`,
    );
    expect(value(plan({ ioPriority: { class: "IOPRIO_CLASS_RT", priority: 0 } }), "ioprio")).toBe("8192");
  });

  test("CPU lists are spelled out, for before and after the cgroup is joined", () => {
    const made = plan({ execCPUAffinity: { initial: "0-2", final: "1,3" } });
    expect(value(made, "affinity-initial")).toBe("0,1,2");
    expect(value(made, "affinity")).toBe("1,3");
    expect(valuesOf(plan({ execCPUAffinity: { final: "1" } }), "affinity-initial")).toEqual([]);
  });
});

describe("what the config sets for all its processes", () => {
  test("personality", () => {
    expect(value(plan({}, {}, { personality: { domain: "LINUX32" } }), "personality")).toBe("8");
    expect(value(plan({}, {}, { personality: { domain: "LINUX" } }), "personality")).toBe("0");
  });

  test("memory policy: mode with its flags, nodes one by one", () => {
    const policy = { mode: "MPOL_INTERLEAVE", flags: ["MPOL_F_STATIC_NODES"], nodes: "0-1,3" } as const;
    expect(nested(plan({}, {}, { memoryPolicy: policy }), "memory-policy")).toEqual([
      [
        ["mode", `${3 | (1 << 15)}`],
        ["node", "0"],
        ["node", "1"],
        ["node", "3"],
      ],
    ]);
    expect(nested(plan({}, {}, { memoryPolicy: { mode: "MPOL_DEFAULT" } }), "memory-policy")).toEqual([
      [["mode", "0"]],
    ]);
  });
});
