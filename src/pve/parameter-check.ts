/** Checks named values, such as the parameters of an API call, against their schemas. */
import { textFault } from "./property-string.ts";
import type { Faults, Schemas, SchemaValue, ValueSchema } from "./value-schema.ts";

/**
 * Checks one value, adding to `faults` under `path`. `instanceType` is the value of the property that decides
 * between alternatives, for schemas that have a `type-property`.
 */
export function checkValue(
  value: SchemaValue | undefined,
  schema: ValueSchema,
  path: string,
  faults: Faults,
  instanceType?: string,
): void {
  let optional = schema.optional === 1;
  if (schema.oneOf !== undefined) {
    optional = checkAlternatives(value, schema, path, faults, instanceType) || optional;
  } else if (schema["instance-types"] !== undefined && instanceType !== undefined) {
    optional = optional || !schema["instance-types"].includes(instanceType);
  }
  if (value === undefined) {
    if (!optional) faults.set(path, "property is missing and it is not optional");
    return;
  }
  if (schema.oneOf !== undefined) return;
  if (typeof value !== "string") {
    if (schema.type !== "array") faults.set(path, `type check ('${schema.type}') failed - got a list`);
    else if (schema.items !== undefined) {
      for (const [index, item] of value.entries())
        checkValue(item, schema.items, `${path}[${index}]`, faults);
    }
    return;
  }
  const fault = textFault(schema, value);
  if (fault !== undefined) faults.set(path, fault);
}

/** Checks the alternatives that apply; true where the value may be absent. */
function checkAlternatives(
  value: SchemaValue | undefined,
  schema: ValueSchema,
  path: string,
  faults: Faults,
  instanceType: string | undefined,
): boolean {
  const alternatives = schema.oneOf ?? [];
  if (schema["type-property"] !== undefined) {
    const matching = alternatives.filter(
      (each) => instanceType !== undefined && each["instance-types"]?.includes(instanceType),
    );
    for (const each of matching) checkValue(value, each, path, faults);
    return matching.every((each) => each.optional === 1);
  }
  if (value === undefined) return alternatives.some((each) => each.optional === 1);
  const results = alternatives.map((each) => {
    const inner: Faults = new Map();
    checkValue(value, each, path, inner);
    return inner;
  });
  if (!results.some((inner) => inner.size === 0)) for (const inner of results) merge(faults, inner);
  return true;
}

function merge(target: Faults, source: Faults): void {
  for (const [key, fault] of source) target.set(key, fault);
}

/** Checks named values: each against its schema, all required ones present, none unknown. */
export function checkValues(values: ReadonlyMap<string, SchemaValue>, schemas: Schemas): Faults {
  const faults: Faults = new Map();
  for (const [key, schema] of Object.entries(schemas)) {
    checkValue(values.get(key), schema, key, faults, instanceTypeOf(schema, values));
  }
  for (const key of values.keys()) {
    const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined;
    if (schema === undefined || !hasMatchingAlternative(schema, values)) {
      faults.set(key, "property is not defined in the schema");
    } else if (schema.requires !== undefined && !values.has(schema.requires)) {
      faults.set(schema.requires, `missing property - '${key}' requires it`);
    }
  }
  return faults;
}

function instanceTypeOf(schema: ValueSchema, values: ReadonlyMap<string, SchemaValue>): string | undefined {
  const property = schema["type-property"];
  const value = property === undefined ? undefined : values.get(property);
  return typeof value === "string" ? value : undefined;
}

function hasMatchingAlternative(schema: ValueSchema, values: ReadonlyMap<string, SchemaValue>): boolean {
  if (schema.oneOf === undefined) return true;
  const instanceType = instanceTypeOf(schema, values);
  return schema.oneOf.some((each) => {
    const types = each["instance-types"];
    return types === undefined || (instanceType !== undefined && types.includes(instanceType));
  });
}
