/** The 512-byte header of a tar entry: POSIX ustar, GNU, star and old v7; tar(5). */
import { bytesToText } from "../../host/byte-text.ts";
import { TarError } from "./tar-entry.ts";

export const BLOCK = 512;

/** A header's own fields, before any extension is applied. */
export interface RawHeader {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  /** One character. */
  readonly type: string;
  readonly link: string;
  readonly major: number;
  readonly minor: number;
}

/** Text up to the first NUL. */
export function readText(block: Uint8Array, at: number, length: number): string {
  let end = at;
  while (end < at + length && block[end] !== 0) end += 1;
  return bytesToText(block.subarray(at, end));
}

/**
 * A number in octal text or in GNU's base-256 form.
 * @throws TarError `tar-invalid` where it is neither, or too large for a double
 */
export function readNumber(block: Uint8Array, at: number, length: number, field: string): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = first === 0xff ? -1n : BigInt(first & 0x7f);
    for (let i = at + 1; i < at + length; i += 1) value = (value << 8n) | BigInt(block[i] ?? 0);
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw new TarError("tar-invalid", `tar header: ${field} is out of range`);
  }
  const text = readText(block, at, length).trim();
  if (text === "") return 0;
  if (!/^[0-7]+$/.test(text)) {
    throw new TarError("tar-invalid", `tar header: ${field} is not a number: ${JSON.stringify(text)}`);
  }
  return Number.parseInt(text, 8);
}

export function isZeroBlock(block: Uint8Array): boolean {
  for (let i = 0; i < BLOCK; i += 1) if (block[i] !== 0) return false;
  return true;
}

function checkSum(block: Uint8Array): void {
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i += 1) {
    const byte = i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0);
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  const said = readNumber(block, 148, 8, "checksum");
  // old tars summed signed characters
  if (said !== unsigned && said !== signed) {
    throw new TarError("tar-invalid", "tar header: wrong checksum; the archive is damaged or no tar archive");
  }
}

/** Parses a header block that is not all zero. @throws TarError `tar-invalid` */
export function parseHeader(block: Uint8Array): RawHeader {
  checkSum(block);
  const magic = readText(block, 257, 6);
  let name = readText(block, 0, 100);
  if (magic === "ustar") {
    const star = readText(block, 508, 4) === "tar";
    const prefix = readText(block, 345, star ? 131 : 155);
    if (prefix !== "") name = `${prefix}/${name}`;
  }
  const size = readNumber(block, 124, 12, "size");
  if (size < 0) throw new TarError("tar-invalid", "tar header: negative size");
  return {
    name,
    mode: readNumber(block, 100, 8, "mode") & 0o7777,
    uid: readNumber(block, 108, 8, "uid"),
    gid: readNumber(block, 116, 8, "gid"),
    size,
    mtime: readNumber(block, 136, 12, "mtime"),
    type: String.fromCharCode(block[156] ?? 0),
    link: readText(block, 157, 100),
    major: magic.startsWith("ustar") ? readNumber(block, 329, 8, "device major") : 0,
    minor: magic.startsWith("ustar") ? readNumber(block, 337, 8, "device minor") : 0,
  };
}
