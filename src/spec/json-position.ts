/** Where a text stops being JSON: the engine's own parser does not say. Used only after it has refused the text. */
import { quote } from "./faults.ts";

/** Line and column count from 1; column in UTF-16 units. */
export interface JsonFault {
  readonly line: number;
  readonly column: number;
  readonly problem: string;
}

/** What may come next. */
type Expectation =
  | "value"
  | "value or ]"
  | "property name"
  | "property name or }"
  | ":"
  | ", or ]"
  | ", or }";

const SPACE = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids exactly these in a string
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const LITERAL = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/y;

/** Finds the first place where `text` breaks the JSON grammar (RFC 8259). */
export function locateJsonFault(text: string): JsonFault {
  const open: ("{" | "[")[] = [];
  let expected: Expectation | "end of text" = "value";
  let at = matchEnd(SPACE, text, 0) ?? 0;

  while (at < text.length) {
    const step = takeToken(text, at, expected, open);
    if (step === undefined) return fault(text, at, expected);
    at = matchEnd(SPACE, text, step.end) ?? step.end;
    expected = step.next ?? afterValue(open);
  }
  return fault(text, at, expected);
}

interface Step {
  readonly end: number;
  /** Undefined after a whole value: what follows depends on what is open. */
  readonly next?: Expectation;
}

/** One token at `at`, if `expected` allows it. */
function takeToken(
  text: string,
  at: number,
  expected: Expectation | "end of text",
  open: ("{" | "[")[],
): Step | undefined {
  const character = text[at];
  if (expected === ":") return character === ":" ? { end: at + 1, next: "value" } : undefined;
  if (expected.startsWith(", or ")) {
    if (character === ",") return { end: at + 1, next: open.at(-1) === "{" ? "property name" : "value" };
  }
  if ((character === "]" || character === "}") && expected.endsWith(character)) {
    open.pop();
    return { end: at + 1 };
  }
  if (expected.startsWith("property name")) {
    const end = matchEnd(STRING, text, at);
    return end === undefined ? undefined : { end, next: ":" };
  }
  if (!expected.startsWith("value")) return undefined;
  if (character === "{" || character === "[") {
    open.push(character);
    return { end: at + 1, next: character === "{" ? "property name or }" : "value or ]" };
  }
  const end = matchEnd(STRING, text, at) ?? matchEnd(LITERAL, text, at);
  return end === undefined ? undefined : { end };
}

function afterValue(open: readonly ("{" | "[")[]): Expectation | "end of text" {
  const innermost = open.at(-1);
  if (innermost === undefined) return "end of text";
  return innermost === "{" ? ", or }" : ", or ]";
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function fault(text: string, at: number, expected: string): JsonFault {
  const before = text.slice(0, at);
  const found = at >= text.length ? "the end of the text" : quote(text.slice(at, at + 20));
  return {
    line: before.split("\n").length,
    column: at - before.lastIndexOf("\n"),
    problem: `expected ${expected}, found ${found}`,
  };
}
