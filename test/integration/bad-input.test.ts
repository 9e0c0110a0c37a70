/** Bad input: a clear error that names the thing, an exit code that is not 0, and nothing left of it. */
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type RunResult, run, runChecked } from "../../src/host/process.ts";
import { runtimeUnderTest } from "../conformance/runtime-under-test.ts";
import { TestBundle } from "./spec/bundle.ts";

/** Fails with one line that holds all of `texts`, and leaves nothing. */
async function refused(bundle: TestBundle, result: RunResult, ...texts: readonly string[]): Promise<void> {
  expect(result.exitCode).not.toBe(0);
  expect(result.exitCode).toBeLessThan(128);
  for (const text of texts) expect(result.stderr).toContain(text);
  expect(result.stderr.length).toBeLessThan(10_000);
  expect(result.stderr).not.toMatch(/at .*\.ts:\d+|Bun v|panic|Segmentation/);
  expect(await bundle.leftovers()).toEqual([]);
}

const create = (bundle: TestBundle, id = bundle.id) => bundle.cli("create", "--bundle", bundle.path, id);

describe("config.json", () => {
  const documents: readonly (readonly [string, string, readonly string[]])[] = [
    ["empty", "", ["config.json"]],
    ["cut off", '{"ociVersion": "1.3.0",\n  "process": {', ["config.json", "line 2"]],
    ["no JSON at all", "\u0000\u0001\u0002", ["config.json"]],
    ["an array", "[]", ["config.json"]],
    ["null", "null", ["config.json"]],
    ["a depth bomb", `${"[".repeat(200_000)}${"]".repeat(200_000)}`, ["config.json"]],
    [
      "a bomb inside a property",
      `{"annotations": ${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}}`,
      ["config.json"],
    ],
    ["wrong types", '{"ociVersion": 1, "process": [], "root": "x"}', ["ociVersion", "process", "root"]],
    ["__proto__", '{"__proto__": {"polluted": true}, "ociVersion": "1.3.0"}', ["root"]],
  ];
  test.each(documents)("%s", async (_, text, says) => {
    await using bundle = await TestBundle.make();
    bundle.write(text);
    await refused(bundle, await create(bundle), ...says);
  });

  test("all faults come at once, each with its path", async () => {
    await using bundle = await TestBundle.make();
    bundle.configure({
      process: { cwd: "relative" },
      linux: { namespaces: [{ type: "pid" }, { type: "pid" }] },
      extra: { hostname: "a\nb" },
    });
    await refused(bundle, await create(bundle), "process.cwd", "linux.namespaces[1]", "hostname");
  });

  test("an unknown property within the standard ones is refused, with the name that was meant", async () => {
    await using bundle = await TestBundle.make();
    bundle.configure({ linux: { resources: { memory: { limits: 1 } } } as never });
    await refused(bundle, await create(bundle), "linux.resources.memory.limits", '"limit"');
  });

  test("an unknown top-level property is ignored with a warning (config.md, Extensibility)", async () => {
    await using bundle = await TestBundle.make();
    const { exitCode, stderr, stdout } = await bundle.run({
      script: "echo ran",
      extra: { unknownThing: {} },
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "ran\n" });
    expect(stderr).toContain("unknownThing");
  });

  test("a NUL or a newline in what becomes a name or a line", async () => {
    await using bundle = await TestBundle.make();
    bundle.configure({ process: { args: ["/bin/echo", "a\u0000b"] } });
    await refused(bundle, await create(bundle), "process.args[1]");
    bundle.configure({ linux: { cgroupsPath: "/a\nlxc.hook.start = /bin/touch /evil" } });
    await refused(bundle, await create(bundle), "linux.cgroupsPath");
    bundle.configure({ process: { apparmorProfile: "x\nlxc.hook.pre-start = /bin/touch /evil" } });
    await refused(bundle, await create(bundle), "process.apparmorProfile");
    expect(existsSync("/evil")).toBe(false);
  });

  test("a FIFO, a folder or an endless device in its place does not hang", async () => {
    await using bundle = await TestBundle.make();
    const path = join(bundle.path, "config.json");
    mkdirSync(path);
    await refused(bundle, await create(bundle), "config.json");
    rmSync(path, { recursive: true });
    await runChecked(["mkfifo", path]);
    await refused(bundle, await create(bundle), "config.json");
    rmSync(path);
    symlinkSync("/dev/zero", path);
    await refused(bundle, await create(bundle), "config.json");
  });
});

