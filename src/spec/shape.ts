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
  const required = Object.keys(plan.required);
  const shapes = new Map(Object.entries<Shape<unknown>>({ ...plan.required, ...plan.optional }));
  const renamed = new Map(Object.entries(plan.renamed ?? {}));
  const ignored = new Map(Object.entries(plan.ignored ?? {}));

  return (value, path, findings) => {
    if (!isObject(value)) return wrongType(value, path, findings, "an object");
    const result: Record<string, unknown> = {};
    let sound = true;
    for (const key of Object.keys(value)) {
      const name = renamed.get(key) ?? key;
      const shape = shapes.get(name);
      const raw = value[key];
      if (shape === undefined) {
        noteStranger(key, path, findings);
      } else if (raw !== null && !(raw === "" && shape.emptyIsAbsent)) {
        if (name !== key) findings.warn(join(path, key), `is an old name, read as "${name}"`);
        const checked = shape(raw, path === "" ? key : `${path}.${key}`, findings);
        if (checked === undefined) sound = false;
        else result[name] = checked;
      }
    }
    const missing = required.filter((key) => !(key in result));
    for (const key of missing) {
      if (value[key] === undefined || value[key] === null) findings.fault(join(path, key), "is required");
    }
    if (missing.length > 0) return undefined;
    const typed = result as T;
    if (sound) plan.check?.(typed, path, findings);
    return typed;
  };

  function noteStranger(key: string, path: string, findings: Findings): void {
    const at = join(path, key);
    const reason = ignored.get(key);
    if (reason !== undefined) {
      findings.warn(at, `ignored: ${reason}`);
      return;
    }
    const problem = `unknown property${findings.full ? "" : suggestion(key, shapes.keys())}`;
    if (plan.open) findings.warn(at, `${problem}, ignored`);
    else findings.fault(at, problem);
  }
}

/** A list. Wrong items leave a hole, which `forEach` skips, so that the others keep their index in messages. */
export function array<T>(
  item: Shape<T>,
  check?: (items: readonly T[], path: string, findings: Findings) => void,
): Shape<readonly T[]> {
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
