import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mount, umount } from "../../host/libc.ts";
import { runChecked } from "../../host/process.ts";
import type { Seccomp } from "../../spec/config.ts";
import { readCached, writeCached } from "./cache.ts";
import { compileSeccomp } from "./compile.ts";

const profile: Seccomp = {
  defaultAction: "SCMP_ACT_ERRNO",
  syscalls: [
    { names: ["read", "nosuchcall"], action: "SCMP_ACT_ALLOW" },
    {
      names: ["personality"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, op: "SCMP_CMP_EQ", value: 1n << 60n }],
    },
  ],
};

let base: string;
let cache: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "lxcri-cache-"));
  cache = join(base, "seccomp");
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

/** The only entry's path. */
const entry = (): string => {
  const [name, ...others] = readdirSync(cache);
  expect(others).toEqual([]);
  return join(cache, name ?? "");
};

describe("the cache of compiled programs", () => {
  test("a hit equals the compilation, warnings included, and leaves the entry alone", async () => {
    const compiled = await compileSeccomp(profile, { cache });
    expect(statSync(cache).mode & 0o777).toBe(0o700);
    expect(statSync(entry()).mode & 0o777).toBe(0o600);
    const written = statSync(entry()).mtimeMs;
    expect(await compileSeccomp(profile, { cache })).toEqual(compiled);
    expect(compiled.warnings).toHaveLength(1);
    expect(statSync(entry()).mtimeMs).toBe(written);
    expect(compiled).toEqual(await compileSeccomp(profile));
  });

  test("a hit loads neither libseccomp nor anything that compiles", async () => {
    const script = `
      import { readFileSync } from "node:fs";
      import { compileSeccomp } from "${import.meta.dir}/compile.ts";
      await compileSeccomp({ defaultAction: "SCMP_ACT_LOG" }, { cache: process.argv[1] });
      console.log(readFileSync("/proc/self/maps", "latin1").includes("libseccomp"));`;
    const loads = async () => (await runChecked([process.execPath, "-e", script, cache])).stdout.trim();
    expect([await loads(), await loads()]).toEqual(["true", "false"]);
  });

  test("what the program does not depend on is not part of the key, everything else is", async () => {
    await compileSeccomp({ ...profile, listenerPath: "/a", listenerMetadata: "b" }, { cache });
    await compileSeccomp(profile, { cache });
    expect(readdirSync(cache)).toHaveLength(1);
    await compileSeccomp({ ...profile, defaultErrnoRet: 2 }, { cache });
    expect(readdirSync(cache)).toHaveLength(2);
  });

  test.each([
    ["empty", () => Buffer.alloc(0)],
    ["shortened", (b: Buffer) => b.subarray(0, -3)],
    ["one bit turned in the program", (b: Buffer) => Buffer.from(b.map((x, i) => (i === 60 ? x ^ 1 : x)))],
    ["one bit turned in the length", (b: Buffer) => Buffer.from(b.map((x, i) => (i === 41 ? x ^ 1 : x)))],
    ["something else", () => Buffer.from("#!/bin/sh\nexit 0\n".repeat(20))],
  ])("an entry that is damaged (%s) is compiled anew", async (_name, damage) => {
    const compiled = await compileSeccomp(profile, { cache });
    const good = readFileSync(entry());
    writeFileSync(entry(), damage(good));
    expect(await compileSeccomp(profile, { cache })).toEqual(compiled);
    expect(readFileSync(entry())).toEqual(good);
  });

  test("another profile's entry under this one's name does not count", async () => {
    await compileSeccomp({ defaultAction: "SCMP_ACT_ALLOW" }, { cache });
    const permissive = readFileSync(entry());
    rmSync(entry());
    const compiled = await compileSeccomp(profile, { cache });
    writeFileSync(entry(), permissive);
    expect(await compileSeccomp(profile, { cache })).toEqual(compiled);
  });

  test("a folder that others can enter, or that is a symbolic link, is refused", async () => {
    mkdirSync(cache);
    chmodSync(cache, 0o770);
    await expect(compileSeccomp(profile, { cache })).rejects.toMatchObject({ code: "seccomp-cache-unsafe" });
    chmodSync(cache, 0o700);
    const real = join(base, "real");
    renameSync(cache, real);
    symlinkSync(real, cache);
    await expect(compileSeccomp(profile, { cache })).rejects.toMatchObject({ code: "seccomp-cache-unsafe" });
  });

  test("an entry that cannot be read is an error, not a miss", async () => {
    await compileSeccomp(profile, { cache });
    const path = entry();
    rmSync(path);
    mkdirSync(path);
    await expect(compileSeccomp(profile, { cache })).rejects.toThrow(/EISDIR/);
  });

  test("a full disk costs a warning, not the container", async () => {
    const full = join(base, "full");
    mkdirSync(full, { mode: 0o700 });
    mount("tmpfs", full, "tmpfs", 0, "size=4k,mode=0700,nr_inodes=1");
    try {
      const { warnings, program } = await compileSeccomp(profile, { cache: full });
      expect(program.length).toBeGreaterThan(0);
      expect(warnings.map((w) => w.code)).toEqual(["seccomp-syscall-unknown", "seccomp-cache-unwritable"]);
    } finally {
      umount(full);
    }
  });

  test("the oldest entries go when there are too many", () => {
    for (let i = 0; i < 140; i += 1) writeCached(cache, `key${i}`, { value: Uint8Array.of(i), warnings: [] });
    expect(readdirSync(cache)).toHaveLength(128);
    expect(readCached(cache, "key139")).toEqual({ value: Uint8Array.of(139), warnings: [] });
  });
});