describe("bundle and root file system", () => {
  test("missing: bundle, config.json, rootfs; a file in place of the rootfs", async () => {
    await using bundle = await TestBundle.make();
    await refused(
      bundle,
      await bundle.cli("create", "--bundle", "/no/such/bundle", bundle.id),
      "/no/such/bundle",
    );
    await refused(bundle, await create(bundle), "config.json: no such file or directory");
    bundle.configure({ extra: { root: { path: "gone" } } });
    await refused(bundle, await create(bundle), "root.path", "gone", "no such file or directory");
    bundle.configure({ extra: { root: { path: "config.json" } } });
    await refused(bundle, await create(bundle), "root.path", "not a directory");
  });

  test("paths upwards stay inside the container's root", async () => {
    await using bundle = await TestBundle.make();
    const up = "../".repeat(12);
    const mark = `mark-${bundle.id}`;
    await bundle.run({
      script: "true",
      process: { cwd: `/${up}${mark}-cwd` },
      mounts: [{ destination: `/${up}${mark}-mount`, type: "tmpfs", source: "tmpfs" }],
      linux: {
        maskedPaths: [`/${up}etc/hostname`],
        readonlyPaths: [`/${up}etc`],
        devices: [{ path: `/${up}${mark}-device`, type: "c", major: 1, minor: 3 }],
      },
    });
    expect(readdirSync("/").filter((name) => name.startsWith(mark))).toEqual([]);
    expect(readFileSync("/etc/hostname", "utf8")).not.toBe("");
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("a cgroupsPath upwards is refused", async () => {
    await using bundle = await TestBundle.make();
    bundle.configure({ linux: { cgroupsPath: "/../../outside" } });
    await refused(bundle, await create(bundle), "linux.cgroupsPath", '".."');
  });

  test("links in the image that point out of it are followed inside it", async () => {
    await using bundle = await TestBundle.make();
    const outside = join(bundle.folder, "outside");
    mkdirSync(outside);
    for (const name of ["proc", "dev", "sys", "tmp"]) {
      rmSync(join(bundle.rootfs, name), { recursive: true });
      symlinkSync(outside, join(bundle.rootfs, name));
    }
    await bundle.run({ script: "true" });
    expect(readdirSync(outside)).toEqual([]);
    expect(await bundle.leftovers()).toEqual([]);
  });
});

describe("ids", () => {
  const ids = ["a/b", "../x", "..", ".", "", "x".repeat(300), "a b", "a\nb", "ä", "-x/y"];
  test.each(ids)("%j is refused, by create and by all that name a container", async (id) => {
    await using bundle = await TestBundle.make();
    bundle.configure({ script: "true" });
    await refused(bundle, await bundle.cli("create", "--bundle", bundle.path, "--", id));
    for (const command of ["state", "start", "delete", "pause"]) {
      await refused(bundle, await bundle.cli(command, "--", id));
    }
    await refused(bundle, await bundle.cli("kill", "--", id, "9"));
  });

  test("one that is taken: the first container is not touched", async () => {
    await using bundle = await TestBundle.make();
    await bundle.start({ script: "sleep 100" });
    const { exitCode, stderr } = await create(bundle);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(bundle.id);
    expect(JSON.parse(await bundle.ok("state", bundle.id))).toMatchObject({ status: "running" });
  });
});

describe("a full disk", () => {
  /** A tmpfs of 64 KiB, full to the last byte. */
  async function full(bundle: TestBundle): Promise<string> {
    const path = join(bundle.folder, "full");
    mkdirSync(path);
    await runChecked(["mount", "-t", "tmpfs", "-o", "size=64k,mode=711", "full", path]);
    return path;
  }
  const fill = (path: string) => run(["dd", "if=/dev/zero", `of=${path}/filler`, "bs=4k"]);

  test("below --root: an error, and space again after it is a container", async () => {
    await using bundle = await TestBundle.make();
    const path = await full(bundle);
    try {
      await fill(path);
      bundle.configure({ script: "true" });
      const argv = [
        runtimeUnderTest,
        "--root",
        join(path, "state"),
        "create",
        "--bundle",
        bundle.path,
        bundle.id,
      ];
      const { exitCode, stderr } = await run(argv, { timeout: 30_000 });
      expect(exitCode).not.toBe(0);
      expect(stderr).toMatch(/no space left on device/i);
      rmSync(join(path, "filler"));
      const left = await run(["find", join(path, "state"), "-name", `*${bundle.id}*`]);
      expect(left.stdout).toBe("");
    } finally {
      await run(["umount", "--lazy", path]);
    }
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("below the bundle: what the image has no room for is named", async () => {
    await using bundle = await TestBundle.make();
    const path = await full(bundle);
    try {
      mkdirSync(join(path, "rootfs"));
      bundle.configure({ script: "true", extra: { root: { path: join(path, "rootfs") } } });
      await fill(path);
      await refusedHere(await create(bundle));
    } finally {
      await run(["umount", "--lazy", path]);
    }
    expect(await bundle.leftovers()).toEqual([]);
  });

  const refusedHere = async ({ exitCode, stderr }: RunResult) => {
    expect(exitCode).not.toBe(0);
    expect(stderr).not.toBe("");
  };
});

describe("files that callers name", () => {
  test("a pid file or a console socket that cannot be: no container is left", async () => {
    await using bundle = await TestBundle.make();
    bundle.configure({ script: "true" });
    const pidFile = ["--pid-file", "/no/such/folder/pid"];
    await refused(
      bundle,
      await bundle.cli("create", "--bundle", bundle.path, ...pidFile, bundle.id),
      "/no/such/folder/pid",
    );
    bundle.configure({ script: "true", process: { terminal: true } });
    const socket = ["--console-socket", "/no/such/socket"];
    await refused(
      bundle,
      await bundle.cli("create", "--bundle", bundle.path, ...socket, bundle.id),
      "/no/such/socket",
    );
  });

  test("a process document that is none", async () => {
    await using bundle = await TestBundle.make();
    await bundle.start({ script: "sleep 100" });
    const file = join(bundle.folder, "process.json");
    for (const text of ["", "[]", '{"args": [], "cwd": "x"}', "{".repeat(100_000)]) {
      writeFileSync(file, text);
      const { exitCode, stderr } = await bundle.cli("exec", "--process", file, bundle.id);
      expect(exitCode).not.toBe(0);
      expect(stderr).not.toBe("");
      expect(stderr).not.toMatch(/at .*\.ts:\d+/);
    }
  });
});
