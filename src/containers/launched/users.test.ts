import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../host/process.ts";
import { readUserFiles, resolveUser } from "./users.ts";

const files = {
  passwd:
    "# users\nroot:x:0:0:root:/root:/bin/sh\nweb:x:33:34:Web:/srv/web:/bin/false\nodd:x:70:70::relative:\n7:x:8:8::/seven:\nbad:x:no:0::/:\n",
  group:
    "root:x:0:\nwww:x:34:\nadm:x:4:web,other\nmore:x:5:web\nself:x:34:web\nusers:x:100:\nbroken:x:no:web\n",
};

describe("who a process runs as", () => {
  test.each([
    ["", { uid: 0, gid: 0, additionalGids: [], home: "/root" }],
    ["web", { uid: 33, gid: 34, additionalGids: [4, 5], home: "/srv/web" }],
    ["33", { uid: 33, gid: 34, additionalGids: [4, 5], home: "/srv/web" }],
    ["web:users", { uid: 33, gid: 100, additionalGids: [], home: "/srv/web" }],
    ["web:77", { uid: 33, gid: 77, additionalGids: [], home: "/srv/web" }],
    ["1234", { uid: 1234, gid: 0, additionalGids: [], home: "/" }],
    ["1234:users", { uid: 1234, gid: 100, additionalGids: [], home: "/" }],
    [":users", { uid: 0, gid: 100, additionalGids: [], home: "/root" }],
    ["odd", { uid: 70, gid: 70, additionalGids: [], home: "/" }],
    // A login name of digits comes before the number.
    ["7", { uid: 8, gid: 8, additionalGids: [], home: "/seven" }],
  ])("%j", (text, user) => {
    expect(resolveUser(text, files)).toEqual(user);
  });

  test.each([
    ["nosuch", 'user "nosuch"'],
    ["bad", 'user "bad"'],
    ["4294967295", 'user "4294967295"'],
    ["-1", 'user "-1"'],
    ["web:nosuch", 'group "nosuch"'],
  ])("%j is refused", (text, message) => {
    expect(() => resolveUser(text, files)).toThrow(message);
  });

  test("an image without the files knows numbers only", () => {
    expect(resolveUser("5:6", { passwd: "", group: "" })).toMatchObject({ uid: 5, gid: 6 });
    expect(() => resolveUser("root", { passwd: "", group: "" })).toThrow("no such user");
  });
});

describe("the files of an image", () => {
  const folder = mkdtempSync(join(tmpdir(), "lxcri-users-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const rootWith = (name: string): string => {
    const root = join(folder, name);
    mkdirSync(join(root, "etc"), { recursive: true });
    return root;
  };

  test("are read, links within the root followed", () => {
    const root = rootWith("plain");
    writeFileSync(join(root, "real"), files.passwd);
    symlinkSync("/real", join(root, "etc/passwd"));
    writeFileSync(join(root, "etc/group"), files.group);
    expect(readUserFiles(root)).toEqual(files);
  });

  test("never come from outside the root", () => {
    const root = rootWith("hostile");
    symlinkSync("../../../../../../etc/passwd", join(root, "etc/passwd"));
    symlinkSync("/etc/group", join(root, "etc/group"));
    expect(readUserFiles(root)).toEqual({ passwd: "", group: "" });
  });

  test("that are a FIFO, a folder or nothing count as empty, and nobody waits", async () => {
    const root = rootWith("odd");
    await run(["mkfifo", join(root, "etc/passwd")]);
    mkdirSync(join(root, "etc/group"));
    expect(readUserFiles(root)).toEqual({ passwd: "", group: "" });
    expect(readUserFiles(folder)).toEqual({ passwd: "", group: "" });
  });

  test("that are huge are refused", () => {
    const root = rootWith("huge");
    writeFileSync(join(root, "etc/passwd"), "");
    truncateSync(join(root, "etc/passwd"), 5 << 20);
    expect(() => readUserFiles(root)).toThrow("/etc/passwd of the image: larger than");
  });
});
