import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { paxRecord, type TarEntry, writeTar } from "../../../test/images/tar-writer.ts";
import { close, getXattrAt, openDirectory, setXattrAt } from "../../host/at.ts";
import type { LxcriError } from "../../host/errors.ts";
import { runChecked } from "../../host/process.ts";
import { digestOf } from "../../spec/digest.ts";
import { DEFAULT_LIMITS, type LayerLimits } from "./budget.ts";
import { type UnpackedLayer, unpackLayer } from "./unpack-layer.ts";

let dir: string;
let root: string;
/** Beside the layer's folder; nothing may ever change in it. */
let outside: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lxcri-unpack-"));
  root = join(dir, "layer");
  outside = join(dir, "outside");
  mkdirSync(root);
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "secret");
});
afterEach(() => {
  expect(readdirSync(outside)).toEqual(["secret"]);
  expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
  expect(statSync(join(outside, "secret")).nlink).toBe(1);
  expect(statSync(join(outside, "secret")).mode & 0o777).toBe(0o644);
  expect(readdirSync(dir).sort()).toEqual(["layer", "outside"]);
  rmSync(dir, { recursive: true, force: true });
});

function within<T>(path: string, work: (dir: number, name: string) => T): T {
  const fd = openDirectory(dirname(path));
  try {
    return work(fd, basename(path));
  } finally {
    close(fd);
  }
}

const xattr = (path: string, key: string): string | undefined =>
  within(path, (fd, name) => {
    const value = getXattrAt(fd, name, key);
    return value === undefined ? undefined : Buffer.from(value).toString();
  });

const setXattr = (path: string, key: string, value: string): void =>
  within(path, (fd, name) => setXattrAt(fd, name, key, Buffer.from(value)));

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const unpack = (
  archive: readonly TarEntry[] | Uint8Array,
  options: { limits?: LayerLimits; whiteouts?: boolean; piece?: number } = {},
): Promise<UnpackedLayer> =>
  unpackLayer(
    {
      name: "test",
      source: inPieces(archive instanceof Uint8Array ? archive : writeTar(archive), options.piece ?? 1 << 20),
      whiteouts: options.whiteouts ?? true,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    },
    root,
  );

const failure = async (promise: Promise<unknown>): Promise<LxcriError> => {
  const error = await promise.then(
    () => new Error("nothing failed"),
    (caught: unknown) => caught,
  );
  return error as LxcriError;
};

/** Everything about a tree that tar keeps. */
async function listing(path: string): Promise<string[]> {
  const format = "%P|%y|%m|%U:%G|%s|%T@|%l|%n\n";
  const { stdout } = await runChecked(["find", path, "-mindepth", "1", "-printf", format]);
  return stdout
    .split("\n")
    .map((line) => (line.includes("|d|") ? line.replace(/\|\d+\|(\d+\.\d+\|\|)\d+$/, "|$1") : line))
    .sort();
}

