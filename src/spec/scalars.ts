/** Shapes of single values: strings, paths, numbers, names out of a list. */
import { suggestion } from "./closest.ts";
import type { Integer64 } from "./config.ts";
import { quote } from "./faults.ts";
import { type Shape, wrongType } from "./shape.ts";

/** `true` or `false`. */
export const boolean: Shape<boolean> = (value, path, findings) =>
  typeof value === "boolean" ? value : wrongType(value, path, findings, "true or false");

/** A string that a system call can take: without NUL. */
export const text: Shape<string> = (value, path, findings) => {
  if (typeof value !== "string") return wrongType(value, path, findings, "a string");
  return value.includes("\0") ? findings.fault(path, "must not hold a NUL character") : value;
};

/** A {@link text} on one line: it may end up in a line-based file of the kernel or of LXC. */
export const line: Shape<string> = (value, path, findings) => {
  const checked = text(value, path, findings);
  if (checked === undefined || !/[\n\r]/.test(checked)) return checked;
  return findings.fault(path, "must not hold a line break");
};

/** A {@link line} that is not empty. */
export const nonEmpty: Shape<string> = (value, path, findings) =>
  value === "" ? findings.fault(path, "must not be empty") : line(value, path, findings);

/** A path that begins with `/`. */
export const absolutePath: Shape<string> = (value, path, findings) => {
  const checked = nonEmpty(value, path, findings);
  if (checked === undefined || checked.startsWith("/")) return checked;
  return findings.fault(path, `must be an absolute path, not ${quote(checked)}`);
};

/** One of `names`. */
export function oneOf<T extends string>(names: readonly T[]): Shape<T> {
  const known = new Map<string, T>(names.map((name) => [name, name]));
  return (value, path, findings) => {
    if (typeof value !== "string") return wrongType(value, path, findings, "a string");
    const found = known.get(value);
    if (found !== undefined) return found;
    const list = names.length > 9 ? "a known name" : `one of ${names.join(", ")}`;
    return findings.fault(
      path,
      `${quote(value)} is not ${list}${findings.full ? "" : suggestion(value, names)}`,
    );
  };
}

/** A whole number from `least` to `most`, both within ±(2^53−1). */
export function integer(least: number, most: number): Shape<number> {
  const wide = integer64(BigInt(least), BigInt(most));
  return (value, path, findings) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    const checked = wide(value, path, findings);
    return checked === undefined ? undefined : Number(checked);
  };
}

/** A whole number from `least` to `most`, exact over 64 bits. */
export function integer64(least: bigint, most: bigint): Shape<Integer64> {
  return (value, path, findings) => {
    if (typeof value !== "number" && typeof value !== "bigint") {
      return wrongType(value, path, findings, "a whole number");
    }
    if (typeof value === "number" && !Number.isInteger(value)) {
      return findings.fault(path, `must be a whole number, not ${value}`);
    }
    if (value < least || value > most) {
      return findings.fault(path, `${value} is out of range: ${least} to ${most}`);
    }
    return Number.isSafeInteger(value) ? value : BigInt(value);
  };
}

export const UINT32_MAX = 2 ** 32 - 1;
const INT64_MAX = 2n ** 63n - 1n;
export const UINT64_MAX = 2n ** 64n - 1n;

export const uint16 = integer(0, 2 ** 16 - 1);
export const uint32 = integer(0, UINT32_MAX);
export const uint64 = integer64(0n, UINT64_MAX);

/** A size or time that the kernel itself bounds far below 2^53. */
export const count = integer(0, Number.MAX_SAFE_INTEGER);

/** A limit that is at least 0, or −1 for none. */
export const limit64 = integer64(-1n, INT64_MAX);
export const limit = integer(-1, Number.MAX_SAFE_INTEGER);

/** An exact unsigned 64-bit number as bigint. */
export const bigUint64: Shape<bigint> = (value, path, findings) => {
  const checked = uint64(value, path, findings);
  return checked === undefined ? undefined : BigInt(checked);
};

/** A user or group id; 2^32−1 is refused, because to setresuid(2) it means "leave it", that is root. */
export const id = integer(0, UINT32_MAX - 1);

/** A list such as `0-3,7` of CPUs or memory nodes. */
export const rangeList: Shape<string> = (value, path, findings) => {
  const checked = line(value, path, findings);
  if (checked === undefined) return undefined;
  for (const part of checked.split(",")) {
    const [, first, last] = /^\s*(\d{1,9})(?:-(\d{1,9}))?\s*$/.exec(part) ?? [];
    if (first === undefined || Number(last ?? first) < Number(first)) {
      return findings.fault(path, `${quote(checked)} is not a list such as "0-3,7"`);
    }
  }
  return checked;
};

/** IFNAMSIZ is 16 with the final NUL. dev_valid_name() of the kernel. */
const INTERFACE_NAME = /^[^\s/:\0]{1,15}$/;

/** True for what the kernel takes as the name of a network device. */
export const isInterfaceName = (name: string): boolean =>
  INTERFACE_NAME.test(name) && name !== "." && name !== "..";
