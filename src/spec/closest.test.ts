import { expect, test } from "bun:test";
import { closest, suggestion } from "./closest.ts";

const names = ["limit", "swap", "swappiness", "readonlyPaths", "maskedPaths"];

test("finds the nearest name", () => {
  expect(closest("limits", names)).toBe("limit");
  expect(closest("Limit", names)).toBe("limit");
  expect(closest("readOnlyPath", names)).toBe("readonlyPaths");
  expect(suggestion("swapiness", names)).toBe(' (did you mean "swappiness"?)');
});

test("offers nothing where nothing is near", () => {
  expect(closest("colour", names)).toBeUndefined();
  expect(closest("x".repeat(1_000_000), names)).toBeUndefined();
  expect(suggestion("", names)).toBe("");
});