describe("what a layer holds arrives as GNU tar would unpack it", () => {
  async function sample(): Promise<string> {
    const from = join(root, "from");
    mkdirSync(join(from, `${"deep/".repeat(30)}end`), { recursive: true });
    mkdirSync(join(from, "sticky"));
    for (const [name, data] of [
      ["plain", "text"],
      ["empty", ""],
      [`${"long".repeat(40)}`, "long name"],
      ["ümlaut", "utf-8"],
      ["setuid", "s"],
    ] as const)
      writeFileSync(join(from, name), data);
    writeFileSync(Buffer.concat([Buffer.from(`${from}/latin1-`), Buffer.from([0xe9, 0xff])]), "bytes");
    const script = `
      cd "$1"; chmod 4755 setuid; chmod 1777 sticky; chown 33:44 plain; chown 3000000:3000001 empty
      ln plain hard; ln -s ../outside/secret link; ln -s ${"x".repeat(180)} longlink; chown -h 7:8 link
      mknod char c 10 200; mknod block b 259 70000; mkfifo fifo; chown 5:6 fifo
      truncate -s 3M sparse; printf end | dd of=sparse bs=1 seek=2M conv=notrunc status=none
      for i in 1 2 3 4 5 6 7 8 9; do printf $i | dd of=many bs=1 seek=\${i}00k conv=notrunc status=none; done
      truncate -s 1M holes; printf a | dd of=holes bs=1 seek=100000 conv=notrunc status=none
      touch -d '2001-02-03 04:05:06.123456789' plain sticky; touch -h -d '1999-01-01' link; touch -d '1969-12-31 23:59:58.5 UTC' empty
      setcap cap_net_raw+ep setuid`;
    await runChecked(["sh", "-ec", script, "sh", from]);
    setXattr(join(from, "plain"), "user.note", "value");
    setXattr(join(from, "plain"), "trusted.mine", "x");
    return from;
  }

  const formats: Record<string, string[]> = {
    gnu: ["--format=gnu"],
    "gnu, sparse": ["--format=gnu", "--sparse"],
    pax: ["--format=posix", "--xattrs", "--xattrs-include=*"],
    "pax, sparse 0.0": ["--format=posix", "--sparse", "--sparse-version=0.0"],
    "pax, sparse 0.1": ["--format=posix", "--sparse", "--sparse-version=0.1"],
    "pax, sparse 1.0": ["--format=posix", "--sparse", "--sparse-version=1.0"],
  };
  for (const piece of [1 << 20, 511, 7]) {
    test.each(Object.entries(formats))(`%s, in pieces of ${piece} bytes`, async (_, options) => {
      const from = await sample();
      const { stdout } = Bun.spawnSync(["tar", "-c", ...options, "-C", from, "."], { stderr: "pipe" });
      const target = join(root, "to");
      mkdirSync(target);
      const layer = await unpackLayer(
        { name: "test", source: inPieces(stdout, piece), whiteouts: true },
        target,
      );
      expect(layer.diffId).toBe(digestOf(stdout));
      const expected = join(root, "reference");
      mkdirSync(expected);
      await runChecked(["tar", "-x", "-p", "--numeric-owner", "-C", expected], { stdin: stdout });
      expect(await listing(target)).toEqual(await listing(expected));
      await runChecked([
        "diff",
        "-r",
        "--no-dereference",
        "--exclude=fifo",
        "--exclude=char",
        "--exclude=block",
        expected,
        target,
      ]);
      expect(statSync(join(target, "char")).rdev).toBe(statSync(join(from, "char")).rdev);
      expect(statSync(join(target, "block")).rdev).toBe(statSync(join(from, "block")).rdev);
      expect(statSync(join(target, "hard")).ino).toBe(statSync(join(target, "plain")).ino);
      if (options.includes("--sparse")) expect(statSync(join(target, "sparse")).blocks).toBeLessThan(100);
      if (options.includes("--xattrs")) {
        expect((await runChecked(["getcap", join(target, "setuid")])).stdout).toContain("cap_net_raw=ep");
        expect(xattr(join(target, "plain"), "user.note")).toBe("value");
        expect(xattr(join(target, "plain"), "trusted.mine")).toBeUndefined();
      }
    });
  }

  test("large ids and sizes in base-256, star prefixes, v7 directories", async () => {
    await unpack([
      { name: "a", uid: 0o77777777, gid: 4_294_967_294, data: "a" },
      { name: "before", mtime: -5 },
      { name: "v7/", type: "\0" },
      { name: "contiguous", type: "7", data: "c" },
    ]);
    expect(statSync(join(root, "a")).gid).toBe(4_294_967_294);
    expect(statSync(join(root, "before")).mtimeMs).toBe(-5000);
    expect(statSync(join(root, "v7")).isDirectory()).toBe(true);
    expect(readFileSync(join(root, "contiguous"), "utf8")).toBe("c");
  });

  test("libarchive's attributes, global headers, a volume label", async () => {
    await unpack([
      { name: "label", type: "V" },
      { name: "pax", type: "g", data: paxRecord("comment", "hello") },
      { name: "a", data: "a", pax: { "LIBARCHIVE.xattr.user.b": Buffer.from("bin\0").toString("base64") } },
    ]);
    expect(xattr(join(root, "a"), "user.b")).toBe("bin\0");
    expect(readdirSync(root)).toEqual(["a"]);
  });

  test("the last of several entries with one name counts; folders keep their content", async () => {
    await unpack([
      { name: "d", type: "5", mode: 0o700 },
      { name: "d/kept", data: "kept" },
      { name: "d", type: "5", mode: 0o750, mtime: 5 },
      { name: "x", data: "first, and longer" },
      { name: "x", data: "second" },
      { name: "y", type: "5" },
      { name: "y/z/deep", data: "gone" },
      { name: "y", type: "2", link: "d" },
      { name: "y/through", data: "t" },
      { name: "s", type: "2", link: "d" },
      { name: "s", type: "5" },
      { name: "s/own", data: "own" },
    ]);
    expect(readdirSync(join(root, "d")).sort()).toEqual(["kept", "through"]);
    expect(statSync(join(root, "d")).mode & 0o777).toBe(0o750);
    expect(statSync(join(root, "d")).mtimeMs).toBe(5000);
    expect(readFileSync(join(root, "x"), "utf8")).toBe("second");
    expect(readlinkSync(join(root, "y"))).toBe("d");
    expect(readdirSync(join(root, "s"))).toEqual(["own"]);
  });

  test("the root folder's own entry", async () => {
    await unpack([{ name: "./", type: "5", mode: 0o751, uid: 5, gid: 6, mtime: 7 }, { name: "./a" }]);
    const { mode, uid, gid, mtimeMs } = statSync(root);
    expect([mode & 0o777, uid, gid, mtimeMs]).toEqual([0o751, 5, 6, 7000]);
  });

  test.each(["gzip", "zstd", "xz"] as const)("%s", async (kind) => {
    const tar = writeTar([{ name: "a", data: "a".repeat(5000) }]);
    const packed =
      kind === "gzip"
        ? Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))])
        : kind === "zstd"
          ? zstdCompressSync(tar)
          : Bun.spawnSync(["xz", "-c"], { stdin: tar }).stdout;
    const layer = await unpack(packed, { piece: 3 });
    expect(layer.diffId).toBe(digestOf(tar));
    expect(readFileSync(join(root, "a"), "utf8").length).toBe(5000);
    for (const [what, bytes] of [["cut", packed.subarray(0, packed.length >> 1)]] as const) {
      rmSync(root, { recursive: true });
      mkdirSync(root);
      expect([what, (await failure(unpack(bytes))).code]).toEqual([
        what,
        // the decompressor of zstd does not tell an end from a cut
        kind === "zstd" ? "tar-truncated" : "layer-compression",
      ]);
    }
  });
});

