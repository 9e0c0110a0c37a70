/** Property strings, `local:8,mp=/data,ro=1`: read, checked and written by the schema of their keys. */
import { LxcriError } from "../host/errors.ts";
import { formatSize } from "./disk-size.ts";
import { isBlank, isTrue, parseBoolean } from "./perl-values.ts";
import { matchesFormat } from "./value-formats.ts";
import { type Faults, limitFault, type PropertyFormat, typeFault, type ValueSchema } from "./value-schema.ts";

/** The text as a whole is malformed: a part has no key, or no value. Reported instead of a key's name. */
export const SYNTAX_FAULT = "_syntax";
/** A key was given twice; reported beside the key's name. */
export const DUPLICATE_FAULT = "_duplicate";

/** The properties of a text, or what is wrong with it. Booleans are `0` or `1`; all else is as given. */
export interface PropertyReading {
  readonly values: Map<string, string>;
  /** Absent where the text is valid. */
  readonly faults?: Faults;
}

/** A property string that its schema refuses; `faults` says why, by key. */
export class PropertyStringError extends LxcriError {
  readonly faults: ReadonlyMap<string, string>;

  constructor(text: string, faults: ReadonlyMap<string, string>) {
    const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
    const reasons = [...faults].map(([key, fault]) => `${key}: ${fault}`);
    super("pve-property-string", `cannot read properties '${shown}': ${reasons.join("; ")}`);
    this.faults = faults;
  }
}

interface CompiledFormat {
  readonly required: readonly string[];
  readonly sorted: readonly string[];
  readonly defaultKey: string | undefined;
  readonly schemas: ReadonlyMap<string, ValueSchema>;
}

const compiled = new WeakMap<PropertyFormat, CompiledFormat>();

function compile(format: PropertyFormat): CompiledFormat {
  let result = compiled.get(format);
  if (result === undefined) {
    const sorted = Object.keys(format).sort();
    result = {
      sorted,
      required: sorted.filter((key) => format[key]?.optional !== 1),
      defaultKey: sorted.find((key) => format[key]?.default_key === 1),
      schemas: new Map(Object.entries(format)),
    };
    compiled.set(format, result);
  }
  return result;
}

const stop = (values: Map<string, string>, ...faults: [string, string][]): PropertyReading => ({
  values,
  faults: new Map(faults),
});

/** Formats that are property strings and yet have a name. */
const NAMED_PROPERTY_FORMATS: Readonly<Record<string, PropertyFormat>> = {
  "pve-sdn-dhcp-range": { "end-address": { type: "string" }, "start-address": { type: "string" } },
  "proxmox-remote": {
    apitoken: { type: "string" },
    fingerprint: { type: "string", pattern: "([A-Fa-f0-9]{2}:){31}[A-Fa-f0-9]{2}", optional: 1 },
    host: { type: "string" },
    port: { type: "integer", optional: 1 },
  },
};

/** The keys of a property-string format that has a name, such as `pve-sdn-dhcp-range`. */
export const namedPropertyFormat = (name: string): PropertyFormat | undefined =>
  Object.hasOwn(NAMED_PROPERTY_FORMATS, name) ? NAMED_PROPERTY_FORMATS[name] : undefined;

/** True where the text has the named format, be it a simple one or a property string. */
export function formatAccepts(format: string, text: string): boolean {
  const properties = namedPropertyFormat(format);
  if (properties === undefined) return matchesFormat(format, text);
  return readPropertyString(properties, text).faults === undefined;
}

/** What is wrong with a text by its type, format and limits; undefined where nothing is. */
export function textFault(schema: ValueSchema, text: string): string | undefined {
  const wrongType = typeFault(schema.type, text);
  if (wrongType !== undefined) return wrongType;
  const { format } = schema;
  if (typeof format === "string") {
    if (!formatAccepts(format, text)) return `value does not have the format '${format}'`;
  } else if (format !== undefined) {
    const { faults } = readPropertyString(format, text);
    if (faults !== undefined) return [...faults].map(([key, fault]) => `${key}: ${fault}`).join("; ");
  }
  return limitFault(schema, text);
}

