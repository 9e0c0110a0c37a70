import { describe, expect, test } from "bun:test";
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "../names.ts";
import { documentWith, faultsWith, judge, judgeWith } from "../testing.ts";

const ALLOW = "SCMP_ACT_ALLOW";
const notify = { names: ["mknod"], action: "SCMP_ACT_NOTIFY" };
const rule = (more: Record<string, unknown>) => ({
  defaultAction: ALLOW,
  syscalls: [{ names: ["x"], action: ALLOW, ...more }],
});

const good: [string, Record<string, unknown>][] = [
  ["only a default", { defaultAction: "SCMP_ACT_KILL" }],
  [
    "all architectures and flags",
    { defaultAction: ALLOW, architectures: SECCOMP_ARCHITECTURES, flags: SECCOMP_FLAGS },
  ],
  [
    "all actions",
    {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      listenerPath: "/run/agent.sock",
      listenerMetadata: "opaque",
      syscalls: SECCOMP_ACTIONS.map((action) => ({ names: ["mknod", "mkdir"], action })),
    },
  ],
  ["an errno of trace beyond 4095", rule({ action: "SCMP_ACT_TRACE", errnoRet: 65535 })],
];
for (const [name, seccomp] of good) {
  test(`takes ${name}`, () => {
    const verdict = judgeWith({ "linux.seccomp": seccomp });
    expect(verdict).toMatchObject({ faults: [], warnings: [] });
    expect(verdict.config?.linux?.seccomp as unknown).toEqual(seccomp);
  });
}

for (const op of SECCOMP_OPERATORS) {
  test(`takes the operator ${op}`, () => {
    const args = [{ index: 5, value: 1, valueTwo: 2, op }];
    const { config } = judgeWith({ "linux.seccomp": rule({ args }) });
    expect(config?.linux?.seccomp?.syscalls?.[0]?.args).toEqual([{ index: 5, value: 1n, valueTwo: 2n, op }]);
  });
}

const bad: [unknown, string][] = [
  [{}, "defaultAction: is required"],
  [
    { defaultAction: "ALLOW" },
    'defaultAction: "ALLOW" is not one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY',
  ],
  [
    { defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/x" },
    "defaultAction: SCMP_ACT_NOTIFY cannot be the default action",
  ],
  [{ defaultAction: ALLOW, defaultErrnoRet: 1 }, "defaultErrnoRet: SCMP_ACT_ALLOW returns no errno"],
  [
    { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 4096 },
    "defaultErrnoRet: 4096 is out of range: 0 to 4095",
  ],
  [
    { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: -1 },
    "defaultErrnoRet: -1 is out of range: 0 to 65535",
  ],
  [
    { defaultAction: ALLOW, architectures: ["SCMP_ARCH_X86_46"] },
    'architectures[0]: "SCMP_ARCH_X86_46" is not a known name (did you mean "SCMP_ARCH_X86_64"?)',
  ],
  [
    { defaultAction: ALLOW, flags: ["LOG"] },
    'flags[0]: "LOG" is not one of SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
  ],
  [
    { defaultAction: ALLOW, syscalls: [notify] },
    "listenerPath: is required where a rule has SCMP_ACT_NOTIFY",
  ],
  [{ defaultAction: ALLOW, listenerMetadata: "x" }, "listenerMetadata: must not be set without listenerPath"],
  [{ defaultAction: ALLOW, listenerPath: "x" }, 'listenerPath: must be an absolute path, not "x"'],
  [
    { defaultAction: ALLOW, listenerPath: "/x", syscalls: [{ ...notify, names: ["read", "write"] }] },
    "syscalls[0].names: SCMP_ACT_NOTIFY cannot be used for write",
  ],
  [rule({ names: [] }), "syscalls[0].names: must have at least one entry"],
  [rule({ names: undefined }), "syscalls[0].names: is required"],
  [rule({ names: [""] }), "syscalls[0].names[0]: must not be empty"],
  [rule({ names: ["read", 1] }), "syscalls[0].names[1]: must be a string, not a number"],
  [rule({ name: "read" }), 'syscalls[0].name: unknown property (did you mean "names"?)'],
  [rule({ errnoRet: 1 }), "syscalls[0].errnoRet: SCMP_ACT_ALLOW returns no errno"],
  [
    rule({ args: [{ index: 6, value: 1, op: "SCMP_CMP_EQ" }] }),
    "syscalls[0].args[0].index: 6 is out of range: 0 to 5",
  ],
  [rule({ args: [{ index: 0, op: "SCMP_CMP_EQ" }] }), "syscalls[0].args[0].value: is required"],
  [
    rule({ args: [{ index: 0, value: 1, op: "==" }] }),
    'syscalls[0].args[0].op: "==" is not one of SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ',
  ],
  [
    rule({ args: [{ index: 0, value: -1, op: "SCMP_CMP_EQ" }] }),
    "syscalls[0].args[0].value: -1 is out of range: 0 to 18446744073709551615",
  ],
];
for (const [seccomp, fault] of bad) {
  test(`refuses: ${fault}`, () => {
    expect(faultsWith({ "linux.seccomp": seccomp })).toEqual([`linux.seccomp.${fault}`]);
  });
}

describe("argument values", () => {
  test("are exact up to 2^64-1", () => {
    const args = [{ index: 0, value: 111, valueTwo: 222, op: "SCMP_CMP_MASKED_EQ" }];
    const text = documentWith({ "linux.seccomp": rule({ args }) })
      .replace("111", "18446744073709551615")
      .replace("222", "9007199254740993");
    expect(judge(text).config?.linux?.seccomp?.syscalls?.[0]?.args?.[0]).toEqual({
      index: 0,
      value: 18446744073709551615n,
      valueTwo: 9007199254740993n,
      op: "SCMP_CMP_MASKED_EQ",
    });
  });
});
