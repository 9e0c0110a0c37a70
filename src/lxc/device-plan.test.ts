import { describe, expect, test } from "bun:test";
import type { Config, Device, Mount } from "../spec/config.ts";
import { defaultConfig } from "../spec/default-config.ts";
import { addDevices, ownsDev } from "./device-plan.ts";
import { nested } from "./plan.fixture.ts";
import { Plan } from "./plan.ts";

const config = (devices: readonly Device[], mounts: readonly Mount[] = []): Config => ({
  ...defaultConfig(),
  mounts,
  linux: { devices },
});

/** The records of one kind as objects, by destination. */
function records(kind: "device" | "link", given: Config, userNamespace = false) {
  const plan = new Plan();
  addDevices(plan, given, userNamespace);
  return nested(plan, kind).map((pairs) => Object.fromEntries(pairs));
}

const find = (list: readonly Record<string, string>[], dest: string) =>
  list.filter((record) => record.dest === dest);

test("every container has the six devices of config-linux.md, readable and writable by all", () => {
  expect(records("device", config([]))).toEqual(
    (
      [
        ["null", 1, 3],
        ["zero", 1, 5],
        ["full", 1, 7],
        ["random", 1, 8],
        ["urandom", 1, 9],
        ["tty", 5, 0],
      ] as const
    ).map(([name, major, minor]) => ({
      dest: `/dev/${name}`,
      mode: `${0o020666}`,
      major: `${major}`,
      minor: `${minor}`,
    })),
  );
});

test("and the links of runtime-linux.md", () => {
  expect(records("link", config([])).map(({ dest, target }) => `${dest} ${target}`)).toEqual([
    "/dev/fd /proc/self/fd",
    "/dev/stdin /proc/self/fd/0",
    "/dev/stdout /proc/self/fd/1",
    "/dev/stderr /proc/self/fd/2",
    "/dev/ptmx pts/ptmx",
  ]);
});

describe("devices of the config", () => {
  test("c, u, b and p, with owner and mode", () => {
    const list = records(
      "device",
      config([
        { type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 0o600, uid: 5, gid: 6 },
        { type: "u", path: "/dev/raw", major: 162, minor: 0 },
        { type: "b", path: "/dev/loop0", major: 7, minor: 0, fileMode: 0o660 },
        { type: "p", path: "/dev/pipe", fileMode: 0o622 },
      ]),
    );
    expect(list.length).toBe(10);
    expect(find(list, "/dev/fuse")).toEqual([
      { dest: "/dev/fuse", mode: `${0o020600}`, uid: "5", gid: "6", major: "10", minor: "229" },
    ]);
    expect(find(list, "/dev/raw")[0]?.mode).toBe(`${0o020666}`);
    expect(find(list, "/dev/loop0")[0]?.mode).toBe(`${0o060660}`);
    expect(find(list, "/dev/pipe")).toEqual([
      { dest: "/dev/pipe", mode: `${0o010622}`, major: "0", minor: "0" },
    ]);
  });

  test("one of the usual paths takes the usual one's place", () => {
    const list = records(
      "device",
      config([{ type: "c", path: "/dev/null", major: 1, minor: 3, fileMode: 0o600 }]),
    );
    expect(list.length).toBe(6);
    expect(find(list, "/dev/null")).toEqual([
      { dest: "/dev/null", mode: `${0o020600}`, major: "1", minor: "3" },
    ]);
  });
});

test("in a user namespace nodes are the host's; a FIFO can be made", () => {
  const list = records("device", config([{ type: "p", path: "/dev/pipe" }]), true);
  expect(find(list, "/dev/null")).toEqual([{ dest: "/dev/null", host: "/dev/null" }]);
  expect(find(list, "/dev/pipe")[0]?.mode).toBe(`${0o010666}`);
});

test.each([
  ["a bind", { destination: "/dev", source: "/dev", options: ["rbind"] }, false],
  ["type bind", { destination: "/dev", type: "bind", source: "/dev" }, false],
  ["a relative way of saying it", { destination: "/x/../dev", source: "/dev", options: ["bind"] }, false],
  ["a file system of its own", { destination: "/dev", type: "tmpfs", source: "tmpfs" }, true],
  ["a bind below it", { destination: "/dev/shm", source: "/dev/shm", options: ["bind"] }, true],
] as const)("%s on /dev: what is there stays as it is", (_name, mount, own) => {
  const given = config([{ type: "c", path: "/dev/fuse", major: 10, minor: 229 }], [mount]);
  expect(ownsDev(given)).toBe(own);
  expect(records("device", given).length).toBe(own ? 7 : 0);
  expect(records("link", given).length).toBe(own ? 5 : 0);
});
