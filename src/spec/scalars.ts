/** Shapes of single values: strings, paths, numbers, names out of a list. */
import { suggestion } from "./closest.ts";
import type { Integer64 } from "./config.ts";
import { type Findings, quote } from "./faults.ts";
import { type Shape, wrongType } from "./shape.ts";

/** `true` or `false`. */
export const boolean: Shape<boolean> = (value, path, findings) =>
  typeof value === "boolean" ? value : wrongType(value, path, findings, "true or false");

/** A string that a system call can take: without NUL. */
export const text: Shape<string> = (value, path, findings) => {
  if (typeof value !== "string") return wrongType(value, path, findings, "a string");
  if (findings.plain || !value.includes("\0")) return value;
  return findings.fault(path, "must not hold a NUL character");
};

/** A {@link text} on one line: it may end up in a line-based file of the kernel or of LXC. */
export const line: Shape<string> = (value, path, findings) => {
  const checked = text(value, path, findings);
  if (checked === undefined || findings.plain || !/[\n\r]/.test(checked)) return checked;
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
  return (value, path, findings) => {
    const index = names.indexOf(value as T);
    if (index >= 0) return names[index];
    if (typeof value !== "string") return wrongType(value, path, findings, "a string");
    const list = names.length > 9 ? "a known name" : `one of ${names.join(", ")}`;
    const hint = findings.full ? "" : suggestion(value, names);
    return findings.fault(path, `${quote(value)} is not ${list}${hint}`);
  };
}

/** A whole number from `least` to `most`, both within ±(2^53−1). */
export const integer =
  (least: number, most: number): Shape<number> =>
  (value, path, findings) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? value
      : noInteger(value, path, findings, least, most);

/** A whole number from `least` to `most`, exact over 64 bits. */
export const integer64 =
  (least: bigint, most: bigint): Shape<Integer64> =>
  (value, path, findings) =>
    (typeof value === "bigint" || Number.isInteger(value)) &&
    (value as Integer64) >= least &&
    (value as Integer64) <= most
      ? exact(value as Integer64)
      : noInteger(value, path, findings, least, most);

const exact = (value: Integer64): Integer64 => (Number.isSafeInteger(value) ? value : BigInt(value));

function noInteger(
  value: unknown,
  path: string,
  findings: Findings,
  least: Integer64,
  most: Integer64,
): undefined {
  if (typeof value !== "number" && typeof value !== "bigint") {
    return wrongType(value, path, findings, "a whole number");
  }
  if (typeof value === "number" && !Number.isInteger(value)) {
    return findings.fault(path, `must be a whole number, not ${value}`);
  }
  return findings.fault(path, `${value} is out of range: ${least} to ${most}`);
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
