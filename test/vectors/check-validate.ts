/** Cases of API calls (`validate.jsonl`). */
import { ApiCallError, standardApiValidator } from "../../src/pve/api-validation.ts";
import type { SchemaValue } from "../../src/pve/value-schema.ts";
import { type Check, compare, nameSet } from "./verdict.ts";

/** A line of `validate.jsonl`. */
export const checkValidate: Check = async (vector) => {
  const validator = await standardApiValidator();
  const parameters = new Map(Object.entries(vector.params as Record<string, SchemaValue>));
  const ok = vector.ok === true;
  const expected = ok
    ? { ok }
    : { ok, code: vector.code, error_keys: nameSet(vector.error_keys as string[]) };
  try {
    validator.validate(String(vector.method), String(vector.path), parameters);
    return compare(expected, { ok: true });
  } catch (reason) {
    if (!(reason instanceof ApiCallError)) throw reason;
    return compare(expected, { ok: false, code: reason.status, error_keys: nameSet(reason.faults.keys()) });
  }
};
