/**
 * The schema language that Proxmox describes values with: a small relative of JSON Schema, in which booleans
 * are `1` and `0` and a format may itself be a schema for a property string. The shape is that of the API's own
 * schema document, so that one engine serves configuration keys, property strings, SDN files and API calls.
 */
import { isInteger, isNumber } from "./perl-values.ts";

/** `1` stands for true, an absent field or `0` for false. */
export type SchemaFlag = 0 | 1;

/** How one value must look. */
export interface ValueSchema {
  readonly type?: string;
  readonly optional?: SchemaFlag;
  /** The name of a format, or the keys of a property string. */
  readonly format?: string | PropertyFormat;
  /** A regular expression for the whole text, as Perl prints it (`(?^:…)`). */
  readonly pattern?: string;
  readonly minimum?: number | string;
  readonly maximum?: number | string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  /** The key whose name may be left out of a property string. */
  readonly default_key?: SchemaFlag;
  /** Each element of an `array`. */
  readonly items?: ValueSchema;
  /** The keys of an `object`. */
  readonly properties?: Schemas;
  /** Another property that must be given with this one. */
  readonly requires?: string;
  /** Alternatives, one of which must fit. */
  readonly oneOf?: readonly ValueSchema[];
  /** The property that decides which alternative applies. */
  readonly "type-property"?: string;
  /** The values of that property for which this alternative applies. */
  readonly "instance-types"?: readonly string[];
}

/** Schemas of named values. */
export type Schemas = Readonly<Record<string, ValueSchema>>;

/** The keys of a property string such as `name=eth0,bridge=vmbr0`. */
export type PropertyFormat = Schemas;

/** A value from a file or a request: text, or a list of texts. */
export type SchemaValue = string | readonly string[];

/** What is wrong, by the key concerned. */
export type Faults = Map<string, string>;

const patterns = new Map<string, RegExp>();

/** A Perl pattern of the schema as a JavaScript one for the whole text. */
function compilePattern(pattern: string): RegExp {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    const ignoreCase = pattern.startsWith("(?^i:");
    const body = pattern.replaceAll("(?^i:", "(?:").replaceAll("(?^:", "(?:");
    compiled = new RegExp(`^(?:${body})$`, ignoreCase ? "i" : "");
    patterns.set(pattern, compiled);
  }
  return compiled;
}

/** What is wrong with a text of a basic type; undefined where nothing is. Unknown types accept everything. */
export function typeFault(type: string | undefined, text: string): string | undefined {
  const fits =
    type === "boolean"
      ? text === "0" || text === "1"
      : type === "integer"
        ? isInteger(text)
        : type === "number"
          ? isNumber(text)
          : type !== "array" && type !== "object" && type !== "null";
  return fits ? undefined : `type check ('${type}') failed - got '${text}'`;
}

/** What is wrong with a text by its pattern, length, range and enumeration; first fault only. */
export function limitFault(schema: ValueSchema, text: string): string | undefined {
  if (schema.pattern !== undefined && !compilePattern(schema.pattern).test(text))
    return "value does not match the pattern";
  if (schema.maxLength !== undefined && text.length > schema.maxLength && [...text].length > schema.maxLength)
    return `value may only be ${schema.maxLength} characters long`;
  if (schema.minLength !== undefined && text.length < schema.minLength)
    return `value must be at least ${schema.minLength} characters long`;
  if ((schema.maximum !== undefined || schema.minimum !== undefined) && isNumber(text)) {
    if (schema.maximum !== undefined && Number(text) > Number(schema.maximum))
      return `value must be ${schema.maximum} at most`;
    if (schema.minimum !== undefined && Number(text) < Number(schema.minimum))
      return `value must be ${schema.minimum} at least`;
  }
  if (schema.enum !== undefined && !schema.enum.includes(text))
    return `value '${text}' is not one of ${schema.enum.join(", ")}`;
  return undefined;
}
