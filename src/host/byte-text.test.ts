import { expect, test } from "bun:test";
import { bytesToText, textToBytes } from "./byte-text.ts";

test("any bytes survive the way through text", () => {
  const samples = [
    Buffer.from("plain"),
    Buffer.from("ümlaut 漢字 😀 \ufeffbom"),
    Buffer.from([0xe9, 0x61, 0xff, 0xc3]),
    Buffer.from([0xed, 0xa0, 0x80, 0xed, 0xb3, 0xa9]),
    Buffer.from([0xf0, 0x9f, 0x98, 0x80, 0xf0, 0x9f, 0x98, 0xc0, 0x80, 0xf5]),
    Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  ];
  for (const bytes of samples) expect(Buffer.from(textToBytes(bytesToText(bytes)))).toEqual(bytes);
});

test("valid UTF-8 stays readable", () => {
  expect(bytesToText(Buffer.from("ü"))).toBe("ü");
  expect(bytesToText(Buffer.from([0x61, 0xe9, 0x62]))).toBe("a\udce9b");
});
