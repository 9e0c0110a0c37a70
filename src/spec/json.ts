/** JSON text to values, with exact integers and errors that say where. */
import { SpecError } from "./faults.ts";
import { locateJsonFault } from "./json-position.ts";

/** No real document comes near: the kernel takes no more than 6 MiB of arguments and environment. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

interface ReviverContext {
  /** The value's own text; only there for primitives. */
  readonly source?: string;
}

/** TypeScript's library does not know the third argument of a reviver yet. */
const parse = JSON.parse as (
  text: string,
  reviver?: (key: string, value: unknown, context: ReviverContext) => unknown,
) => unknown;

/**
 * Parses `text`. Integers beyond ±(2^53−1) come as bigint, exact; everything else as `JSON.parse` gives it.
 * Throws SpecError naming `document` for malformed (with line and column), too long or too deeply nested text.
 */
export function parseJson(text: string, document: string): unknown {
  if (text.length > MAX_CHARACTERS) {
    throw refusal(document, `${text.length} characters long, at most ${MAX_CHARACTERS} are accepted`);
  }
  try {
    // The reviver costs a call for every value, so only text that may hold a large integer pays for it.
    return /\d{16}/.test(text) ? parse(text, exactInteger) : parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw refusal(document, "nested too deeply");
    const { line, column, problem } = locateJsonFault(text);
    throw refusal(document, `not valid JSON: line ${line}, column ${column}: ${problem}`);
  }
}

function exactInteger(_key: string, value: unknown, { source }: ReviverContext): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

const refusal = (document: string, message: string) => new SpecError(document, [{ path: "", message }]);
