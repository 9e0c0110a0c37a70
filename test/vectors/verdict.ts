/** What comparing one recorded case with our own result gives. */

/** A recorded case, as its line says. */
export type Vector = Readonly<Record<string, unknown>>;

/** Whether our result is the recorded one; where a known fault was recorded, the corrected one holds as well. */
export interface Verdict {
  readonly holds: boolean;
  /** The case was recorded with a known fault of upstream. */
  readonly knownFault?: boolean;
  /** What differs, for a person. */
  readonly difference?: string;
}

/** Checks one case. */
export type Check = (vector: Vector) => Verdict | Promise<Verdict>;

/** A value with maps as objects, keys in order, and every scalar as text, as the cases are to be compared. */
export function normalized(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Map) return normalized(Object.fromEntries(value));
  if (Array.isArray(value)) return value.map(normalized);
  if (typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, inner]) => [key, normalized(inner)]));
  }
  if (typeof value === "boolean") return value ? "1" : "0";
  return String(value);
}

/** Compares fields one by one, naming those that differ. */
export function compare(expected: Record<string, unknown>, actual: Record<string, unknown>): Verdict {
  const differences = Object.keys(expected).flatMap((key) => {
    const [want, got] = [JSON.stringify(normalized(expected[key])), JSON.stringify(normalized(actual[key]))];
    return want === got ? [] : [`${key}: want ${want}, got ${got}`];
  });
  return differences.length === 0 ? { holds: true } : { holds: false, difference: differences.join("; ") };
}

/** A set of names, to be compared without order. */
export const nameSet = (names: Iterable<string>): string[] => [...new Set(names)].sort();
