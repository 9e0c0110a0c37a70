import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Linux, Process } from "../spec/config.ts";
import type { Logger } from "../telemetry/log.ts";
import { decideProcess } from "./decisions.ts";

const cache = mkdtempSync(`${tmpdir()}/decisions-`);
afterAll(() => rmSync(cache, { recursive: true, force: true }));

async function decide(process: Partial<Process>, linux?: Linux, userNamespace = false) {
  const warnings: string[] = [];
  const log: Logger = {
    path: undefined,
    format: "text",
    error: () => {},
    warning: (message) => warnings.push(message),
    debug: () => {},
  };
  const least: Process = { args: ["sh"], cwd: "/", user: { uid: 0, gid: 0 } };
  const decided = await decideProcess(
    { ...least, ...process },
    { linux, userNamespace, seccompCache: cache, preserveFds: 2, log },
  );
  return { decided, warnings };
}

test("nothing asked for, nothing given", async () => {
  const { decided, warnings } = await decide({});
  expect(warnings).toEqual([]);
  expect(decided).toMatchObject({
    capabilities: { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n },
    rlimits: [],
    preserveFds: 2,
  });
  expect(decided).not.toHaveProperty("oomScoreAdj");
  expect(decided).not.toHaveProperty("seccomp");
});

describe("capabilities", () => {
  const all = (...names: readonly string[]) => ({ bounding: names, effective: names, permitted: names });

  test("become masks", async () => {
    const { decided } = await decide({ capabilities: all("CAP_CHOWN", "CAP_KILL") });
    expect(decided.capabilities).toMatchObject({
      bounding: 0x21n,
      effective: 0x21n,
      permitted: 0x21n,
      ambient: 0n,
    });
  });

  test("those that this node cannot give are left out and named; in a user namespace all can be had", async () => {
    // The machine that tests run on lacks it (docs/probes.md); where it has it, nothing is left out.
    const given = (await decide({ capabilities: all("CAP_SYS_RESOURCE") })).decided.capabilities.bounding;
    const { warnings } = await decide({ capabilities: all("CAP_SYS_RESOURCE") });
    expect(warnings.some((text) => text.includes("CAP_SYS_RESOURCE"))).toBe(given === 0n);
    const inside = await decide({ capabilities: all("CAP_SYS_RESOURCE") }, undefined, true);
    expect(inside.decided.capabilities.bounding).toBe(1n << 24n);
    expect(inside.warnings).toEqual([]);
  });
});

test("limits and the score that are within what there is stay as they are", async () => {
  const rlimits = [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }] as const;
  const { decided, warnings } = await decide({ rlimits, oomScoreAdj: 1000 });
  expect(decided.rlimits.map(({ type, soft, hard }) => `${type} ${soft} ${hard}`)).toEqual([
    "RLIMIT_CORE 0 0",
  ]);
  expect(decided.oomScoreAdj).toBe(1000);
  expect(warnings).toEqual([]);
});

test("a filter is compiled, and kept for the next time", async () => {
  const seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["reboot"], action: "SCMP_ACT_ERRNO" }],
  } as const;
  const first = (await decide({}, { seccomp })).decided.seccomp;
  expect((first?.program.length ?? 1) % 8).toBe(0);
  expect(existsSync(cache) && readdirSync(cache).length).toBeGreaterThan(0);
  const second = (await decide({}, { seccomp })).decided.seccomp;
  expect([...(second?.program ?? [])]).toEqual([...(first?.program ?? [0])]);
});
