import { expect, test } from "bun:test";
import { nested, pairs, readPlan } from "./plan.fixture.ts";
import { Plan } from "./plan.ts";

test("a record is a 32-bit length, a key, a value, each text ended by NUL", () => {
  const bytes = new Plan().add("key", "value").bytes();
  expect([...bytes]).toEqual([5, 0, 0, 0, ...Buffer.from("key\0value\0")]);
});

test("the length counts bytes, not characters", () => {
  const [record] = readPlan(new Plan().add("name", "größe €"));
  expect(record?.value).toBe("größe €");
  expect(record?.bytes.length).toBe(11);
});

test("numbers and bigints are decimal; true is 1; false and undefined are no record", () => {
  const plan = new Plan()
    .add("zero", 0)
    .add("number", -17)
    .add("mask", 0xffff_ffff_ffff_ffffn)
    .add("yes", true)
    .add("no", false)
    .add("none", undefined)
    .add("empty", "");
  expect(pairs(plan)).toEqual([
    ["zero", "0"],
    ["number", "-17"],
    ["mask", "18446744073709551615"],
    ["yes", "1"],
    ["empty", ""],
  ]);
});

test("repeated keys keep their order; no values add nothing", () => {
  const plan = new Plan()
    .addAll("arg", ["a", 2, "c"])
    .addAll("env", undefined)
    .addAll("env", [])
    .add("arg", "d");
  expect(pairs(plan)).toEqual([
    ["arg", "a"],
    ["arg", "2"],
    ["arg", "c"],
    ["arg", "d"],
  ]);
});

test("bytes go in as they are, with NULs in them", () => {
  const program = Uint8Array.from([0, 1, 0, 255, 0]);
  const [record, next] = readPlan(new Plan().add("seccomp", program).add("next", "x"));
  expect([...(record?.bytes ?? [])]).toEqual([...program]);
  expect(next?.value).toBe("x");
});

test("a plan nests, and is a copy of that moment", () => {
  const inner = new Plan().add("path", "/a");
  const plan = new Plan().add("mount", inner);
  inner.add("path", "/b");
  expect(nested(plan, "mount")).toEqual([[["path", "/a"]]]);
});

test("no records are no bytes", () => {
  expect(new Plan().bytes().length).toBe(0);
});
