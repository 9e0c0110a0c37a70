/** runtime-spec config.md, "Root" and "Mounts": each class of option as seen inside, and on the host. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { run, runChecked } from "../../../src/host/process.ts";
import type { Mount } from "../../../src/spec/config.ts";
import { TestBundle } from "./bundle.ts";
import { bind, HostTree, optionsOf } from "./host-tree.ts";

describe("root", () => {
  test("readonly, while mounts in it are not", async () => {
    await using bundle = await TestBundle.make();
    const script = "touch /x 2>&1; touch /tmp/x && echo tmp";
    const said = await bundle.output({
      script,
      mounts: [{ destination: "/tmp", type: "tmpfs", source: "tmpfs" }],
      extra: { root: { path: "rootfs", readonly: true } },
    });
    expect(said.split("\n")).toEqual(["touch: /x: Read-only file system", "tmp"]);
    expect(existsSync(join(bundle.rootfs, "x"))).toBe(false);
  });

  test("an absolute path with blanks", async () => {
    await using bundle = await TestBundle.make();
    const path = join(bundle.folder, "a root");
    await runChecked(["mv", bundle.rootfs, path]);
    expect(await bundle.output({ script: "echo here", extra: { root: { path } } })).toBe("here");
  });

  test("on overlayfs, and without /proc, /dev, /etc or any mount", async () => {
    await using bundle = await TestBundle.make();
    const [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map((name) =>
      join(bundle.folder, name),
    );
    for (const folder of [upper, work, merged]) mkdirSync(folder ?? "");
    await runChecked(["mv", bundle.rootfs, lower ?? ""]);
    for (const folder of ["proc", "dev", "etc", "sys"]) {
      await runChecked(["rm", "-r", join(lower ?? "", folder)]);
    }
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await runChecked(["mount", "-t", "overlay", "overlay", "-o", options, merged ?? ""]);
    try {
      const bare = { root: { path: merged }, mounts: [] };
      const linux = { maskedPaths: [], readonlyPaths: [] };
      expect(await bundle.output({ script: "echo bare; ls / | tr '\\n' ' '", linux, extra: bare })).toBe(
        // LXC makes /proc for a moment's use.
        "bare\nbin dev mnt proc root tmp",
      );
      expect(
        await bundle.output({ script: "echo mounted; ls -d /proc/1", extra: { root: { path: merged } } }),
      ).toBe("mounted\n/proc/1");
    } finally {
      await run(["umount", merged ?? ""]);
    }
  });
});

describe("bind", () => {
  test("bind is one mount, rbind all below it", async () => {
    await using bundle = await TestBundle.make();
    await using source = await HostTree.make(bundle);
    const said = await bundle.output({
      script: "cat /one/file; ls /one/inner; cat /all/file /all/inner/file",
      mounts: [bind(source.path, "/one", "bind"), bind(source.path, "/all", "rbind")],
    });
    expect(said.split("\n")).toEqual(["outer", "outer", "inner"]);
  });

  test("ro is the top only, rro all of it", async () => {
    await using bundle = await TestBundle.make();
    await using source = await HostTree.make(bundle);
    const said = await bundle.output({
      script: "for f in /ro/file /ro/inner/a /rro/file /rro/inner/a; do touch $f 2>&1 && echo $f; done; true",
      mounts: [bind(source.path, "/ro", "rbind", "ro"), bind(source.path, "/rro", "rbind", "rro")],
    });
    expect(said.split("\n")).toEqual([
      "touch: /ro/file: Read-only file system",
      "/ro/inner/a",
      "touch: /rro/file: Read-only file system",
      "touch: /rro/inner/a: Read-only file system",
    ]);
  });

  test("the flags, cleared and set", async () => {
    await using bundle = await TestBundle.make();
    await using source = await HostTree.make(bundle);
    const flags = ["nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"];
    const said = await bundle.output({
      script: `${optionsOf("/flags")}; ${optionsOf("/none")}`,
      mounts: [
        bind(source.path, "/flags", "bind", ...flags),
        bind(source.path, "/none", "bind", "ro", "nosuid", "rw", "suid"),
      ],
    });
    const [set = "", cleared = ""] = said.split("\n");
    for (const flag of flags) expect(set.split(" ")[0]?.split(",")).toContain(flag);
    expect(cleared.split(" ")[0]).toBe("rw,relatime");
  });

  test("a file onto a missing file; a source relative to the bundle", async () => {
    await using bundle = await TestBundle.make();
    writeFileSync(join(bundle.path, "given"), "given\n");
    const said = await bundle.output({
      script: "cat /new/name",
      mounts: [bind("given", "/new/name", "bind")],
    });
    expect(said).toBe("given");
  });

  test("a missing source is an error that names it, and leaves nothing", async () => {
    await using bundle = await TestBundle.make();
    const { exitCode, stderr } = await bundle.run({ mounts: [bind("/no/such/source", "/x", "bind")] });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("/no/such/source");
    expect(stderr).toContain("no such file or directory");
    expect(await bundle.leftovers()).toEqual([]);
  });

  test("mountinfo lists mounts in the config's order, whatever their propagation", async () => {
    await using bundle = await TestBundle.make();
    const mounts = ["private", "shared", "slave", "rprivate", "unbindable", "rshared"].flatMap((kind, i) => [
      { destination: `/m/${i}a`, type: "tmpfs", source: "tmpfs" },
      bind("/etc", `/m/${i}b`, "bind", kind),
    ]);
    const said = await bundle.output({ script: "cut -d' ' -f5 /proc/self/mountinfo | grep ^/m/", mounts });
    expect(said.split("\n")).toEqual(mounts.map(({ destination }) => destination));
  });
});

describe("destination", () => {
  test("relative ones count from the root; `..` does not leave it", async () => {
    await using bundle = await TestBundle.make();
    const said = await bundle.output({
      script: "cat /relative /above",
      mounts: [bind("/etc/hostname", "relative", "bind"), bind("/etc/hostname", "/../../above", "bind")],
    });
    expect(said.split("\n")).toHaveLength(2);
    expect(existsSync(join(bundle.path, "above"))).toBe(false);
  });

  test("links in the image, absolute, relative, dangling or upwards, stay inside it", async () => {
    await using bundle = await TestBundle.make();
    const outside = join(bundle.folder, "outside");
    mkdirSync(outside);
    symlinkSync(outside, join(bundle.rootfs, "absolute"));
    symlinkSync("../../../../../../../../../up", join(bundle.rootfs, "upwards"));
    symlinkSync("/proc/self/root/evil", join(bundle.rootfs, "magic"));
    writeFileSync(join(bundle.path, "data"), "data\n");
    const mounts = ["/absolute/file", "/upwards/file"].map((path) => bind("data", path, "bind"));
    expect(await bundle.output({ script: `cat /absolute/file /up/file ${outside}/file`, mounts })).toBe(
      "data\ndata\ndata",
    );
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync("/up")).toBe(false);
    await bundle.run({ mounts: [bind("data", "/magic", "bind")] });
    expect(existsSync("/evil")).toBe(false);
  });

  test("nothing may cover a part of proc", async () => {
    await using bundle = await TestBundle.make();
    const { exitCode, stderr } = await bundle.run({ mounts: [bind("/etc", "/proc/self", "bind")] });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("/proc/self");
  });
});

describe("other file systems", () => {
  test("tmpfs with its own options; read-only after other mounts went into it", async () => {
    await using bundle = await TestBundle.make();
    const said = await bundle.output({
      script: `stat -c %a /t; touch /t/x 2>&1; ls /t; ${optionsOf("/t")}`,
      mounts: [
        {
          destination: "/t",
          type: "tmpfs",
          source: "tmpfs",
          options: ["ro", "mode=711", "size=64k", "nodev"],
        },
        bind("/etc/hostname", "/t/file", "bind"),
      ],
    });
    const [mode, refused, files, options = ""] = said.split("\n");
    expect([mode, refused, files]).toEqual(["711", "touch: /t/x: Read-only file system", "file"]);
    expect(options).toContain("ro,nodev");
    expect(options).toContain("size=64k");
  });

  test("tmpcopyup starts with what the image has there", async () => {
    await using bundle = await TestBundle.make();
    mkdirSync(join(bundle.rootfs, "var/lib"), { recursive: true });
    writeFileSync(join(bundle.rootfs, "var/lib/file"), "image\n");
    chmodSync(join(bundle.rootfs, "var/lib/file"), 0o640);
    const said = await bundle.output({
      script: "cat /var/lib/file; stat -c %a /var/lib/file; echo changed > /var/lib/file",
      mounts: [{ destination: "/var", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }],
    });
    expect(said).toBe("image\n640");
    expect(readFileSync(join(bundle.rootfs, "var/lib/file"), "utf8")).toBe("image\n");
  });

  test("an unknown option or type is an error that names it", async () => {
    await using bundle = await TestBundle.make();
    const wrong = await bundle.run({
      mounts: [{ destination: "/t", type: "tmpfs", source: "tmpfs", options: ["nosuchoption"] }],
    });
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stderr).toContain("nosuchoption");
    const unknown = await bundle.run({ mounts: [{ destination: "/t", type: "nosuchfs", source: "x" }] });
    expect(unknown.exitCode).toBe(1);
    expect(unknown.stderr).toContain("nosuchfs");
    expect(await bundle.leftovers()).toEqual([]);
  });
});

describe("id-mapped mounts", () => {
  const map = [{ containerID: 0, hostID: 5000, size: 1000 }];
  const owners = "stat -c %u /one/file /one/inner/file";

  test("idmap maps the top, ridmap all", async () => {
    await using bundle = await TestBundle.make();
    await using source = await HostTree.make(bundle);
    const mount = (option: string): Mount => ({
      ...bind(source.path, "/one", "rbind", option),
      uidMappings: map,
      gidMappings: map,
    });
    expect(await bundle.output({ script: owners, mounts: [mount("idmap")] })).toBe("5000\n0");
    expect(await bundle.output({ script: owners, mounts: [mount("ridmap")] })).toBe("5000\n5000");
  });
});
