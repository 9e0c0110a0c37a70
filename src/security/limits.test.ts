import { describe, expect, test } from "bun:test";
import { run } from "../host/process.ts";
import { RLIMIT_TYPES } from "../spec/names.ts";
import { ownCapability } from "./capabilities.ts";
import { planOomScoreAdj, probeOom } from "./oom.ts";
import { parseHardLimit, planRlimits, probeRlimits, RLIM_INFINITY } from "./rlimits.ts";

describe("oomScoreAdj", () => {
  const poor = { current: -100, mayLower: false };

  test("is taken as it is where it may be set", () => {
    expect(planOomScoreAdj(-999, { current: 0, mayLower: true })).toEqual({ value: -999, warnings: [] });
    expect(planOomScoreAdj(-100, poor)).toEqual({ value: -100, warnings: [] });
    expect(planOomScoreAdj(1000, poor)).toEqual({ value: 1000, warnings: [] });
  });

  test("is raised to this process's own without the capability, and says so", () => {
    const { value, warnings } = planOomScoreAdj(-999, poor);
    expect(value).toBe(-100);
    expect(warnings.map((w) => w.code)).toEqual(["oom-score-clamped"]);
    expect(warnings[0]?.message).toContain("oomScoreAdj -999: raised to -100");
  });

  test("stays exact where nobody wants it restricted, and is restricted where somebody does", () => {
    expect(planOomScoreAdj(-999, poor, false)).toEqual({ value: -999, warnings: [] });
    expect(planOomScoreAdj(-999, { current: 0, mayLower: true }, true).value).toBe(0);
  });

  test("what the plan allows, this kernel accepts", async () => {
    const { value } = planOomScoreAdj(-500, probeOom());
    const script = 'echo "$1" > /proc/self/oom_score_adj && cat /proc/self/oom_score_adj';
    const { stdout, exitCode } = await run(["sh", "-c", script, "sh", String(value)]);
    expect({ exitCode, score: Number(stdout) }).toEqual({ exitCode: 0, score: value });
    expect(probeOom().mayLower).toBe(ownCapability("CAP_SYS_RESOURCE"));
  });
});

describe("rlimits", () => {
  const poor = { hard: () => 1024n, mayRaise: false };

  test("all kinds are found in the kernel's table", async () => {
    const { hard } = probeRlimits();
    for (const type of RLIMIT_TYPES) expect([type, typeof hard(type)]).toEqual([type, "bigint"]);
    const { stdout } = await run(["sh", "-c", "ulimit -Hn"]);
    expect(hard("RLIMIT_NOFILE")).toBe(BigInt(stdout));
  });

  test("unlimited is 2⁶⁴−1, and a table without the line is an error", () => {
    const text = "Limit                     Soft Limit           Hard Limit           Units     \n";
    const line = "Max stack size            8388608              unlimited            bytes     \n";
    expect(parseHardLimit(text + line, "RLIMIT_STACK")).toBe(RLIM_INFINITY);
    expect(() => parseHardLimit(text, "RLIMIT_STACK")).toThrow('no line "Max stack size"');
  });

  test("are lowered to the inherited hard limit without the capability, and say so", () => {
    const { value, warnings } = planRlimits(
      [
        { type: "RLIMIT_NOFILE", soft: 512, hard: RLIM_INFINITY },
        { type: "RLIMIT_CORE", soft: 4096, hard: 4096 },
        { type: "RLIMIT_NPROC", soft: 10, hard: 1024 },
      ],
      poor,
    );
    expect(value).toEqual([
      { type: "RLIMIT_NOFILE", soft: 512, hard: 1024n },
      { type: "RLIMIT_CORE", soft: 1024n, hard: 1024n },
      { type: "RLIMIT_NPROC", soft: 10, hard: 1024 },
    ]);
    expect(warnings.map((w) => w.code)).toEqual(["rlimit-clamped", "rlimit-clamped"]);
    expect(warnings[1]?.message).toStartWith("RLIMIT_CORE 4096: lowered to 1024");
  });

  test("stay as they are where they may be raised or nobody wants them restricted", () => {
    const limits = [{ type: "RLIMIT_NOFILE", soft: 1, hard: RLIM_INFINITY }] as const;
    expect(planRlimits(limits, { ...poor, mayRaise: true })).toEqual({ value: limits, warnings: [] });
    expect(planRlimits(limits, poor, false)).toEqual({ value: limits, warnings: [] });
  });

  test("what the plan allows, this kernel accepts", async () => {
    const asked = [{ type: "RLIMIT_NOFILE", soft: 64, hard: 1n << 40n }] as const;
    const privilege = { ...probeRlimits(), mayRaise: false };
    const [limit] = planRlimits(asked, privilege).value;
    const { stdout } = await run(["sh", "-c", `ulimit -Hn ${limit?.hard} && ulimit -Hn`]);
    expect(stdout.trim()).toBe(String(limit?.hard));
  });
});
