import { expect, test } from "bun:test";
import { parseContainerId } from "./container-id.ts";

for (const id of ["a", "web-1", "A_b.c+d", "0", "...", "x".repeat(255)]) {
  test(`takes ${id.slice(0, 20)}`, () => {
    expect(parseContainerId(id)).toBe(id as ReturnType<typeof parseContainerId>);
  });
}

for (const id of ["", ".", "..", "a/b", "../x", "a b", "a\n", "\n", "a\0", "é", "a:b", "x".repeat(256)]) {
  test(`refuses ${JSON.stringify(id).slice(0, 20)}`, () => {
    expect(() => parseContainerId(id)).toThrow(
      /^(container id cannot be empty$|invalid container ID format: )/,
    );
  });
}
