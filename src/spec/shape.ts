/**
 * Shapes: small functions that check an unknown value and give it its type. They note every fault instead of
 * stopping at the first. Own code, because a validation library costs more start-up time than a whole `state`.
 */
import { suggestion } from "./closest.ts";
import { type Findings, quote } from "./faults.ts";

/**
 * Checks `value`, found at `path`. Gives it back with its type (copied, known properties only), or undefined
 * after noting at least one fault.
 */
export interface Shape<T> {
  (value: unknown, path: string, findings: Findings): T | undefined;
  /** True where an optional property that is `""` counts as not there, as Go programs write and read it. */
  readonly emptyIsAbsent?: boolean;
}

/** The inside of a type `T` that comes from a `Shape<T>`. */
type OptionalKeys<T> = { [K in keyof T]-?: Record<never, never> extends Pick<T, K> ? K : never }[keyof T];
type RequiredKeys<T> = Exclude<keyof T, OptionalKeys<T>>;

/** What {@link object} is made of. */
export interface ObjectShape<T> {
  readonly required: { readonly [K in RequiredKeys<T>]: Shape<T[K]> };
  readonly optional: { readonly [K in OptionalKeys<T>]: Shape<Exclude<T[K], undefined>> };
  /** Old property names that callers still use, and the names that they stand for. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** Properties that are known but have no meaning here, each with the reason for the warning. */
  readonly ignored?: Readonly<Record<string, string>>;
  /** Unknown properties are warned about instead of refused. */
  readonly open?: boolean;
  /** Rules between the properties; called when each of them is right by itself. */
  readonly check?: (value: T, path: string, findings: Findings) => void;
}

/**
 * An object with these properties. `null` counts as not there. An unknown property is a fault unless `open`:
 * a container must not run with a mistyped limit. An optional property that is wrong is left out of the result,
 * so that rules on the rest still find their faults.
 */
export function object<T>(plan: ObjectShape<T>): Shape<T> {
  // Most shapes are never used in a run and start-up time is what counts, so nothing more is prepared here.
  // Without prototypes, a property named "constructor" finds nothing.
  const required: Shapes = Object.setPrototypeOf(plan.required, null);
  const optional: Shapes = Object.setPrototypeOf(plan.optional, null);
  return (value, path, findings) => {
    if (!isObject(value)) return wrongType(value, path, findings, "an object");
    const result: Record<string, unknown> = {};
    let sound = true;
    for (const key in value) {
      const shape = optional[key] ?? required[key];
      const raw = value[key];
      if (shape === undefined) {
        if (!takeStranger(plan, key, raw, result, path, findings)) sound = false;
      } else if (raw !== null && !(raw === "" && shape.emptyIsAbsent)) {
        const checked = shape(raw, path === "" ? key : `${path}.${key}`, findings);
        if (checked === undefined) sound = false;
        else result[key] = checked;
      }
    }
    for (const key in required) {
      if (result[key] === undefined) return noteMissing(required, result, value, path, findings);
    }
    const typed = result as T;
    if (sound) plan.check?.(typed, path, findings);
    return typed;
  };
}

type Shapes = Readonly<Record<string, Shape<unknown>>>;

const own = <V>(object: Readonly<Record<string, V>>, key: string): V | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined;

/** A property without a shape: renamed, ignored or unknown. False when a renamed one is wrong. */
function takeStranger<T>(
  plan: ObjectShape<T>,
  key: string,
  raw: unknown,
  result: Record<string, unknown>,
  path: string,
  findings: Findings,
): boolean {
  const at = join(path, key);
  const shapes: Shapes = { ...plan.required, ...plan.optional };
  const name = own(plan.renamed ?? {}, key);
  const shape = name === undefined ? undefined : own(shapes, name);
  const reason = own(plan.ignored ?? {}, key);
  if (name !== undefined && shape !== undefined) {
    if (raw === null) return true;
    findings.warn(at, `is an old name, read as "${name}"`);
    const checked = shape(raw, at, findings);
    if (checked !== undefined) result[name] = checked;
    return checked !== undefined;
  }
  const problem = `unknown property${findings.full ? "" : suggestion(key, Object.keys(shapes))}`;
  if (reason !== undefined) findings.warn(at, `ignored: ${reason}`);
  else if (plan.open) findings.warn(at, `${problem}, ignored`);
  else findings.fault(at, problem);
  return true;
}

function noteMissing(
  required: Shapes,
  result: Readonly<Record<string, unknown>>,
  value: Readonly<Record<string, unknown>>,
  path: string,
  findings: Findings,
): undefined {
  for (const key of Object.keys(required)) {
    const given = own(value, key) ?? null;
    if (result[key] === undefined && given === null) findings.fault(join(path, key), "is required");
  }
}

/** Rules between the items of a list. */
type ArrayCheck<T> = (items: readonly T[], path: string, findings: Findings) => void;

/** A list. Wrong items leave a hole, which `forEach` skips, so that the others keep their index in messages. */
export function array<T>(item: Shape<T>, check?: ArrayCheck<T>): Shape<readonly T[]> {
  return (value, path, findings) => {
    if (!Array.isArray(value)) return wrongType(value, path, findings, "an array");
    const result: T[] = new Array(value.length);
    for (let index = 0; index < value.length; index++) {
      const checked = item(value[index], `${path}[${index}]`, findings);
      if (checked !== undefined) result[index] = checked;
    }
    check?.(result, path, findings);
    return result;
  };
}

/**
 * A list of strings, for an `item` that refuses only control characters or the empty string. Lists of hundreds
 * are common (system calls), so strings that can only be right are passed without a call each.
 */
export function strings(item: Shape<string>, check?: ArrayCheck<string>): Shape<readonly string[]> {
  const each = array(item, check);
  return (value, path, findings) => {
    if (!findings.plain || !Array.isArray(value)) return each(value, path, findings);
    for (const element of value) {
      if (typeof element !== "string" || element === "") return each(value, path, findings);
    }
    check?.(value, path, findings);
    return value;
  };
}

/** An object used as a map; `key` notes a fault for a key that may not be. Safe for a key such as `__proto__`. */
export function map<T>(
  item: Shape<T>,
  key: (key: string, path: string, findings: Findings) => void,
): Shape<Readonly<Record<string, T>>> {
  return (value, path, findings) => {
    if (!isObject(value)) return wrongType(value, path, findings, "an object");
    const entries: [string, T][] = [];
    for (const name of Object.keys(value)) {
      const at = join(path, name);
      key(name, at, findings);
      const checked = item(value[name], at, findings);
      if (checked !== undefined) entries.push([name, checked]);
    }
    return Object.fromEntries(entries);
  };
}

/** The shape, with `""` meaning "not there" where the property is optional. */
export const orEmpty = <T>(shape: Shape<T>): Shape<T> =>
  Object.assign((...args: Parameters<Shape<T>>) => shape(...args), { emptyIsAbsent: true });

/** The path of a property: `a.b`, or `a["b c"]` where the name is no plain word. */
export function join(path: string, key: string): string {
  if (!/^[\w$-]{1,64}$/.test(key)) return `${path}[${quote(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** Notes that the value has the wrong type. */
export function wrongType(value: unknown, path: string, findings: Findings, wanted: string): undefined {
  if (value === null) return findings.fault(path, `must be ${wanted}, not null`);
  const found = Array.isArray(value) ? "array" : typeof value === "bigint" ? "number" : typeof value;
  return findings.fault(path, `must be ${wanted}, not ${/^[ao]/.test(found) ? "an" : "a"} ${found}`);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