describe("whiteouts become overlayfs's", () => {
  const isWhiteout = (path: string) => {
    const stat = lstatSync(path);
    return stat.isCharacterDevice() && stat.rdev === 0;
  };
  const isOpaque = (path: string) => xattr(path, "trusted.overlay.opaque") === "y";

  test("removed names, opaque folders, AUFS's book-keeping", async () => {
    await unpack([
      { name: "d/.wh.gone" },
      { name: "o/.wh..wh..opq" },
      { name: "o/new", data: "new" },
      { name: ".wh..wh.plnk/123.456" },
      { name: ".wh..wh.aufs" },
    ]);
    expect(isWhiteout(join(root, "d/gone"))).toBe(true);
    expect(isOpaque(join(root, "o"))).toBe(true);
    expect(isOpaque(join(root, "d"))).toBe(false);
    expect(readdirSync(root).sort()).toEqual(["d", "o"]);
  });

  test("what the layer itself has stays, in either order", async () => {
    await unpack([
      { name: "before", data: "before" },
      { name: ".wh.before" },
      { name: ".wh.after" },
      { name: "after", data: "after" },
      { name: "dir/x" },
      { name: ".wh.dir" },
      { name: ".wh.dir2" },
      { name: "dir2", type: "5" },
      { name: ".wh.dir3" },
      { name: "dir3/implied" },
    ]);
    expect(readFileSync(join(root, "before"), "utf8")).toBe("before");
    expect(readFileSync(join(root, "after"), "utf8")).toBe("after");
    for (const name of ["dir", "dir2", "dir3"]) expect(isOpaque(join(root, name))).toBe(true);
    expect(existsSync(join(root, "dir/x"))).toBe(true);
  });

  test.each([".wh.", ".wh..", ".wh...", "a/.wh.b/c"])("%p is refused", async (name) => {
    expect((await failure(unpack([{ name }]))).code).toBe("layer-whiteout-invalid");
  });

  test("an image cannot set overlayfs's own attributes", async () => {
    await unpack([
      {
        name: "d",
        type: "5",
        pax: { "SCHILY.xattr.trusted.overlay.redirect": "/x", "SCHILY.xattr.trusted.overlay.opaque": "y" },
      },
    ]);
    for (const key of ["redirect", "opaque"])
      expect(xattr(join(root, "d"), `trusted.overlay.${key}`)).toBeUndefined();
  });
});

