import { describe, expect, test } from "bun:test";
import type { DeviceRule } from "../spec/config.ts";
import { assemble, INSTRUCTION } from "./device-program.ts";
import {
  DEFAULT_RULES,
  type DevicePolicy,
  linesBetween,
  MKNOD,
  policyOf,
  policyOfList,
  READ,
  WRITE,
} from "./device-rules.ts";

const c = (major: number, minor: number, access: string, allow = true): DeviceRule => ({
  allow,
  type: "c",
  major,
  minor,
  access,
});

describe("policyOf", () => {
  test("nothing is allowed to begin with", () => {
    expect(policyOf([])).toEqual({ allowAll: false, exceptions: [] });
  });

  test("rules add up and are taken off again, device by device", () => {
    expect(
      policyOf([
        c(1, 3, "r"),
        c(1, 3, "w"),
        c(1, 5, "rwm"),
        c(1, 5, "m", false),
        c(1, 7, "r"),
        c(1, 7, "rw", false),
      ]),
    ).toEqual({
      allowAll: false,
      exceptions: [
        { type: "c", major: 1, minor: 3, access: READ | WRITE },
        { type: "c", major: 1, minor: 5, access: READ | WRITE },
      ],
    });
  });

  test("a rule for all sets the default and forgets, whatever numbers it has", () => {
    expect(policyOf([c(1, 3, "r"), { allow: true, access: "rwm" }])).toEqual({
      allowAll: true,
      exceptions: [],
    });
    expect(policyOf([{ allow: true }, c(1, 3, "r", false), { allow: false, type: "a", major: 1 }])).toEqual({
      allowAll: false,
      exceptions: [],
    });
  });

  test("absent access and numbers mean all", () => {
    expect(policyOf([{ allow: true, type: "b" }]).exceptions).toEqual([
      { type: "b", major: -1, minor: -1, access: MKNOD | READ | WRITE },
    ]);
  });

  test("a hole in a wildcard is refused: v1 would silently not make it", () => {
    expect(() =>
      policyOf([{ allow: true, type: "c", major: 136, access: "rw" }, c(136, 5, "r", false)]),
    ).toThrow(
      "linux.resources.devices: cannot deny c 136:5 r: it would be a hole in the wildcard rule c 136:* rw",
    );
    expect(() =>
      policyOf([{ allow: true }, { allow: false, type: "b" }, { ...c(8, 0, "r"), type: "b" }]),
    ).toThrow("cannot allow b 8:0 r");
    expect(() =>
      policyOf([{ allow: true, type: "c", major: 136, access: "m" }, c(136, 5, "r", false)]),
    ).not.toThrow();
  });
});

describe("linesBetween", () => {
  const text = (from: DevicePolicy, to: DevicePolicy) =>
    linesBetween(from, to).map((l) => `${l.file} ${l.value}`);
  const allowAll = policyOf([{ allow: true }]);

  test("a new group is denied everything first", () => {
    expect(text(allowAll, policyOf([c(1, 3, "rwm")]))).toEqual(["devices.deny a", "devices.allow c 1:3 rwm"]);
  });

  test("an update touches only what differs", () => {
    const before = policyOf([c(1, 3, "rwm"), c(1, 5, "rw"), c(1, 9, "r")]);
    const after = policyOf([c(1, 3, "rwm"), c(1, 5, "wm"), c(5, 0, "r")]);
    expect(text(before, after)).toEqual([
      "devices.deny c 1:5 r",
      "devices.deny c 1:9 r",
      "devices.allow c 1:5 m",
      "devices.allow c 5:0 r",
    ]);
    expect(text(before, before)).toEqual([]);
  });

  test("to privileged", () => {
    expect(text(policyOf([c(1, 3, "r")]), policyOf([{ allow: true }, c(1, 5, "r", false)]))).toEqual([
      "devices.allow a",
      "devices.deny c 1:5 r",
    ]);
  });
});

