import { describe, expect, test } from "bun:test";
import { documentWith, faultsWith, judge, judgeWith } from "../testing.ts";

const good: [string, Record<string, unknown>][] = [
  ["an environment", { "process.env": ["A=1", "B=", "C=a=b", "D=x\ny"] }],
  [
    "a user with everything",
    { "process.user": { uid: 1, gid: 4294967294, umask: 0o77, additionalGids: [5, 6] } },
  ],
  ["a console size", { "process.consoleSize": { height: 25, width: 65535 } }],
  ["both ends of oomScoreAdj", { "process.oomScoreAdj": -1000 }],
  ["SCHED_OTHER with nice", { "process.scheduler": { policy: "SCHED_OTHER", nice: -20 } }],
  [
    "SCHED_FIFO",
    { "process.scheduler": { policy: "SCHED_FIFO", priority: 99, flags: ["SCHED_FLAG_RESET_ON_FORK"] } },
  ],
  [
    "SCHED_DEADLINE",
    { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 1024, deadline: 2000, period: 2000 } },
  ],
  [
    "SCHED_DEADLINE, period left to the kernel",
    { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 1024, deadline: 2000 } },
  ],
  ["an I/O priority", { "process.ioPriority": { class: "IOPRIO_CLASS_IDLE", priority: 7 } }],
  ["CPU affinities", { "process.execCPUAffinity": { initial: "7", final: "0-3, 7" } }],
  [
    "rlimits",
    {
      "process.rlimits": [
        { type: "RLIMIT_CORE", soft: 0, hard: 1 },
        { type: "RLIMIT_AS", soft: 1, hard: 1 },
      ],
    },
  ],
  ["labels", { "process.apparmorProfile": "p", "process.selinuxLabel": "u:r:t:s0:c1,c2" }],
  ["an argument with a line break", { "process.args": ["sh", "-c", "a\nb", ""] }],
];
for (const [name, changes] of good) {
  test(`takes ${name}`, () => expect(faultsWith(changes)).toEqual([]));
}

const bad: [Record<string, unknown>, string][] = [
  [{ "process.args": [] }, "process.args: must have at least one entry, the program"],
  [{ "process.args": undefined }, "process.args: is required"],
  [{ "process.args": "sh" }, "process.args: must be an array, not a string"],
  [{ "process.args": ["sh", 1] }, "process.args[1]: must be a string, not a number"],
  [{ "process.args": ["a\0b"] }, "process.args[0]: must not hold a NUL character"],
  [{ "process.args": [null] }, "process.args[0]: must be a string, not null"],
  [{ "process.cwd": "tmp" }, 'process.cwd: must be an absolute path, not "tmp"'],
  [{ "process.cwd": "" }, "process.cwd: must not be empty"],
  [{ "process.cwd": "/a\nb" }, "process.cwd: must not hold a line break"],
  [{ "process.cwd": undefined }, "process.cwd: is required"],
  [{ "process.env": ["PATH"] }, 'process.env[0]: "PATH" has no =; an entry is NAME=value'],
  [{ "process.env": ["=x"] }, 'process.env[0]: "=x" has no name before the =; an entry is NAME=value'],
  [{ "process.env": { A: "1" } }, "process.env: must be an array, not an object"],
  [{ "process.terminal": "yes" }, "process.terminal: must be true or false, not a string"],
  [{ "process.user": { uid: 0 } }, "process.user.gid: is required"],
  [{ "process.user.uid": -1 }, "process.user.uid: -1 is out of range: 0 to 4294967294"],
  [{ "process.user.uid": 4294967295 }, "process.user.uid: 4294967295 is out of range: 0 to 4294967294"],
  [{ "process.user.uid": 1.5 }, "process.user.uid: must be a whole number, not 1.5"],
  [{ "process.user.uid": "root" }, "process.user.uid: must be a whole number, not a string"],
  [{ "process.user.umask": 0o1000 }, "process.user.umask: 512 is out of range: 0 to 511"],
  [{ "process.consoleSize": { height: 1 } }, "process.consoleSize.width: is required"],
  [
    { "process.consoleSize": { height: 1, width: 65536 } },
    "process.consoleSize.width: 65536 is out of range: 0 to 65535",
  ],
  [{ "process.oomScoreAdj": 1001 }, "process.oomScoreAdj: 1001 is out of range: -1000 to 1000"],
  [
    { "process.rlimits": [{ type: "RLIMIT_NOFILES", soft: 1, hard: 1 }] },
    'process.rlimits[0].type: "RLIMIT_NOFILES" is not a known name (did you mean "RLIMIT_NOFILE"?)',
  ],
  [
    { "process.rlimits": [{ type: "RLIMIT_AS", soft: 2, hard: 1 }] },
    "process.rlimits[0].soft: 2 is above the hard limit 1",
  ],
  [
    { "process.rlimits": [{ type: "RLIMIT_AS", soft: -1, hard: 1 }] },
    "process.rlimits[0].soft: -1 is out of range: 0 to 18446744073709551615",
  ],
  [
    {
      "process.rlimits": [
        { type: "RLIMIT_AS", soft: 1, hard: 1 },
        { type: "RLIMIT_AS", soft: 1, hard: 1 },
      ],
    },
    "process.rlimits[1].type: RLIMIT_AS is given twice",
  ],
  [{ "process.scheduler": {} }, "process.scheduler.policy: is required"],
  [
    { "process.scheduler": { policy: "SCHED_FIFI" } },
    'process.scheduler.policy: "SCHED_FIFI" is not one of SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE (did you mean "SCHED_FIFO"?)',
  ],
  [
    { "process.scheduler": { policy: "SCHED_OTHER", nice: 20 } },
    "process.scheduler.nice: 20 is out of range: -20 to 19",
  ],
  [
    { "process.scheduler": { policy: "SCHED_OTHER", priority: 1 } },
    "process.scheduler.priority: is for SCHED_FIFO and SCHED_RR, not for SCHED_OTHER",
  ],
  [{ "process.scheduler": { policy: "SCHED_RR" } }, "process.scheduler.priority: SCHED_RR needs 1 to 99"],
  [
    { "process.scheduler": { policy: "SCHED_BATCH", period: 5 } },
    "process.scheduler.period: is for SCHED_DEADLINE, not for SCHED_BATCH",
  ],
  [
    { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 1, deadline: 5 } },
    "process.scheduler.runtime: SCHED_DEADLINE needs 1024 ns or more",
  ],
  [
    { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 3000, deadline: 2000 } },
    "process.scheduler.deadline: 2000 is below the runtime 3000",
  ],
  [
    { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 1024, deadline: 2000, period: 1999 } },
    "process.scheduler.period: 1999 is below the deadline 2000",
  ],
  [
    { "process.ioPriority": { class: "IOPRIO_CLASS_BE", priority: 8 } },
    "process.ioPriority.priority: 8 is out of range: 0 to 7",
  ],
  [
    { "process.ioPriority": { class: "BE", priority: 1 } },
    'process.ioPriority.class: "BE" is not one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE',
  ],
  [{ "process.ioPriority": { class: "IOPRIO_CLASS_BE" } }, "process.ioPriority.priority: is required"],
  [
    { "process.execCPUAffinity": { initial: "3-1" } },
    'process.execCPUAffinity.initial: "3-1" is not a list such as "0-3,7"',
  ],
  [
    { "process.execCPUAffinity": { final: "a" } },
    'process.execCPUAffinity.final: "a" is not a list such as "0-3,7"',
  ],
  [{ "process.apparmorProfile": "a\nlxc.x = y" }, "process.apparmorProfile: must not hold a line break"],
];
for (const [changes, fault] of bad) {
  test(`refuses: ${fault}`, () => expect(faultsWith(changes)).toEqual([fault]));
}