describe("nothing is ever written outside", () => {
  const refused: Record<string, readonly TarEntry[]> = {
    "a path with ..": [{ name: "../outside/new" }],
    "a path with .. inside": [{ name: "a/../../outside/new" }],
    "a hard link to outside by ..": [{ name: "a", type: "1", link: "../outside/secret" }],
    "a whiteout with ..": [{ name: "../outside/.wh.secret" }],
    "a name with NUL": [{ name: "a", pax: { path: "b\0c" } }],
    "a path too long": [{ name: "a", pax: { path: `${"d/".repeat(2000)}x` } }],
    "a path too deep": [{ name: "a", pax: { path: `${"d/".repeat(300)}x` } }],
    "links in circles": [
      { name: "a", type: "2", link: "b" },
      { name: "b", type: "2", link: "a" },
      { name: "a/x" },
    ],
    "a path through a file": [{ name: "f", data: "f" }, { name: "f/x" }],
    "a hard link to the root": [{ name: "a", type: "1", link: "/" }],
  };
  test.each(Object.entries(refused))("%s is refused", async (_, entries) => {
    const error = await failure(unpack(entries));
    expect(error.code).toMatch(/^(layer-path-invalid|tar-invalid)$/);
  });

  test("absolute names are the layer's own", async () => {
    await unpack([
      { name: join(outside, "secret"), data: "overwritten" },
      { name: "/etc/abs", data: "abs" },
      { name: "hard", type: "1", link: "/etc/abs" },
    ]);
    expect(readFileSync(join(root, "etc/abs"), "utf8")).toBe("abs");
    expect(statSync(join(root, "hard")).nlink).toBe(2);
    expect(readFileSync(join(root, outside, "secret"), "utf8")).toBe("overwritten");
  });

  test("links that point out lead into the layer", async () => {
    for (const target of [
      "../outside",
      "../../../../../../../../tmp",
      outside,
      "/proc/self/root",
      `/proc/${process.pid}/cwd`,
    ]) {
      rmSync(root, { recursive: true });
      mkdirSync(root);
      await unpack([
        { name: "l", type: "2", link: target },
        { name: "l/new", data: "new" },
        { name: "l/secret", data: "overwritten" },
        { name: "l/.wh.hidden" },
        { name: "l", type: "5", mode: 0o777 },
        { name: "l/after", data: "after" },
      ]);
      expect(readdirSync(join(root, "l"))).toEqual(["after"]);
    }
  });

  test("a link in a last component is replaced, never followed", async () => {
    const link: TarEntry = { name: "l", type: "2", link: join(outside, "secret") };
    for (const entry of [
      { name: "l", data: "overwritten", mode: 0o777 },
      { name: "l", type: "5" },
      { name: "l", type: "6" },
      { name: "l", type: "3", major: 1, minor: 3 },
    ] as const) {
      rmSync(root, { recursive: true });
      mkdirSync(root);
      await unpack([link, entry]);
      expect(lstatSync(join(root, "l")).isSymbolicLink()).toBe(false);
    }
  });

  test("a hard link to a link is that link, and writing to it replaces it", async () => {
    await unpack([
      { name: "l", type: "2", link: join(outside, "secret") },
      { name: "h", type: "1", link: "l" },
      { name: "h", data: "mine" },
    ]);
    expect(readFileSync(join(root, "h"), "utf8")).toBe("mine");
    expect(readlinkSync(join(root, "l"))).toBe(join(outside, "secret"));
  });

  test("a folder swapped for a link between entries", async () => {
    await unpack([
      { name: "d", type: "5" },
      { name: "d/one", data: "1" },
      { name: "d", type: "2", link: outside },
      { name: "d/secret", data: "overwritten" },
      { name: "d/two", data: "2" },
    ]);
    expect(readFileSync(join(root, outside, "two"), "utf8")).toBe("2");
    expect(readdirSync(root).sort()).toEqual(["d", outside.split("/")[1] ?? ""].sort());
  });

  test("a link swapped for a folder between entries", async () => {
    await unpack([
      { name: "real", type: "5" },
      { name: "d", type: "2", link: "real" },
      { name: "d/one", data: "1" },
      { name: "d", type: "5" },
      { name: "d/two", data: "2" },
    ]);
    expect(readdirSync(join(root, "real"))).toEqual(["one"]);
    expect(readdirSync(join(root, "d"))).toEqual(["two"]);
  });

  test("a hard link to itself, and many links to a folder's depth", async () => {
    await unpack([
      { name: "a", data: "a" },
      { name: "a", type: "1", link: "./a" },
    ]);
    expect(readFileSync(join(root, "a"), "utf8")).toBe("a");
    const deep: TarEntry[] = [];
    const step = "d/".repeat(200);
    for (let i = 0; i < 20; i += 1) {
      const at = i === 0 ? "" : `l${i - 1}/`;
      deep.push({ name: `${at}${step}`, type: "5" }, { name: `l${i}`, type: "2", link: `${at}${step}` });
    }
    expect((await failure(unpack(deep))).code).toBe("layer-path-invalid");
    await runChecked(["rm", "-rf", root]);
    mkdirSync(root);
  });
});

