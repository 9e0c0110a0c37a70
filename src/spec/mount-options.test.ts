import { describe, expect, test } from "bun:test";
import { MOUNT_ATTR, MS, mountOptionNames, parseMountOptions } from "./mount-options.ts";

/** config.md 1.3.0, Linux mount options: the table's names. */
const TABLE =
  `async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec
   noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime
   relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate
   rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime
   suid symfollow sync tmpcopyup unbindable idmap ridmap`.split(/\s+/);

test("knows every option of the spec's table", () => {
  expect(mountOptionNames()).toEqual(expect.arrayContaining(TABLE));
  for (const name of mountOptionNames()) expect(parseMountOptions([name]).data).toEqual([]);
});

test("names are sorted and there once", () => {
  expect([...new Set(mountOptionNames())].sort()).toEqual([...mountOptionNames()]);
});

describe("flags", () => {
  test("a tmpfs as containerd asks for it", () => {
    const parsed = parseMountOptions(["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]);
    expect(parsed).toEqual({
      flags: { set: MS.NOSUID | MS.NOEXEC | MS.NODEV, clear: 0, remount: false },
      recursive: undefined,
      propagation: [],
      idmap: undefined,
      tmpcopyup: false,
      bind: undefined,
      data: ["mode=1777", "size=65536k"],
    });
  });

  test("the later of two wins, and clearing is told", () => {
    expect(parseMountOptions(["ro", "rw"]).flags).toEqual({ set: 0, clear: MS.RDONLY, remount: false });
    expect(parseMountOptions(["rw", "ro"]).flags).toEqual({ set: MS.RDONLY, clear: 0, remount: false });
    expect(parseMountOptions(["sync", "remount", "async"]).flags).toEqual({
      set: MS.REMOUNT,
      clear: MS.SYNCHRONOUS,
      remount: true,
    });
  });

  const pairs: [string, string, number][] = [
    ["nosuid", "suid", MS.NOSUID],
    ["nodev", "dev", MS.NODEV],
    ["noexec", "exec", MS.NOEXEC],
    ["noatime", "atime", MS.NOATIME],
    ["nodiratime", "diratime", MS.NODIRATIME],
    ["relatime", "norelatime", MS.RELATIME],
    ["strictatime", "nostrictatime", MS.STRICTATIME],
    ["iversion", "noiversion", MS.I_VERSION],
    ["lazytime", "nolazytime", MS.LAZYTIME],
    ["mand", "nomand", MS.MANDLOCK],
    ["silent", "loud", MS.SILENT],
    ["nosymfollow", "symfollow", MS.NOSYMFOLLOW],
  ];
  for (const [on, off, bit] of pairs) {
    test(`${on} and ${off}`, () => {
      expect(parseMountOptions([on]).flags).toMatchObject({ set: bit, clear: 0 });
      expect(parseMountOptions([off]).flags).toMatchObject({ set: 0, clear: bit });
    });
  }
});

describe("recursive attributes", () => {
  test("rro and rnosuid", () => {
    expect(parseMountOptions(["rbind", "rro", "rnosuid"]).recursive).toEqual({
      set: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID,
      clear: 0,
    });
  });

  test("a later opposite wins", () => {
    expect(parseMountOptions(["rro", "rrw"]).recursive).toEqual({ set: 0, clear: MOUNT_ATTR.RDONLY });
    expect(parseMountOptions(["rrw", "rro"]).recursive).toEqual({ set: MOUNT_ATTR.RDONLY, clear: 0 });
  });

  test("an access time attribute clears its field, as mount_setattr(2) wants it", () => {
    expect(parseMountOptions(["rnoatime"]).recursive).toEqual({
      set: MOUNT_ATTR.NOATIME,
      clear: MOUNT_ATTR.ATIME,
    });
    expect(parseMountOptions(["rnoatime", "rstrictatime"]).recursive).toEqual({
      set: MOUNT_ATTR.STRICTATIME,
      clear: MOUNT_ATTR.ATIME,
    });
    expect(parseMountOptions(["rnoatime", "rrelatime"]).recursive).toEqual({
      set: 0,
      clear: MOUNT_ATTR.ATIME,
    });
  });
});

test("bind, propagation, id mapping, copy-up and data are told apart", () => {
  expect(
    parseMountOptions(["rbind", "rprivate", "shared", "ridmap", "tmpcopyup", "", "huge=always"]),
  ).toMatchObject({
    bind: "rbind",
    propagation: [MS.PRIVATE | MS.REC, MS.SHARED],
    idmap: "ridmap",
    tmpcopyup: true,
    data: ["huge=always"],
  });
});
