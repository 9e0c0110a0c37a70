import { describe, expect, test } from "bun:test";
import { faultsWith, judgeWith, namespaces } from "../testing.ts";

const mapping = [{ containerID: 0, hostID: 1000, size: 10 }];

const good: [string, Record<string, unknown>][] = [
  ["a file system", { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=5m"] }],
  ["one without a source", { destination: "/tmp", type: "tmpfs" }],
  ["a bind mount without a type", { destination: "/x", source: "data", options: ["rbind", "ro"] }],
  ["a remount", { destination: "/x", options: ["remount", "ro"] }],
  [
    "a mapped mount",
    {
      destination: "/x",
      source: "/d",
      options: ["bind", "idmap"],
      uidMappings: mapping,
      gidMappings: mapping,
    },
  ],
];
for (const [name, mount] of good) {
  test(`takes ${name}`, () =>
    expect(judgeWith({ mounts: [mount] })).toMatchObject({ faults: [], warnings: [] }));
}

const bad: [unknown, string][] = [
  [{ type: "tmpfs" }, "mounts[0].destination: is required"],
  [{ destination: "", type: "tmpfs" }, "mounts[0].destination: must not be empty"],
  [{ destination: "/a\nb", type: "tmpfs" }, "mounts[0].destination: must not hold a line break"],
  [{ destination: "/x" }, "mounts[0].type: is required unless the options have bind or rbind"],
  [{ destination: "/x", options: ["bind"] }, "mounts[0].source: is required for a bind mount"],
  [{ destination: "/x", type: "bind" }, "mounts[0].source: is required for a bind mount"],
  [{ destination: "/x", type: "tmpfs", options: "ro" }, "mounts[0].options: must be an array, not a string"],
  [
    { destination: "/x", type: "tmpfs", options: ["ro", 1] },
    "mounts[0].options[1]: must be a string, not a number",
  ],
  [
    { destination: "/x", type: "tmpfs", optoins: [] },
    'mounts[0].optoins: unknown property (did you mean "options"?)',
  ],
  [
    { destination: "/x", source: "/d", options: ["bind", "idmap"], uidMappings: mapping },
    "mounts[0]: uidMappings and gidMappings must be given together",
  ],
  [
    { destination: "/x", source: "/d", options: ["bind", "ridmap"] },
    "mounts[0].options: ridmap needs uidMappings and gidMappings, or a user namespace",
  ],
  ["/tmp", "mounts[0]: must be an object, not a string"],
];
for (const [mount, fault] of bad) {
  test(`refuses: ${fault}`, () => expect(faultsWith({ mounts: [mount] })).toEqual([fault]));
}

describe("warnings", () => {
  test("a relative destination is deprecated", () => {
    const { config, warnings } = judgeWith({ mounts: [{ destination: "tmp", type: "tmpfs" }] });
    expect(config?.mounts?.[0]?.destination).toBe("tmp");
    expect(warnings).toEqual(['mounts[0].destination: "tmp" is relative (deprecated), taken from /']);
  });

  test("the type bind alone is taken as a bind mount", () => {
    expect(judgeWith({ mounts: [{ destination: "/x", type: "bind", source: "/d" }] }).warnings).toEqual([
      "mounts[0].options: should have bind or rbind; taken as bind because of the type",
    ]);
  });

  test("mappings want the idmap option", () => {
    const mount = {
      destination: "/x",
      source: "/d",
      options: ["bind"],
      uidMappings: mapping,
      gidMappings: mapping,
    };
    expect(judgeWith({ mounts: [mount] }).warnings).toEqual([
      expect.stringContaining("should have idmap or ridmap"),
    ]);
  });
});

test("idmap alone takes the container's user namespace", () => {
  expect(
    faultsWith({
      mounts: [{ destination: "/x", source: "/d", options: ["bind", "idmap"] }],
      "linux.namespaces": namespaces("user"),
      "linux.uidMappings": mapping,
      "linux.gidMappings": mapping,
    }),
  ).toEqual([]);
});
