import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Seccomp, SeccompArg, SeccompRule } from "../../spec/config.ts";
import type { SeccompAction, SeccompOperator } from "../../spec/names.ts";
import { compileSeccomp } from "./compile.ts";
import { I386, interpret, X86_64 } from "./testing/interpreter.ts";
import { Loader } from "./testing/load.ts";

// Numbers of x86_64.
const READ = 0;
const GETPID = 39;
const GETPPID = 110;
const UNAME = 63;
const PERSONALITY = 135;
const MSEAL = 462;
const ALLOW = 0x7fff_0000;
const ERRNO = 0x0005_0000;
const ENOSYS = 38;

const rule = (action: SeccompAction, names: string[], more: Partial<SeccompRule> = {}): SeccompRule => ({
  action,
  names,
  ...more,
});
const arg = (op: SeccompOperator, value: bigint, valueTwo?: bigint, index = 0): SeccompArg => ({
  index,
  op,
  value,
  ...(valueTwo === undefined ? {} : { valueTwo }),
});
const permissive = (...syscalls: SeccompRule[]): Seccomp => ({ defaultAction: "SCMP_ACT_ALLOW", syscalls });
const strict = (...syscalls: SeccompRule[]): Seccomp => ({ defaultAction: "SCMP_ACT_ERRNO", syscalls });

/** What a profile answers to a call by number, without the kernel. */
const answer = async (profile: Seccomp, nr: number, args: bigint[] = [], arch = X86_64): Promise<number> =>
  interpret((await compileSeccomp(profile)).program, { nr, arch, args });

