/** Durations as Go writes them. Pure. */
import { UsageError } from "./usage-error.ts";

const milliseconds: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** `5s`, `1m30s`, `1.5h`, `100ms` in ms; more than nothing, at most 24 days. @throws UsageError */
export function parseDuration(text: string): number {
  const part = /(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g;
  let total = 0;
  let length = 0;
  for (const [all, amount, unit = ""] of text.matchAll(part)) {
    total += Number(amount) * (milliseconds[unit] ?? 0);
    length += all.length;
  }
  if (length !== text.length || !(total > 0) || total > 2 ** 31 - 1) {
    throw new UsageError(`invalid duration ${JSON.stringify(text)}: give a time such as 5s or 1m30s`);
  }
  return Math.max(1, total);
}
