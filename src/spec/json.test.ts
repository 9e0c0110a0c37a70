import { describe, expect, test } from "bun:test";
import { SpecError } from "./faults.ts";
import { parseJson } from "./json.ts";

function refusal(text: string): string {
  try {
    parseJson(text, "x.json");
  } catch (error) {
    if (error instanceof SpecError) return error.message;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

describe("numbers", () => {
  test("integers are exact over 64 bits", () => {
    const text = "[18446744073709551615, -9223372036854775808, 9223372036854771712, 9007199254740991, -1]";
    expect(parseJson(text, "x")).toEqual([
      2n ** 64n - 1n,
      -(2n ** 63n),
      9223372036854771712n,
      2 ** 53 - 1,
      -1,
    ]);
  });

  test("fractions and exponents stay numbers", () => {
    expect(parseJson("[1.5, 1e3, 1e20, 0.1234567890123456]", "x")).toEqual([
      1.5, 1000, 1e20, 0.1234567890123456,
    ]);
  });

  test("digits within strings stay strings", () => {
    expect(parseJson('{"a": "18446744073709551615"}', "x")).toEqual({ a: "18446744073709551615" });
  });
});

describe("malformed text is located", () => {
  const cases: [string, string][] = [
    ["", "line 1, column 1: expected value, found the end of the text"],
    ["  \n", "line 2, column 1: expected value, found the end of the text"],
    ["{", "line 1, column 2: expected property name or }, found the end of the text"],
    ['{"a": 1,}', 'line 1, column 9: expected property name, found "}"'],
    ['{"a" 1}', 'line 1, column 6: expected :, found "1}"'],
    ["{a: 1}", 'line 1, column 2: expected property name or }, found "a: 1}"'],
    ['{\n  "a": [1, 2,],\n  "b": 1\n}', "line 2, column 14: expected value, found"],
    ['{"a": 1\n "b": 2}', "line 2, column 2: expected , or }, found"],
    ["[1 2]", "line 1, column 4: expected , or ], found"],
    ["[1}", "line 1, column 3: expected , or ], found"],
    ["{}  x", 'line 1, column 5: expected end of text, found "x"'],
    ["[01]", "line 1, column 2: expected value or ], found"],
    ["[nul]", "line 1, column 2: expected value or ], found"],
    ["['a']", "line 1, column 2: expected value or ], found"],
    ['["a\nb"]', "line 1, column 2: expected value or ], found"],
    ['["\\x"]', "line 1, column 2: expected value or ], found"],
    ['{"a": tru}', "line 1, column 7: expected value, found"],
    ['{"a": {"b": [true, null, -1.5e3, {}, []]}, }', "line 1, column 44: expected property name, found"],
    ["\ufeff{}", "line 1, column 1: expected value, found"],
  ];
  for (const [text, expected] of cases) {
    test(JSON.stringify(text), () => {
      expect(refusal(text)).toContain(`invalid x.json: not valid JSON: ${expected}`);
    });
  }
});

describe("hostile text", () => {
  for (const [name, text] of [
    ["arrays", "[".repeat(1_000_000)],
    ["objects", '{"a":'.repeat(500_000)],
    ["arrays with a large integer", `${"[".repeat(500_000)}12345678901234567890${"]".repeat(500_000)}`],
  ] as const) {
    test(`a depth bomb of ${name} is refused`, () => {
      expect(refusal(text)).toMatch(/nested too deeply|end of the text/);
    });
  }

  test("a huge document is refused before it is parsed", () => {
    expect(refusal(`"${"x".repeat(100 * 1024 * 1024)}"`)).toContain("at most 4194304 are accepted");
  });

  test("__proto__ is an ordinary property, also twice and with large integers", () => {
    const value = parseJson('{"__proto__": {"a": 1}, "__proto__": {"b": 12345678901234567890}}', "x");
    expect(Object.keys(value as object)).toEqual(["__proto__"]);
    expect("b" in {}).toBe(false);
    expect((value as { b?: unknown }).b).toBeUndefined();
  });
});
