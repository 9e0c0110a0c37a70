import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import * as numbers from "./numbers.ts";
import { expandList } from "./numbers.ts";

test.each([
  ["0", [0]],
  ["0-2,7", [0, 1, 2, 7]],
  [" 1 , 3-4 ", [1, 3, 4]],
  ["", []],
  ["5-5", [5]],
  ["3-1", []],
  ["1022-5000", [1022, 1023]],
  ["4000", []],
])("the list %j", (list, members) => {
  expect(expandList(list)).toEqual(members);
});

test("a range beyond the limit costs no time", () => {
  expect(expandList("0-4294967295", 4)).toEqual([0, 1, 2, 3]);
});

/** `#define NAME VALUE` of the kernel's headers; a value may be a shift. */
function defines(...headers: readonly string[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const header of headers) {
    const text = readFileSync(`/usr/include/${header}`, "utf8");
    for (const [, name = "", left = "", right] of text.matchAll(
      /^#\s*define\s+(\w+)\s+\(?(0x[0-9a-f]+|\d+)(?:\s*<<\s*(\d+))?\)?/gm,
    )) {
      found.set(name, right === undefined ? Number(left) : Number(left) << Number(right));
    }
  }
  return found;
}

test("limits have the kernel's numbers", () => {
  const kernel = defines("asm-generic/resource.h");
  for (const [name, number] of Object.entries(numbers.RLIMITS))
    expect([name, kernel.get(name)]).toEqual([name, number]);
  expect(Object.keys(numbers.RLIMITS).length).toBe(16);
});

test("scheduling has the kernel's numbers", () => {
  const kernel = new Map(defines("linux/sched.h"));
  // The header calls it by its old name, and leaves the number that was never used out.
  kernel.set("SCHED_OTHER", kernel.get("SCHED_NORMAL") ?? -1).set("SCHED_ISO", 4);
  for (const table of [numbers.SCHEDULER_POLICY_NUMBERS, numbers.SCHEDULER_FLAG_BITS]) {
    for (const [name, number] of Object.entries(table))
      expect([name, kernel.get(name)]).toEqual([name, number]);
  }
});

test("memory policies have the kernel's numbers", () => {
  const text = readFileSync("/usr/include/linux/mempolicy.h", "utf8");
  const modes = [...(text.split("enum {")[1]?.split("}")[0] ?? "").matchAll(/^\s*(MPOL_\w+),/gm)].map(
    ([, n]) => n,
  );
  const kernel = new Map([
    ...defines("linux/mempolicy.h"),
    ...modes.map((name, i) => [name ?? "", i] as const),
  ]);
  for (const [name, number] of Object.entries(numbers.MEMORY_POLICY_FLAG_BITS)) {
    expect([name, kernel.get(name)]).toEqual([name, number]);
  }
  for (const [name, number] of Object.entries(numbers.MEMORY_POLICY_NUMBERS)) {
    // Newer than this machine's headers.
    if (kernel.has(name)) expect([name, kernel.get(name)]).toEqual([name, number]);
  }
  expect(kernel.get("MPOL_BIND")).toBe(numbers.MEMORY_POLICY_NUMBERS.MPOL_BIND);
});

test("personalities and I/O classes have the kernel's numbers", () => {
  const kernel = defines("linux/ioprio.h");
  expect(numbers.PERSONALITY_NUMBERS).toEqual({ LINUX: 0, LINUX32: 0x0008 });
  expect(numbers.IO_PRIORITY_CLASS_NUMBERS.IOPRIO_CLASS_IDLE).toBe(3);
  expect(kernel.get("IOPRIO_CLASS_SHIFT")).toBe(13);
});