test("RLIM_INFINITY is exact", () => {
  const text = documentWith({ "process.rlimits": [{ type: "RLIMIT_AS", soft: 1, hard: 4242 }] });
  const { config } = judge(text.replace("4242", "18446744073709551615"));
  expect(config?.process.rlimits?.[0]?.hard).toBe(18446744073709551615n);
  expect(judge(text.replace("4242", "18446744073709551616")).faults).toEqual([
    "process.rlimits[0].hard: 18446744073709551616 is out of range: 0 to 18446744073709551615",
  ]);
});

describe("capabilities", () => {
  test("unknown names are ignored with a warning, as the spec demands", () => {
    const { config, warnings } = judgeWith({
      "process.capabilities": { bounding: ["CAP_CHOWN", "CAP_SYS_ADMINN", "chown"] },
    });
    expect(config?.process.capabilities?.bounding).toEqual(["CAP_CHOWN"]);
    expect(warnings).toEqual([
      'process.capabilities.bounding[1]: unknown capability "CAP_SYS_ADMINN", ignored (did you mean "CAP_SYS_ADMIN"?)',
      'process.capabilities.bounding[2]: unknown capability "chown", ignored',
    ]);
  });

  test("what cannot be granted is left out with a warning", () => {
    const { config, warnings } = judgeWith({
      "process.capabilities": {
        permitted: ["CAP_KILL", "CAP_CHOWN"],
        inheritable: ["CAP_KILL", "CAP_FOWNER"],
        effective: ["CAP_KILL", "CAP_FOWNER"],
        ambient: ["CAP_KILL", "CAP_CHOWN", "CAP_FOWNER"],
      },
    });
    expect(config?.process.capabilities).toMatchObject({ effective: ["CAP_KILL"], ambient: ["CAP_KILL"] });
    expect(warnings).toHaveLength(3);
  });

  test("are lists of strings", () => {
    expect(faultsWith({ "process.capabilities": ["CAP_KILL"] })).toEqual([
      "process.capabilities: must be an object, not an array",
    ]);
    expect(faultsWith({ "process.capabilities.ambient": "CAP_KILL" })).toEqual([
      "process.capabilities.ambient: must be an array, not a string",
    ]);
    expect(faultsWith({ "process.capabilities.bounding": [1] })).toEqual([
      "process.capabilities.bounding[0]: must be a string, not a number",
    ]);
  });
});
