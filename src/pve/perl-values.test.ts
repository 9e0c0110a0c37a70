import { expect, test } from "bun:test";
import { formatSize, parseSize } from "./disk-size.ts";
import {
  isBlank,
  isNumber,
  normalizeNumber,
  parseBoolean,
  splitList,
  trimEnd,
  trimFrom,
  trimStart,
} from "./perl-values.ts";

test("only ASCII white space is trimmed", () => {
  expect(trimEnd("a \t\r\n\v\f")).toBe("a");
  expect(trimStart(" \ta\u00a0")).toBe("a\u00a0");
  expect(trimFrom("x: \ta b ", 2)).toBe("a b");
  expect(isBlank(" \t\u00a0")).toBe(false);
  expect(isBlank("")).toBe(true);
});

test("lists split at white space, commas and semicolons, or at NUL alone", () => {
  expect(splitList(" a,b;;c  d")).toEqual(["a", "b", "c", "d"]);
  expect(splitList("a b\0c,d\0")).toEqual(["a b", "c,d"]);
  expect(splitList("")).toEqual([]);
});

test("numbers print as Perl prints them", () => {
  expect(normalizeNumber("00512")).toBe("512");
  expect(normalizeNumber("+7")).toBe("7");
  expect(normalizeNumber("-007")).toBe("-7");
  expect(normalizeNumber("18446744073709551615")).toBe("18446744073709551615");
  expect(normalizeNumber("100000000000000000000")).toBe("1e+20");
  expect(normalizeNumber("12345678901234567890123")).toBe("1.23456789012346e+22");
  expect(normalizeNumber("0.50")).toBe("0.5");
  expect(normalizeNumber("1.5e-7")).toBe("1.5e-07");
  expect(normalizeNumber("2500.125")).toBe("2500.125");
  expect(normalizeNumber("0.0")).toBe("0");
  expect(normalizeNumber("1e400")).toBe("Inf");
  expect(normalizeNumber("-1e400")).toBe("-Inf");
});

test("what counts as a number", () => {
  for (const text of ["1", "5.", ".5", "+1", "12.5e+1", "1E-2"]) expect(isNumber(text)).toBe(true);
  for (const text of ["", ".", "+", "1_000", "0x10", "NaN", "1e", " 1"]) expect(isNumber(text)).toBe(false);
});

test("booleans have four words each, in any case", () => {
  expect(["1", "ON", "Yes", "tRUE"].map(parseBoolean)).toEqual(["1", "1", "1", "1"]);
  expect(["0", "OFF", "No", "fALSE"].map(parseBoolean)).toEqual(["0", "0", "0", "0"]);
  expect(["", "2", "y", "enabled"].map(parseBoolean)).toEqual([undefined, undefined, undefined, undefined]);
});

test("sizes are read in bytes and written in the largest exact unit", () => {
  expect(parseSize("534.5G")).toBe(573915004928);
  expect(parseSize("2TiB")).toBe(2 * 2 ** 40);
  expect(parseSize("4GB")).toBeUndefined();
  expect(formatSize(573915004928)).toBe("547328M");
  expect(formatSize(1000)).toBe("1000");
  expect(formatSize(2 ** 50)).toBe("1024T");
});
