/**
 * The room `pve` speaks Proxmox VE: its container configuration, SDN files, rules and plans. It may call every
 * room below `pods`; the files that parse, check and plan are pure and need only `host`.
 *
 * This file holds how Proxmox's Perl reads plain text: which characters are white space, what counts as a
 * number, what is true, how numbers print. Everything else here builds on these rules.
 */

/** Trailing white space as Perl's `\s` knows it on bytes; JavaScript's own also takes U+00A0 and its like. */
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);

/** True where the text, or the part of it from `start` to before `end`, holds nothing but ASCII white space. */
export function isBlank(text: string, start = 0, end = text.length): boolean {
  for (let i = start; i < end; i++) if (!isSpace(text.charCodeAt(i))) return false;
  return true;
}

/** The text without ASCII white space at its end; linear, where a regular expression would be quadratic. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  return end === text.length ? text : text.slice(0, end);
}

/** The text without ASCII white space at its start. */
export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charCodeAt(start))) start++;
  return start === 0 ? text : text.slice(start);
}

/** The text from an offset on, without ASCII white space at either end. */
export function trimFrom(text: string, offset: number): string {
  let start = offset;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** What Perl holds for false: absent, the empty string and `0`. */
export const isTrue = (value: string | undefined): value is string =>
  value !== undefined && value !== "" && value !== "0";

/** A list as Proxmox writes them: parts between white space, `,` or `;`; between NUL bytes where there are any. */
export function splitList(text: string): string[] {
  if (text.includes("\0")) {
    const parts = text.split("\0");
    while (parts.at(-1) === "") parts.pop();
    return parts;
  }
  return text.split(/[\t-\r ,;]+/).filter((part) => part !== "");
}

/** A decimal integer with an optional sign, as the schema's type `integer`. */
export const isInteger = (text: string): boolean => /^[+-]?\d+$/.test(text);

/** A decimal number with optional sign, fraction and exponent, as the schema's type `number`. */
export const isNumber = (text: string): boolean => /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text);

const LARGEST_INTEGER = 2n ** 64n - 1n;
const SMALLEST_INTEGER = -(2n ** 63n);

/**
 * A numeric text after Perl took its number: leading zeros and `+` are gone, integers stay exact within 64
 * bits, all else has at most 15 significant digits (`1e+20`).
 */
export function normalizeNumber(text: string): string {
  if (isInteger(text)) {
    const exact = BigInt(text.replace(/^\+/, ""));
    if (exact <= LARGEST_INTEGER && exact >= SMALLEST_INTEGER) return exact.toString();
  }
  return printFloat(Number(text));
}

/** C's `%.15g`, which is how Perl prints a floating-point number. */
function printFloat(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "Inf" : "-Inf";
  if (value === 0) return "0";
  const [digits = "", power = "0"] = value.toExponential(14).split("e");
  const exponent = Number(power);
  if (exponent < -5 || exponent >= 15) {
    const mantissa = digits.replace(/\.?0+$/, "");
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const fixed = value.toFixed(Math.max(0, 14 - exponent));
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

/** `1` or `0` for the words Proxmox takes as booleans in any case; undefined for all others. */
export function parseBoolean(text: string): "0" | "1" | undefined {
  switch (text.length > 5 ? "" : text.toLowerCase()) {
    case "1":
    case "on":
    case "yes":
    case "true":
      return "1";
    case "0":
    case "off":
    case "no":
    case "false":
      return "0";
    default:
      return undefined;
  }
}