/** Reads a property string without throwing. Malformed or doubled parts end the reading at the first one. */
export function readPropertyString(format: PropertyFormat, text: string): PropertyReading {
  const { required, defaultKey, schemas } = compile(format);
  const values = new Map<string, string>();
  let sawDefault = false;
  let equals = -1;
  for (let start = 0, end = 0; start <= text.length; start = end + 1) {
    end = text.indexOf(",", start);
    if (end < 0) end = text.length;
    if (isBlank(text, start, end)) continue;
    // Each look for `=` goes on where the last one ended, so that the text is passed over once; none is -1,
    // which becomes larger than any offset.
    if (equals < start) equals = text.indexOf("=", start) >>> 0;
    if (equals >= end) {
      if (defaultKey === undefined) return stop(values, [SYNTAX_FAULT, "a part has no key"]);
      if (sawDefault || isTrue(values.get(defaultKey)))
        return stop(values, [DUPLICATE_FAULT, "given twice"], [defaultKey, "given twice"]);
      sawDefault = true;
      values.set(defaultKey, text.slice(start, end));
      continue;
    }
    const key = text.slice(start, equals);
    const value = text.slice(equals + 1, end);
    if (key === "" || value === "" || value.includes("\n"))
      return stop(values, [SYNTAX_FAULT, `a part has no ${key === "" ? "key" : "value"}`]);
    if (values.has(key)) return stop(values, [DUPLICATE_FAULT, "given twice"], [key, "given twice"]);
    const isBoolean = schemas.get(key)?.type === "boolean";
    values.set(key, isBoolean ? (parseBoolean(value) ?? value) : value);
  }
  const faults = findFaults(schemas, values, required);
  return faults === undefined ? { values } : { values, faults };
}

function findFaults(
  schemas: ReadonlyMap<string, ValueSchema>,
  values: ReadonlyMap<string, string>,
  required: readonly string[],
): Faults | undefined {
  let faults: Faults | undefined;
  const report = (key: string, fault: string): void => {
    faults ??= new Map();
    faults.set(key, fault);
  };
  for (const key of required) if (!values.has(key)) report(key, "is missing and not optional");
  for (const [key, value] of values) {
    const schema = schemas.get(key);
    const fault = schema === undefined ? "is not a known property" : textFault(schema, value);
    if (fault !== undefined) report(key, fault);
    if (schema?.requires !== undefined && !values.has(schema.requires))
      report(schema.requires, `is missing, and '${key}' requires it`);
  }
  return faults;
}

/**
 * The properties of a text.
 *
 * @throws {@link PropertyStringError} where the schema refuses it
 */
export function parsePropertyString(format: PropertyFormat, text: string): Map<string, string> {
  const { values, faults } = readPropertyString(format, text);
  if (faults !== undefined) throw new PropertyStringError(text, faults);
  return values;
}

/**
 * The text of properties: the default key's value bare, then required keys, then the others, each in ASCII
 * order. Keys in `skip` and keys that the schema does not know are left out. Values of format `disk-size` are
 * taken as bytes.
 *
 * @throws {@link PropertyStringError} where a value does not fit its schema or holds a comma
 */
export function printPropertyString(
  format: PropertyFormat,
  values: ReadonlyMap<string, string>,
  skip: readonly string[] = [],
): string {
  const { sorted, required, defaultKey } = compile(format);
  const parts: string[] = [];
  const faults: Faults = new Map();
  for (const key of required) if (!values.has(key)) faults.set(key, "is missing and not optional");
  const print = (key: string): void => {
    const value = values.get(key);
    const schema = format[key];
    if (value === undefined || schema === undefined || skip.includes(key)) return;
    const isSize = schema.format === "disk-size";
    const fault = textFault(schema, value) ?? (value.includes(",") ? "holds a comma" : undefined);
    if (fault !== undefined) faults.set(key, fault);
    const shown = isSize ? formatSize(Number(value)) : value;
    parts.push(key === defaultKey ? shown : `${key}=${shown}`);
  };
  if (defaultKey !== undefined) print(defaultKey);
  for (const key of required) if (key !== defaultKey) print(key);
  for (const key of sorted) if (key !== defaultKey && !required.includes(key)) print(key);
  if (faults.size > 0) throw new PropertyStringError(parts.join(","), faults);
  return parts.join(",");
}
