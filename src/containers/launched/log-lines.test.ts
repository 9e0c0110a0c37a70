import { expect, test } from "bun:test";
import { LineCutter, LogPrinter, parseLogLine } from "./log-lines.ts";

const time = "2026-01-02T03:04:05.000000006+00:00";
const parse = (line: string) => parseLogLine(Buffer.from(line));

test("a line of the log", () => {
  expect(parse(`${time} stdout F hello  world`)).toEqual({
    time,
    stream: "stdout",
    partial: false,
    text: Buffer.from("hello  world"),
  });
  expect(parse(`${time} stderr P `)).toMatchObject({
    stream: "stderr",
    partial: true,
    text: Buffer.alloc(0),
  });
});

test.each(["", "x", `${time} stdout`, `${time} stdin F x`, "yesterday stdout F x"])("%j is none", (line) => {
  expect(parse(line)).toBeUndefined();
});

test("lines are cut wherever the pieces end, bytes kept as they are", () => {
  const cutter = new LineCutter();
  const all: string[] = [];
  for (const piece of ["ab", "c\nd", "", "e\n\nf"]) {
    for (const line of cutter.push(Buffer.from(piece))) all.push(line.toString());
  }
  expect(all).toEqual(["abc", "de", ""]);
  const bytes = new LineCutter();
  expect([...bytes.push(Buffer.from([0xff, 0xfe])), ...bytes.push(Buffer.from([0x0a]))]).toEqual([
    Buffer.from([0xff, 0xfe]),
  ]);
});

test("printing joins the parts of a line; each stream has its own", () => {
  const lines = [`${time} stdout P a`, `${time} stderr F e`, `${time} stdout F b`, `${time} stdout F c`];
  const printed = (timestamps: boolean): string => {
    const printer = new LogPrinter(timestamps);
    return lines.map((line) => printer.print(parse(line) ?? never()).toString()).join("");
  };
  expect(printed(false)).toBe("ae\nb\nc\n");
  expect(printed(true)).toBe(`${time} a${time} e\nb\n${time} c\n`);
});

const never = (): never => {
  throw new Error("not a line");
};
