import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IdMapping } from "../spec/config.ts";
import { defaultIdMap, overlaps, parseSubIds, toContainerId, toHostId } from "./userns.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lxcri-subid-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const map = (...lines: [containerID: number, hostID: number, size: number][]): IdMapping[] =>
  lines.map(([containerID, hostID, size]) => ({ containerID, hostID, size }));

describe("ranges granted", () => {
  test("to a user by name and by id, junk left out", () => {
    const text = [
      "alice:100000:65536",
      "root:200000:65536",
      "0:300000:1000",
      "# root:1:1",
      "root:x:1",
      "root:1:0",
      "root:4294967295:10",
      "root:1:2:3",
      "",
    ].join("\n");
    expect(parseSubIds(text, "root", 0)).toEqual([
      { start: 200000, size: 65536 },
      { start: 300000, size: 1000 },
    ]);
    expect(parseSubIds(text, "alice", 1000)).toEqual([{ start: 100000, size: 65536 }]);
  });

  test("decide the default map; the first that is large enough", () => {
    const subuid = join(folder, "subuid");
    const subgid = join(folder, "subgid");
    writeFileSync(subuid, "root:500000:1000\nroot:600000:70000\n");
    expect(defaultIdMap(subuid, subgid)).toEqual({
      uidMappings: map([0, 600000, 65536]),
      gidMappings: map([0, 100000, 65536]),
    });
  });

  test("a file that cannot be read is an error, not an empty one", () => {
    expect(() => defaultIdMap(folder, folder)).toThrow(/EISDIR/);
  });
});

describe("ids", () => {
  const mappings = map([0, 100000, 1000], [1000, 5000, 1], [2000, 300000, 10]);

  test.each([
    [0, 100000],
    [999, 100999],
    [1000, 5000],
    [2009, 300009],
  ])("container %i is host %i", (inside, outside) => {
    expect(toHostId(mappings, inside)).toBe(outside);
    expect(toContainerId(mappings, outside)).toBe(inside);
  });

  test("outside the map are none", () => {
    for (const id of [1001, 1999, 2010]) expect(toHostId(mappings, id)).toBeUndefined();
    for (const id of [0, 4999, 5001, 101000]) expect(toContainerId(mappings, id)).toBeUndefined();
  });

  test("ranges overlap where they share an id", () => {
    const a = { start: 10, size: 5 };
    expect(overlaps(a, { start: 14, size: 1 })).toBe(true);
    expect(overlaps(a, { start: 15, size: 1 })).toBe(false);
    expect(overlaps({ start: 5, size: 5 }, a)).toBe(false);
    expect(overlaps({ start: 0, size: 100 }, a)).toBe(true);
  });
});
