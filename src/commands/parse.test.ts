import { describe, expect, test } from "bun:test";
import type { Flag } from "./command.ts";
import { parseFlags } from "./parse.ts";

const flags: readonly Flag[] = [
  { name: "bundle", short: "b", kind: "string", summary: "" },
  { name: "format", kind: "string", choices: ["table", "json"], summary: "" },
  { name: "no-subreaper", kind: "boolean", summary: "" },
  { name: "tty", short: "t", kind: "boolean", summary: "" },
  { name: "interactive", short: "i", kind: "boolean", summary: "" },
  { name: "env", short: "e", kind: "list", summary: "" },
  { name: "cpu-share", aliases: ["cpu-shares"], kind: "integer", summary: "" },
];
const parse = (line: string, inOrder = false) => parseFlags(line.split(" "), flags, inOrder);

describe("parseFlags", () => {
  test.each([
    ["--bundle /b id", "bundle", "/b"],
    ["--bundle=/b id", "bundle", "/b"],
    ["-bundle /b id", "bundle", "/b"],
    ["-b /b id", "bundle", "/b"],
    ["-b=/b id", "bundle", "/b"],
    ["id --bundle /b", "bundle", "/b"],
    ["--bundle /a --bundle /b id", "bundle", "/b"],
    ["--bundle=a=b id", "bundle", "a=b"],
    ["--bundle= id", "bundle", ""],
    ["--bundle - id", "bundle", "-"],
    ["--bundle -- id", "bundle", "--"],
    ["-tib /b id", "bundle", "/b"],
  ])("%s", (line, name, value) => {
    const { values, args } = parse(line);
    expect(values.string(name)).toBe(value);
    expect(args).toEqual(["id"]);
  });

  test.each([
    ["--tty", true],
    ["-tty", true],
    ["-t", true],
    ["-it", true],
    ["--tty=false", false],
    ["--tty=0", false],
    ["--tty=T", true],
    ["--tty --tty=false", false],
    ["id", false],
  ])("boolean %s is %p", (line, value) => {
    expect(parse(line).values.boolean("tty")).toBe(value);
  });

  test("a boolean takes no following word", () => {
    expect(parse("-no-subreaper false").args).toEqual(["false"]);
  });

  test("lists, integers and absence", () => {
    const { values } = parse("-e A=1 --env B=2 --cpu-shares -5");
    expect(values.list("env")).toEqual(["A=1", "B=2"]);
    expect(values.integer("cpu-share")).toBe(-5);
    expect(values.given("cpu-share")).toBe(true);
    expect(values.given("bundle")).toBe(false);
    expect(values.integer("bundle")).toBeUndefined();
    expect(values.list("bundle")).toEqual([]);
  });

  test("-- ends the flags, and in order so does the first argument", () => {
    expect(parse("-- -t --x").args).toEqual(["-t", "--x"]);
    const { values, args } = parse("-t id ls --unknown -b", true);
    expect(args).toEqual(["id", "ls", "--unknown", "-b"]);
    expect(values.boolean("tty")).toBe(true);
    expect(parse("id -- x", true).args).toEqual(["id", "--", "x"]);
    expect(parse("- id").args).toEqual(["-", "id"]);
  });

  test.each([
    ["--bundel x", "flag provided but not defined: -bundel", "Did you mean --bundle?"],
    ["-z", "flag provided but not defined: -z", undefined],
    ["-tz", "flag provided but not defined: -tz", undefined],
    ["-bt x", "flag provided but not defined: -bt", undefined],
    ["--bundle", "flag needs an argument: -bundle", undefined],
    ["--tty=maybe", 'invalid boolean value "maybe" for -tty', undefined],
    ["--cpu-share 1.5", 'invalid value "1.5" for flag -cpu-share: not an integer', undefined],
    ["--cpu-share 99999999999999999999", "not an integer", undefined],
    ["--format xml", "not one of table, json", undefined],
    ["--bundle a\0b", "contains a NUL byte", undefined],
  ])("refuses %j", (line, message, fix) => {
    let thrown: unknown;
    try {
      parse(line);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "usage", message: expect.stringContaining(message) });
    if (fix !== undefined) expect(thrown).toMatchObject({ fix });
  });
});