test("policyOfList reads what v1 prints", () => {
  expect(policyOfList("a *:* rwm\n")).toEqual({ allowAll: true, exceptions: [] });
  const list = "b *:* m\nc *:* m\nc 1:3 rwm\nc 136:* rwm\nrubbish\n";
  expect(policyOfList(list)).toEqual(
    policyOf([
      { allow: true, type: "b", access: "m" },
      { allow: true, type: "c", access: "m" },
      c(1, 3, "rwm"),
      { allow: true, type: "c", major: 136 },
    ]),
  );
});

/** What v1's kernel code answers, in the words of its documentation: the reference for the program. */
function expected(
  policy: DevicePolicy,
  type: "b" | "c",
  access: number,
  major: number,
  minor: number,
): boolean {
  const matching = policy.exceptions.filter(
    (e) => e.type === type && (e.major < 0 || e.major === major) && (e.minor < 0 || e.minor === minor),
  );
  return policy.allowAll
    ? !matching.some((e) => (e.access & access) !== 0)
    : matching.some((e) => (access & ~e.access) === 0);
}

/** Runs the few instructions that device programs use. */
function interpret(program: Uint8Array, context: readonly [number, number, number]): number {
  const view = new DataView(program.buffer);
  const registers = new Uint32Array(11);
  for (let at = 0, steps = 0; at < program.length && steps < 10_000; at += INSTRUCTION, steps += 1) {
    const to = view.getUint8(at + 1) & 15;
    const from = view.getUint8(at + 1) >> 4;
    const offset = view.getInt16(at + 2, true);
    const immediate = view.getInt32(at + 4, true);
    const value = registers[to] ?? 0;
    switch (view.getUint8(at)) {
      case 0x61:
        expect(from).toBe(1);
        registers[to] = context[offset / 4] ?? 0;
        break;
      case 0xbf:
        registers[to] = registers[from] ?? 0;
        break;
      case 0xb7:
        registers[to] = immediate;
        break;
      case 0x54:
        registers[to] = value & immediate;
        break;
      case 0x74:
        registers[to] = value >>> immediate;
        break;
      case 0x05:
        at += offset * INSTRUCTION;
        break;
      case 0x56:
        if (value !== immediate >>> 0) at += offset * INSTRUCTION;
        break;
      case 0x46:
        if ((value & immediate) !== 0) at += offset * INSTRUCTION;
        break;
      case 0x95:
        return registers[0] ?? -1;
      default:
        throw new Error(`opcode ${view.getUint8(at)}`);
    }
  }
  throw new Error("ran off the program's end");
}

describe("assemble", () => {
  const policies: [string, readonly DeviceRule[]][] = [
    ["nothing", []],
    ["all", [{ allow: true }]],
    ["the default rules", DEFAULT_RULES],
    [
      "some",
      [c(1, 3, "rw"), { ...c(8, 0, "r"), type: "b" }, { allow: true, type: "b", minor: 3, access: "w" }],
    ],
    [
      "all but some",
      [{ allow: true }, c(1, 3, "rw", false), { allow: false, type: "b", major: 8, access: "w" }],
    ],
    ["all but one kind", [{ allow: true }, { allow: false, type: "c" }]],
    ["big numbers", [c(0xfff, 0xfffff, "r")]],
  ];
  test.each(policies)("%s: the program answers every request as v1 does", (_, rules) => {
    const policy = policyOf(rules);
    const program = assemble(policy);
    for (const type of ["b", "c"] as const) {
      for (let access = 1; access < 8; access += 1) {
        for (const major of [0, 1, 5, 8, 10, 136, 0xfff]) {
          for (const minor of [0, 2, 3, 5, 200, 0xfffff]) {
            const answer = interpret(program, [(access << 16) | (type === "b" ? 1 : 2), major, minor]);
            if ((answer === 1) !== expected(policy, type, access, major, minor)) {
              throw new Error(`${type} ${major}:${minor} access ${access} → ${answer}`);
            }
          }
        }
      }
    }
    expect(program.length % INSTRUCTION).toBe(0);
  });
});
