/** Formats of the kernel's counter files. */
import { readdirSync } from "node:fs";
import type { MemoryEntry, Pressure, PressureLine } from "./stats.ts";

/** What `max` means as an unsigned 64-bit limit. */
export const NO_LIMIT = 2n ** 64n - 1n;

/** A number; `none` (by default 0) where the file is missing or says something else, such as `max`. */
export const counter = (text: string | undefined, none = 0n): bigint =>
  text !== undefined && /^\d+$/.test(text) ? BigInt(text) : none;

/** `key value` lines. */
export function table(text: string | undefined): Record<string, bigint> {
  const entries = (text ?? "").split("\n").flatMap((line): [string, bigint][] => {
    const [key = "", value] = line.split(" ");
    return value !== undefined && /^\d+$/.test(value) ? [[key, BigInt(value)]] : [];
  });
  return Object.fromEntries(entries);
}

/** `0-2,5` → 0, 1, 2, 5. */
export function members(list: string | undefined): number[] {
  return (list ?? "").split(",").flatMap((range) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(range);
    if (match === null) return [];
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Huge page sizes (`2MB`) that a group's files name. */
export function sizesOf(folder: string): string[] {
  const sizes = readdirSync(folder).flatMap((file) => /^hugetlb\.(\d+[KMG]B)\./.exec(file)?.[1] ?? []);
  return [...new Set(sizes)].sort();
}

/** The `key=value` fields of a line. */
export const pairs = (line: string): Map<string, string> =>
  new Map(
    line.split(" ").flatMap((field): [string, string][] => {
      const at = field.indexOf("=");
      return at < 0 ? [] : [[field.slice(0, at), field.slice(at + 1)]];
    }),
  );

/** A file of /proc/pressure's format; undefined where the kernel does not measure it. */
export function pressure(text: string | undefined): Pressure | undefined {
  if (text === undefined) return undefined;
  const line = (kind: string): PressureLine => {
    const fields = pairs(text.split("\n").find((l) => l.startsWith(`${kind} `)) ?? "");
    return {
      avg10: Number(fields.get("avg10") ?? 0),
      avg60: Number(fields.get("avg60") ?? 0),
      avg300: Number(fields.get("avg300") ?? 0),
      total: counter(fields.get("total")),
    };
  };
  return { some: line("some"), full: line("full") };
}

/** `{ psi }` or nothing, to be spread. */
export const withPressure = (text: string | undefined): { psi?: Pressure } => {
  const psi = pressure(text);
  return psi === undefined ? {} : { psi };
};

/** All zero. */
export const NOTHING: MemoryEntry = { limit: 0n, usage: 0n, max: 0n, failcnt: 0n };