describe("bombs and rubbish are refused", () => {
  test("a full disk", async () => {
    await runChecked(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", root]);
    try {
      const error = await failure(unpack([{ name: "a", data: Buffer.alloc(1 << 20) }]));
      expect(error.code).toBe("disk-full");
      expect(error.message).toContain("no space left");
    } finally {
      await runChecked(["umount", "-l", root]);
    }
  });

  test("too many entries, too many bytes, a false size", async () => {
    const many = Array.from({ length: 50 }, (_, i): TarEntry => ({ name: `f${i}`, data: "x".repeat(100) }));
    expect((await failure(unpack(many, { limits: { ...DEFAULT_LIMITS, entries: 49 } }))).code).toBe(
      "layer-too-large",
    );
    expect((await failure(unpack(many, { limits: { ...DEFAULT_LIMITS, bytes: 4000 } }))).code).toBe(
      "layer-too-large",
    );
    const huge = { name: "huge", claimedSize: 2 ** 50, data: "x" };
    expect((await failure(unpack([huge]))).code).toBe("layer-too-large");
  });

  test("a sparse file of an exabyte", async () => {
    const pax = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": String(2 ** 52) };
    const error = await failure(unpack([{ name: "s", pax, data: `1\n0\n1\n${"\0".repeat(506)}x` }]));
    expect(error.code).toBe("layer-too-large");
  });

  test("a decompression bomb", async () => {
    const error = await failure(
      unpack(zstdCompressSync(Buffer.alloc(100 * 2 ** 20)), { limits: DEFAULT_LIMITS }),
    );
    expect(["layer-bomb", "tar-invalid"]).toContain(error.code);
    const zeros = zstdCompressSync(writeTar([{ name: "zeros", data: Buffer.alloc(100 * 2 ** 20) }]));
    expect((await failure(unpack(zeros))).code).toBe("layer-bomb");
  });

  const rubbish: Record<string, Uint8Array> = {
    "no tar at all": Buffer.from("x".repeat(2000)),
    "a damaged header": (() => {
      const tar = writeTar([{ name: "a" }]);
      tar[3] = 0x41;
      return tar;
    })(),
    "cut in a header": writeTar([{ name: "a" }]).subarray(0, 300),
    "cut in content": writeTar([{ name: "a", data: "x".repeat(2000) }]).subarray(0, 1000),
    "cut in padding": writeTar([{ name: "a", data: "x" }]).subarray(0, 600),
    "an unknown type": writeTar([{ name: "a", type: "Q" }]),
    "a pax record without length": writeTar([{ name: "x", type: "x", data: "path=abc\n" }, { name: "a" }]),
    "a pax record too long": writeTar([{ name: "x", type: "x", data: "99 path=abc\n" }, { name: "a" }]),
    "a pax header of 1 GiB": writeTar([{ name: "x", type: "x", claimedSize: 2 ** 30, data: "" }]),
    "a negative pax size": writeTar([{ name: "a", pax: { size: "-1" } }]),
    "a pax time that is none": writeTar([{ name: "a", pax: { mtime: "now" } }]),
    "an id of 2^40": writeTar([{ name: "a", pax: { uid: String(2 ** 40) } }]),
    "a sparse map out of order": writeTar([
      { name: "s", data: "xx", pax: { "GNU.sparse.map": "5,1,0,1", "GNU.sparse.size": "10" } },
    ]),
    "a sparse map beyond the file": writeTar([
      { name: "s", data: "xx", pax: { "GNU.sparse.map": "0,1,9,2", "GNU.sparse.size": "10" } },
    ]),
    bzip2: Buffer.from("BZh91AY&SY"),
  };
  test.each(Object.entries(rubbish))("%s", async (_, bytes) => {
    const error = await failure(unpack(bytes));
    expect(error.code).toMatch(/^(tar-(invalid|truncated|unsupported)|layer-compression)$/);
  });

  test("a wrong diff id", async () => {
    const error = await failure(
      unpackLayer(
        { name: "test", source: inPieces(writeTar([]), 99), whiteouts: true, diffId: digestOf("x") },
        root,
      ),
    );
    expect(error.code).toBe("layer-digest-mismatch");
  });

  test("random damage never crashes or hangs", async () => {
    const tar = writeTar([
      { name: "a", data: "a", pax: { "SCHILY.xattr.user.x": "y", mtime: "1.5" } },
      { name: "b", type: "1", link: "a" },
      { name: "c/d/e", type: "2", link: "../x" },
      { name: "s", data: "xx", pax: { "GNU.sparse.map": "0,1,5,1", "GNU.sparse.size": "10" } },
    ]);
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed % below;
    };
    for (let i = 0; i < 300; i += 1) {
      const damaged = Buffer.from(tar);
      for (let n = 0; n <= random(4); n += 1) damaged[random(damaged.length)] = random(256);
      const error = await failure(unpack(damaged));
      if (error.message !== "nothing failed") expect(error.code).toMatch(/^(tar|layer|system)-/);
      rmSync(root, { recursive: true });
      mkdirSync(root);
    }
  });
});
