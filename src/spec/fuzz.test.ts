import { expect, test } from "bun:test";
import { SpecError } from "./faults.ts";
import { parseConfig, parseProcess, parseResources } from "./parse.ts";
import { documentWith } from "./testing.ts";

/** A rich document, so that mutations reach every shape. */
const RICH = documentWith({
  annotations: { a: "b" },
  hooks: { prestart: [{ path: "/x", args: ["x"], env: ["A=1"], timeout: 5 }], poststop: [{ path: "/y" }] },
  "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 2000, deadline: 3000, period: 4000 },
  "process.ioPriority": { class: "IOPRIO_CLASS_BE", priority: 4 },
  "process.execCPUAffinity": { initial: "0", final: "0-3" },
  "linux.devices": [{ path: "/dev/fuse", type: "c", major: 10, minor: 229 }],
  "linux.netDevices": { eth0: { name: "c%d" } },
  "linux.intelRdt": { closID: "a", memBwSchema: "MB:0=1" },
  "linux.memoryPolicy": { mode: "MPOL_BIND", nodes: "0-1" },
  "linux.sysctl": { "net.core.somaxconn": "1" },
  "linux.resources": {
    memory: { limit: 5, swap: 6 },
    cpu: { quota: 5, burst: 1, cpus: "0-3" },
    rdma: { mlx: { hcaObjects: 1 } },
    unified: { "memory.high": "1" },
    hugepageLimits: [{ pageSize: "2MB", limit: 1 }],
    blockIO: { weight: 5, weightDevice: [{ major: 8, minor: 0, weight: 5 }] },
  },
  "linux.seccomp": {
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{ names: ["a"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }] }],
  },
});

const HOSTILE: readonly string[] = [
  "null",
  "true",
  "-1",
  "0",
  "1.5",
  "1e999",
  "-0",
  "18446744073709551615",
  "-9223372036854775809",
  `1${"0".repeat(400)}`,
  '""',
  '"\\u0000"',
  '"a\\nb"',
  '"/../.."',
  '"\\ud800"',
  `"${"x".repeat(5000)}"`,
  "[]",
  "{}",
  "[[]]",
  "[null]",
  "[{}]",
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"":""}',
  "[".repeat(200) + "]".repeat(200),
  "[1",
  "}",
  "",
];

/** mulberry32: the same mutations in every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** One JSON value, name or character of the text replaced, removed or doubled. */
function mutate(text: string, random: (below: number) => number): string {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[\d.eE+-]+|true|false|null|./g) ?? [];
  const at = random(tokens.length);
  const hostile = HOSTILE[random(HOSTILE.length)] ?? "";
  const ways = [
    [hostile],
    [],
    [tokens[at], tokens[at]],
    [tokens[random(tokens.length)]],
    [`"${random(99)}"`],
  ];
  return tokens
    .toSpliced(at, 1, ...(ways[random(ways.length)] ?? []).filter((token) => token !== undefined))
    .join("");
}

for (const [name, parse, text] of [
  ["parseConfig", parseConfig, RICH],
  ["parseProcess", parseProcess, JSON.stringify(JSON.parse(RICH).process)],
  ["parseResources", parseResources, JSON.stringify(JSON.parse(RICH).linux.resources)],
] as const) {
  test(`${name}: a mutated document is accepted or refused with SpecError, never anything else`, () => {
    parse(text);
    const random = randomFrom(1);
    let accepted = 0;
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      let mutant = text;
      for (let times = 1 + random(3); times > 0; times--) mutant = mutate(mutant, random);
      try {
        parse(mutant);
        accepted++;
      } catch (error) {
        if (!(error instanceof SpecError) || error.faults.length === 0)
          throw new Error(`${error} on ${mutant}`);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(accepted).toBeGreaterThan(10);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });
}
