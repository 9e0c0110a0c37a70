import { afterEach, beforeEach, expect, test } from "bun:test";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage } from "../../../test/images/build.ts";
import type { TarEntry } from "../../../test/images/tar-writer.ts";
import { parseContainerId } from "../../spec/container-id.ts";
import { openStorage } from "../../storage/storage.ts";
import { obtainImage } from "../obtain.ts";

let dir: string;
let dataRoot: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lxcri-complete-"));
  dataRoot = join(dir, "data");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Obtains an image of these layers, mounts it and looks at it. */
async function mounted(layers: readonly TarEntry[][], look: (rootfs: string) => void): Promise<void> {
  const { dir: layout } = buildImage(join(dir, "layout"), { layers });
  const image = await obtainImage(`oci:${layout}`, { dataRoot });
  const storage = openStorage(dataRoot);
  const id = parseContainerId("look");
  try {
    look((await storage.prepare(id, image.layers)).rootfs);
  } finally {
    await storage.remove(id);
  }
}

const base: TarEntry[] = [
  { name: "./", type: "5", mode: 0o711 },
  { name: "tmp", type: "5", mode: 0o1777, mtime: 1000 },
  { name: "home/user", type: "5", mode: 0o700, uid: 1000, gid: 1001 },
  { name: "bin/tool", data: "tool", mode: 0o4755, uid: 3 },
  { name: "bin/dev", type: "3", major: 10, minor: 130 },
  { name: "gone/x", data: "x" },
  { name: "full/a", data: "a" },
];

test("folders that a layer only passes through keep what lower layers say of them", async () => {
  await mounted(
    [base, [{ name: "tmp/file" }], [{ name: "home/user/file" }, { name: "new/dir/file" }]],
    (rootfs) => {
      expect(statSync(rootfs).mode & 0o7777).toBe(0o711);
      expect(statSync(join(rootfs, "tmp")).mode & 0o7777).toBe(0o1777);
      expect(statSync(join(rootfs, "tmp")).mtimeMs).toBe(1_000_000);
      const { mode, uid, gid } = statSync(join(rootfs, "home/user"));
      expect([mode & 0o7777, uid, gid]).toEqual([0o700, 1000, 1001]);
      expect(statSync(join(rootfs, "new/dir")).mode & 0o7777).toBe(0o755);
    },
  );
});

test("hard links to files of lower layers become copies", async () => {
  await mounted([base, [], [{ name: "usr/tool", type: "1", link: "bin/tool" }]], (rootfs) => {
    expect(readFileSync(join(rootfs, "usr/tool"), "utf8")).toBe("tool");
    const { mode, uid } = statSync(join(rootfs, "usr/tool"));
    expect([mode & 0o7777, uid]).toEqual([0o4755, 3]);
  });
});

test("hard links to nothing, or to a device, are refused", async () => {
  for (const link of ["nowhere", "bin/dev", "bin", "home/../bin/tool"]) {
    const failed = mounted([base, [{ name: "l", type: "1", link }]], () => {});
    expect(failed).rejects.toThrow(/layer entry/);
    await failed.catch(() => {});
  }
});

test("whiteouts and opaque folders hide what is below, seen through the mount", async () => {
  const top: TarEntry[] = [
    { name: ".wh.gone" },
    { name: "full/.wh..wh..opq" },
    { name: "full/b", data: "b" },
    { name: "bin/.wh.tool" },
  ];
  await mounted([base, top, [{ name: "gone", data: "a file now" }]], (rootfs) => {
    expect(readFileSync(join(rootfs, "gone"), "utf8")).toBe("a file now");
    expect(readdirSync(join(rootfs, "full"))).toEqual(["b"]);
    expect(readdirSync(join(rootfs, "bin"))).toEqual(["dev"]);
    expect(lstatSync(join(rootfs, "bin/dev")).isCharacterDevice()).toBe(true);
  });
});
