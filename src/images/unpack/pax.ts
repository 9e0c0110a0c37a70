/** PAX extended headers: `LENGTH KEY=VALUE\n` records, values any bytes; pax(1), tar(5). */
import { bytesToText } from "../../host/byte-text.ts";
import { TarError } from "./tar-entry.ts";

export type PaxRecord = readonly [key: string, value: Uint8Array];

const bad = (why: string): TarError => new TarError("tar-invalid", `tar pax header: ${why}`);

/** The records in their order; a key may come more than once. @throws TarError `tar-invalid` */
export function parsePax(body: Uint8Array): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < body.length; ) {
    // some writers pad the last block with NULs
    if (body[at] === 0) break;
    const space = body.indexOf(0x20, at);
    const digits = space < 0 || space - at > 10 ? "" : bytesToText(body.subarray(at, space));
    if (!/^[0-9]+$/.test(digits)) throw bad("a record has no length");
    const end = at + Number(digits);
    if (end > body.length || body[end - 1] !== 0x0a || end <= space + 1)
      throw bad("a record's length is wrong");
    const equals = body.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) throw bad("a record has no value");
    records.push([bytesToText(body.subarray(space + 1, equals)), body.slice(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** A decimal integer. */
export function paxInteger(key: string, value: Uint8Array): number {
  const text = bytesToText(value);
  const number = Number(text);
  if (!/^-?[0-9]+$/.test(text) || !Number.isSafeInteger(number)) {
    throw bad(`${key} is not a number: ${JSON.stringify(text.slice(0, 40))}`);
  }
  return number;
}

/** Seconds with a fraction, as nanoseconds. */
export function paxTime(key: string, value: Uint8Array): bigint {
  const text = bytesToText(value);
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) throw bad(`${key} is not a time: ${JSON.stringify(text.slice(0, 40))}`);
  const nanos = BigInt(match[2] ?? 0) * 1_000_000_000n + BigInt((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  return match[1] === "-" ? -nanos : nanos;
}

/** Text without NUL. */
export function paxText(key: string, value: Uint8Array): string {
  if (value.includes(0)) throw bad(`${key} holds a NUL byte`);
  return bytesToText(value);
}
