/**
 * Flags as Go's and GNU's programs take them, for callers of runc and crun write both: `--name value`, `--name=value`,
 * `-name`, `-n value`, `-it`, `--` ends them.
 */
import { closest } from "../spec/closest.ts";
import type { Flag, FlagValues } from "./command.ts";
import { UsageError } from "./usage-error.ts";

/** What {@link parseFlags} found. */
export interface Parsed {
  readonly values: FlagValues;
  readonly args: readonly string[];
}

/** Values by long name; a flag without a value has `[]`. */
class Values implements FlagValues {
  readonly #values = new Map<string, string[]>();

  set(flag: Flag, value: string): void {
    const before = this.#values.get(flag.name);
    if (flag.kind === "list" && before !== undefined) before.push(value);
    else this.#values.set(flag.name, [value]);
  }

  boolean(name: string): boolean {
    return this.string(name) === "true";
  }

  string(name: string): string | undefined {
    return this.#values.get(name)?.at(-1);
  }

  integer(name: string): number | undefined {
    const text = this.string(name);
    return text === undefined ? undefined : Number(text);
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  given(name: string): boolean {
    return this.#values.has(name);
  }
}

/**
 * Splits `argv` into flags and arguments.
 * @param inOrder stop at the first argument that is no flag
 * @throws UsageError
 */
export function parseFlags(argv: readonly string[], flags: readonly Flag[], inOrder: boolean): Parsed {
  const byName = new Map<string, Flag>();
  for (const flag of flags) {
    for (const name of [flag.name, ...(flag.aliases ?? [])]) byName.set(name, flag);
    if (flag.short !== undefined) byName.set(flag.short, flag);
  }
  const values = new Values();
  const args: string[] = [];
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? "";
    at += 1;
    if (word === "--") {
      args.push(...argv.slice(at));
      break;
    }
    if (word === "-" || !word.startsWith("-")) {
      args.push(word);
      if (!inOrder) continue;
      args.push(...argv.slice(at));
      break;
    }
    const [name, inline] = split(word);
    const [flag, booleans] = resolve(word, name, byName);
    for (const before of booleans) values.set(before, "true");
    if (flag.kind === "boolean") {
      values.set(flag, String(truth(name, inline ?? "true")));
      continue;
    }
    if (inline === undefined && at >= argv.length) {
      throw new UsageError(`flag needs an argument: -${name}`);
    }
    values.set(flag, checked(flag, inline ?? argv[at] ?? ""));
    if (inline === undefined) at += 1;
  }
  return { values, args };
}

/** `--name=value` → name, value. */
function split(word: string): [string, string | undefined] {
  const name = word.replace(/^--?/, "");
  const equals = name.indexOf("=");
  return equals < 0 ? [name, undefined] : [name.slice(0, equals), name.slice(equals + 1)];
}

/** The flag of a word, and the booleans before it where the word is a cluster of short ones (`-it`). */
function resolve(word: string, name: string, byName: ReadonlyMap<string, Flag>): [Flag, readonly Flag[]] {
  const flag = byName.get(name);
  if (flag !== undefined) return [flag, []];
  if (!word.startsWith("--")) {
    const cluster = [...name].map((letter) => byName.get(letter));
    const last = cluster.pop();
    const booleans = cluster.filter((each) => each?.kind === "boolean") as Flag[];
    if (last !== undefined && booleans.length === cluster.length) return [last, booleans];
  }
  const meant = closest(
    name,
    [...byName.keys()].filter((key) => key.length > 1),
  );
  throw new UsageError(
    `flag provided but not defined: -${name}`,
    meant === undefined ? undefined : `Did you mean --${meant}?`,
  );
}

/** The spellings of strconv.ParseBool. */
function truth(name: string, text: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw new UsageError(`invalid boolean value ${JSON.stringify(text)} for -${name}`);
}

function checked(flag: Flag, value: string): string {
  if (value.includes("\0")) throw new UsageError(`the value of -${flag.name} contains a NUL byte`);
  if (flag.kind === "integer" && !(/^[+-]?\d+$/.test(value) && Number.isSafeInteger(Number(value)))) {
    throw new UsageError(`invalid value ${JSON.stringify(value)} for flag -${flag.name}: not an integer`);
  }
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    throw new UsageError(
      `invalid value ${JSON.stringify(value)} for flag -${flag.name}: not one of ${flag.choices.join(", ")}`,
    );
  }
  return value;
}
