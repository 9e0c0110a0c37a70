/** For tests: reads a plan as native/plan.c does. */
import type { Plan } from "./plan.ts";

/** A record with its value as text. */
export interface PlanRecord {
  readonly key: string;
  readonly value: string;
  readonly bytes: Buffer;
}

/** The records of a plan in order; fails where native/plan.c would. */
export function readPlan(plan: Plan | Uint8Array): PlanRecord[] {
  const data = plan instanceof Uint8Array ? Buffer.from(plan) : plan.bytes();
  const records: PlanRecord[] = [];
  for (let at = 0; at < data.length; ) {
    const length = data.readUInt32LE(at);
    const keyEnd = data.indexOf(0, at + 4);
    const end = keyEnd + 1 + length;
    if (keyEnd < 0 || data[end] !== 0) throw new Error(`malformed record at byte ${at}`);
    const bytes = data.subarray(keyEnd + 1, end);
    records.push({ key: data.toString("latin1", at + 4, keyEnd), value: bytes.toString(), bytes });
    at = end + 1;
  }
  return records;
}

/** A plan as `key value` pairs, for comparison. */
export const pairs = (plan: Plan | Uint8Array): [string, string][] =>
  readPlan(plan).map(({ key, value }) => [key, value]);

/** All values of a key. */
export const valuesOf = (plan: Plan | Uint8Array, key: string): string[] =>
  pairs(plan).flatMap(([name, value]) => (name === key ? [value] : []));

/** The plans that are values of a key, as pairs. */
export const nested = (plan: Plan | Uint8Array, key: string): [string, string][][] =>
  readPlan(plan).flatMap((record) => (record.key === key ? [pairs(record.bytes)] : []));