describe("actions in the kernel", () => {
  let loader: Loader;
  beforeAll(async () => {
    loader = await Loader.make();
  });
  afterAll(async () => {
    await loader[Symbol.asyncDispose]();
  });
  const outcome = async (profile: Seccomp, call: number | string, ...args: (number | bigint)[]) =>
    loader.call(await compileSeccomp(profile), call, ...args);

  test.each([
    ["SCMP_ACT_KILL", 31],
    ["SCMP_ACT_KILL_THREAD", 31],
    ["SCMP_ACT_KILL_PROCESS", 31],
    ["SCMP_ACT_TRAP", 31],
  ] as const)("%s ends the process with SIGSYS", async (action, signal) => {
    expect(await outcome(permissive(rule(action, ["getppid"])), GETPPID)).toMatchObject({
      result: 0,
      signal,
    });
  });

  test("ERRNO gives errnoRet, and EPERM without it", async () => {
    const given = permissive(rule("SCMP_ACT_ERRNO", ["getppid"], { errnoRet: 95 }));
    expect(await outcome(given, GETPPID)).toMatchObject({ result: -95, signal: 0 });
    expect(await outcome(permissive(rule("SCMP_ACT_ERRNO", ["getppid"])), GETPPID)).toMatchObject({
      result: -1,
    });
  });

  test("TRACE without a tracer gives ENOSYS; LOG and ALLOW let the call through", async () => {
    expect(await outcome(permissive(rule("SCMP_ACT_TRACE", ["getppid"])), GETPPID)).toMatchObject({
      result: -ENOSYS,
    });
    for (const action of ["SCMP_ACT_LOG", "SCMP_ACT_ALLOW"] as const) {
      const { result } = await outcome(strict(rule(action, ["getppid", "exit_group"])), GETPPID);
      expect(result).toBeGreaterThan(0);
    }
  });

  test("NOTIFY reaches a listener, with every combination of flags", async () => {
    const profile: Seccomp = {
      ...permissive(rule("SCMP_ACT_NOTIFY", ["getppid"])),
      listenerPath: "/run/agent.sock",
      listenerMetadata: "m",
    };
    for (const flags of [
      [],
      ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
    ] as const) {
      const compiled = await compileSeccomp({ ...profile, flags });
      expect(compiled.listener).toEqual({ path: "/run/agent.sock", metadata: "m" });
      expect(await loader.call(compiled, GETPPID)).toEqual({ result: 77, signal: 0, answered: 1 });
    }
  });

  test("the default action and its errno hold for every call without a rule", async () => {
    const profile: Seccomp = {
      ...strict(rule("SCMP_ACT_ALLOW", ["exit_group", "uname"])),
      defaultErrnoRet: 13,
    };
    expect(await outcome(profile, GETPPID)).toMatchObject({ result: -13 });
    expect(await outcome({ ...profile, defaultAction: "SCMP_ACT_KILL_PROCESS" }, GETPPID)).toMatchObject({
      signal: 31,
    });
  });

  test("LOG, SPEC_ALLOW and TSYNC are taken by the kernel", async () => {
    const profile: Seccomp = {
      ...permissive(rule("SCMP_ACT_ERRNO", ["getppid"])),
      flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"],
    };
    expect((await compileSeccomp(profile)).flags).toBe(0b111);
    expect(await outcome(profile, GETPPID)).toMatchObject({ result: -1 });
  });

  test("64-bit arguments are compared whole", async () => {
    const profile = permissive(
      rule("SCMP_ACT_ERRNO", ["getppid"], { args: [arg("SCMP_CMP_EQ", 0x1_0000_0002n)] }),
    );
    expect(await outcome(profile, GETPPID, 0x1_0000_0002n)).toMatchObject({ result: -1 });
    expect((await outcome(profile, GETPPID, 2)).result).toBeGreaterThan(0);
  });

  test("a call that is newer than the profile gives ENOSYS, one that it names by a new name works", async () => {
    const profile = strict(rule("SCMP_ACT_ALLOW", ["exit_group", "mseal"]));
    expect(await outcome(profile, 500)).toMatchObject({ result: -ENOSYS });
    expect(await outcome(profile, GETPPID)).toMatchObject({ result: -1 });
    expect(await outcome(profile, MSEAL, 1)).toMatchObject({ result: -22 }); // EINVAL of mseal(2) itself
  });

  test("the 32-bit entry is filtered where the architecture is listed, deadly where it is not", async () => {
    const rules = strict(rule("SCMP_ACT_ALLOW", ["exit_group", "getppid"]));
    const both: Seccomp = { ...rules, architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"] };
    expect((await outcome(both, "i386:64")).result).toBeGreaterThan(0);
    expect(await outcome(both, "i386:20")).toMatchObject({ result: -1 });
    expect(await outcome(rules, "i386:64")).toMatchObject({ signal: 31 });
  });
});

describe("arguments", () => {
  const B = 1n << 40n;
  test.each([
    ["SCMP_CMP_NE", [B - 1n, B + 1n], [B]],
    ["SCMP_CMP_LT", [0n, B - 1n], [B, B + 1n]],
    ["SCMP_CMP_LE", [B, B - 1n], [B + 1n]],
    ["SCMP_CMP_EQ", [B], [B - 1n, 0n]],
    ["SCMP_CMP_GE", [B, B + 1n, (1n << 64n) - 1n], [B - 1n]],
    ["SCMP_CMP_GT", [B + 1n], [B, 0n]],
  ] as const)("%s", async (op, matching, others) => {
    const profile = strict(rule("SCMP_ACT_ALLOW", ["personality"], { args: [arg(op, B)] }));
    for (const value of matching) expect(await answer(profile, PERSONALITY, [value])).toBe(ALLOW);
    for (const value of others) expect(await answer(profile, PERSONALITY, [value])).toBe(ERRNO | 1);
  });

  test("MASKED_EQ compares the masked bits only", async () => {
    const args = [arg("SCMP_CMP_MASKED_EQ", 0xff00_0000_00f0n, 0x1200_0000_0030n)];
    const profile = strict(rule("SCMP_ACT_ALLOW", ["personality"], { args }));
    expect(await answer(profile, PERSONALITY, [0x12ab_cdef_003fn])).toBe(ALLOW);
    expect(await answer(profile, PERSONALITY, [0x1300_0000_0030n])).toBe(ERRNO | 1);
  });

  test("comparisons of different arguments must all hold, of the same one any (as runc)", async () => {
    const both = [arg("SCMP_CMP_EQ", 1n), arg("SCMP_CMP_EQ", 2n, undefined, 1)];
    const all = strict(rule("SCMP_ACT_ALLOW", ["personality"], { args: both }));
    expect(await answer(all, PERSONALITY, [1n, 2n])).toBe(ALLOW);
    expect(await answer(all, PERSONALITY, [1n, 3n])).toBe(ERRNO | 1);
    const same = [arg("SCMP_CMP_EQ", 1n), arg("SCMP_CMP_EQ", 5n)];
    const any = strict(rule("SCMP_ACT_ALLOW", ["personality"], { args: same }));
    expect(await answer(any, PERSONALITY, [5n])).toBe(ALLOW);
    expect(await answer(any, PERSONALITY, [3n])).toBe(ERRNO | 1);
  });
});

describe("architectures and new calls", () => {
  const rules = strict(rule("SCMP_ACT_ALLOW", ["read", "mseal", "uretprobe"]));
  const X32_BIT = 0x4000_0000;

  test("each architecture has its own numbers, its own newest call", async () => {
    const architectures = [
      "SCMP_ARCH_X86_64",
      "SCMP_ARCH_X86",
      "SCMP_ARCH_X32",
      "SCMP_ARCH_AARCH64",
    ] as const;
    const profile: Seccomp = { ...rules, architectures };
    const AARCH64 = 0xc000_00b7;
    for (const [nr, arch, expected] of [
      [READ, X86_64, ALLOW],
      [3, I386, ALLOW],
      [63, AARCH64, ALLOW],
      [READ | X32_BIT, X86_64, ALLOW],
      [MSEAL, X86_64, ALLOW],
      [MSEAL, I386, ALLOW],
      [MSEAL, AARCH64, ALLOW],
      [MSEAL | X32_BIT, X86_64, ALLOW],
      [335, X86_64, ALLOW],
      [335, I386, ERRNO | 1],
      [MSEAL - 1, X86_64, ERRNO | 1],
      [MSEAL + 1, X86_64, ERRNO | ENOSYS],
      [MSEAL + 1, I386, ERRNO | ENOSYS],
      [MSEAL + 1, AARCH64, ERRNO | ENOSYS],
      [(MSEAL + 1) | X32_BIT, X86_64, ERRNO | ENOSYS],
    ] as const)
      expect([nr, arch, await answer(profile, nr, [], arch)]).toEqual([nr, arch, expected]);
  });

  test("x32 calls and foreign architectures end the thread where they are not listed", async () => {
    expect(await answer(rules, READ | X32_BIT)).toBe(0);
    expect(await answer(rules, 3, [], I386)).toBe(0);
  });

  test("MIPS numbers start at the base of their ABI", async () => {
    const profile: Seccomp = { ...rules, architectures: ["SCMP_ARCH_MIPSEL64"] };
    expect(await answer(profile, 5000 + MSEAL, [], 0xc000_0008)).toBe(ALLOW);
    expect(await answer(profile, 5000 + MSEAL + 1, [], 0xc000_0008)).toBe(ERRNO | ENOSYS);
  });

  test("no ENOSYS where the default lets calls through or is ENOSYS already", async () => {
    for (const action of ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"] as const) {
      const profile: Seccomp = {
        ...rules,
        defaultAction: action,
        syscalls: [rule("SCMP_ACT_KILL", ["mseal"])],
      };
      expect((await answer(profile, 500)) & 0x7fff_0000).not.toBe(ERRNO);
      expect(await answer(profile, MSEAL)).toBe(0);
    }
    expect(await answer({ ...rules, defaultErrnoRet: ENOSYS }, GETPID)).toBe(ERRNO | ENOSYS);
  });

  test("a big-endian architecture on this machine is refused by name", async () => {
    const compiling = compileSeccomp({ ...rules, architectures: ["SCMP_ARCH_S390X"] });
    await expect(compiling).rejects.toThrow(/architecture SCMP_ARCH_S390X/);
  });

  test("an architecture unknown to libseccomp is refused by name", async () => {
    const compiling = compileSeccomp({ ...rules, architectures: ["SCMP_ARCH_SHEB"] });
    await expect(compiling).rejects.toThrow(/SCMP_ARCH_SHEB/);
  });
});

describe("profiles", () => {
  test("names that nobody knows are reported, the rest holds", async () => {
    const { warnings } = await compileSeccomp(
      strict(rule("SCMP_ACT_ALLOW", ["read", "frobnicate", "toString"])),
    );
    expect(warnings.map((w) => w.code)).toEqual(["seccomp-syscall-unknown"]);
    expect(warnings[0]?.message).toContain("frobnicate, toString");
  });

  test("arguments of a call unknown to libseccomp are reported", async () => {
    const args = [arg("SCMP_CMP_EQ", 0n)];
    const { warnings } = await compileSeccomp(strict(rule("SCMP_ACT_ALLOW", ["mseal"], { args })));
    expect(warnings).toEqual([
      {
        code: "seccomp-arguments-ignored",
        message: "seccomp: rules with arguments ignored, this libseccomp does not know the calls: mseal",
      },
    ]);
  });

  test("a rule equal to the default, and the same rule twice, do no harm", async () => {
    const profile = strict(
      rule("SCMP_ACT_ERRNO", ["getppid"], { errnoRet: 1 }),
      rule("SCMP_ACT_ALLOW", ["read"]),
      rule("SCMP_ACT_ALLOW", ["read"]),
    );
    expect(await answer(profile, READ)).toBe(ALLOW);
    expect(await answer(profile, GETPPID)).toBe(ERRNO | 1);
  });

  test("a profile of no rules is its default action", async () => {
    expect(await answer(strict(), UNAME)).toBe(ERRNO | 1);
    expect(await answer({ defaultAction: "SCMP_ACT_ALLOW" }, UNAME)).toBe(ALLOW);
  });

  test("WAIT_KILLABLE_RECV without a listener is left out with a warning", async () => {
    const flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] as const;
    const compiled = await compileSeccomp({ ...strict(), flags });
    expect(compiled.flags).toBe(0);
    expect(compiled.warnings.map((w) => w.code)).toEqual(["seccomp-flag-ignored"]);
  });

  test("a program longer than the kernel takes is refused", async () => {
    const values = Array.from({ length: 2500 }, (_, i) => arg("SCMP_CMP_EQ", BigInt(i) << 33n));
    const compiling = compileSeccomp(strict(rule("SCMP_ACT_ALLOW", ["personality"], { args: values })));
    await expect(compiling).rejects.toMatchObject({ code: "seccomp-too-long" });
  });
});
