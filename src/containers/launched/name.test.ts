import { expect, test } from "bun:test";
import { chooseName, parseName } from "./name.ts";

test.each(["a", "web-1", "A.b_c", "9", "x".repeat(63)])("%s is a name", (text) => {
  expect(parseName(text)).toBe(text as never);
});

test.each(["", ".", "..", "-a", "_a", "a/b", "a b", "a\nb", "ä", "x".repeat(64)])("%j is none", (text) => {
  expect(() => parseName(text)).toThrow("is not allowed");
});

test("a chosen name is one, and not taken", () => {
  const name = chooseName(() => false);
  expect(name).toMatch(/^[a-z]+-[a-z]+$/);
  expect(parseName(name)).toBe(name);
  expect(
    chooseName(
      (each) => each === "able-auk",
      () => 0,
    ),
  ).not.toBe("able-auk" as never);
  expect(
    chooseName(
      (each) => !/\d/.test(each),
      () => 0,
    ),
  ).toMatch(/^able-auk-\d+$/);
});
