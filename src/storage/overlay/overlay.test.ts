import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountIdmapped, userNamespaceFd } from "../../host/idmapped-mount.ts";
import { umount } from "../../host/libc.ts";
import { run, runChecked } from "../../host/process.ts";
import { parseContainerId } from "../../spec/container-id.ts";
import { type Digest, digestOf } from "../../spec/digest.ts";
import { openStorage, type Storage } from "../storage.ts";

const MAPS = {
  uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
  gidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }],
};

let dataRoot: string;
let driver: Storage;
beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), "lxcri-overlay-"));
  chmodSync(dataRoot, 0o711);
  driver = openStorage(dataRoot);
});
afterEach(async () => {
  for (const { id } of driver.list()) await driver.remove(id);
  rmSync(dataRoot, { recursive: true, force: true });
});

const id = (text: string) => parseContainerId(text);

async function addLayer(
  chain: readonly Digest[],
  fill: (folder: string) => void | Promise<void>,
): Promise<void> {
  const draft = await driver.beginLayer(chain);
  if (draft === undefined) throw new Error("the layer is there already");
  await fill(draft.folder);
  await draft.commit(1);
}

/** Two layers: `etc/owner` belongs to 33, `bin/su` is setuid root, the second layer hides `etc/gone`. */
async function twoLayers(): Promise<Digest[]> {
  const chain = [digestOf("one"), digestOf("two")];
  await addLayer(chain.slice(0, 1), (folder) => {
    mkdirSync(join(folder, "etc"));
    mkdirSync(join(folder, "bin"));
    for (const name of ["etc/owner", "etc/gone", "bin/su"]) writeFileSync(join(folder, name), name);
    chownSync(join(folder, "etc/owner"), 33, 33);
    chmodSync(join(folder, "bin/su"), 0o4755);
  });
  await addLayer(chain, async (folder) => {
    mkdirSync(join(folder, "etc"));
    writeFileSync(join(folder, "etc/new"), "new");
    await runChecked(["mknod", join(folder, "etc/gone"), "c", "0", "0"]);
  });
  return chain;
}

describe("layers", () => {
  test("are there once committed, and are written once", async () => {
    const chain = [digestOf("a")];
    const draft = await driver.beginLayer(chain);
    expect(driver.hasLayer(digestOf("a"))).toBe(false);
    const second = driver.beginLayer(chain);
    draft?.commit(5);
    expect(await second).toBeUndefined();
    expect(openStorage(dataRoot).hasLayer(digestOf("a"))).toBe(true);
    expect(readdirSync(join(dataRoot, "overlay/staging"))).toEqual([]);
    expect(readdirSync(join(dataRoot, "overlay/locks"))).toEqual([]);
  });

  test("leave nothing when discarded", async () => {
    const draft = await driver.beginLayer([digestOf("a")]);
    writeFileSync(join(draft?.folder ?? "", "x"), "x");
    await draft?.discard();
    await draft?.discard();
    expect(driver.hasLayer(digestOf("a"))).toBe(false);
    expect(readdirSync(join(dataRoot, "overlay/staging"))).toEqual([]);
  });

  test("of a killed process are begun anew", async () => {
    const script = `
      import { openStorage } from ${JSON.stringify(join(import.meta.dir, "../storage.ts"))};
      import { renameSync, writeFileSync } from "node:fs";
      const driver = openStorage(${JSON.stringify(dataRoot)});
      const draft = await driver.beginLayer([${JSON.stringify(digestOf("a"))}]);
      writeFileSync(draft.folder + "/half", "half");
      if (process.argv.at(-1) === "renamed") renameSync(draft.folder, draft.folder.replace("staging", "layers"));
      process.kill(process.pid, "SIGKILL");`;
    for (const moment of ["unpacking", "renamed"]) {
      const file = join(dataRoot, "killed.ts");
      writeFileSync(file, script);
      expect((await run([process.execPath, file, moment])).exitCode).toBe(137);
      expect(driver.hasLayer(digestOf("a"))).toBe(false);
      const draft = await driver.beginLayer([digestOf("a")]);
      expect(readdirSync(draft?.folder ?? "")).toEqual([]);
      await draft?.discard();
    }
  });

  test("of other containers are out of other users' reach", async () => {
    const chain = await twoLayers();
    await driver.prepare(id("c"), chain, MAPS);
    const paths = ["overlay/layers", "containers/c/diff/upper"];
    for (const path of paths) {
      const seen = await run([
        "setpriv",
        "--reuid=1234",
        "--regid=1234",
        "--clear-groups",
        "ls",
        join(dataRoot, path),
      ]);
      expect(seen.stderr).toContain("Permission denied");
    }
  });

  test("with the same first digits are told apart", async () => {
    await addLayer([digestOf("a")], () => {});
    const twin = `${digestOf("a").slice(0, 30)}${"0".repeat(41)}` as Digest;
    expect(() => driver.hasLayer(twin)).toThrow("begin with the same 12 digits");
  });
});

describe("a container's file system", () => {
  test("shows the layers on top of each other and keeps changes apart", async () => {
    const chain = await twoLayers();
    const a = await driver.prepare(id("a"), chain);
    const b = await driver.prepare(id("b"), chain);
    expect(readdirSync(join(a.rootfs, "etc")).sort()).toEqual(["new", "owner"]);
    writeFileSync(join(a.rootfs, "etc/new"), "changed");
    expect(readFileSync(join(b.rootfs, "etc/new"), "utf8")).toBe("new");
    expect((await driver.usage(id("a"))).inodes).toBe(3);
    expect(driver.list().map((s) => [s.id, s.mounted, s.layers])).toEqual([
      [id("a"), true, chain],
      [id("b"), true, chain],
    ]);
    expect(statSync(join(dataRoot, "containers/a")).mode & 0o777).toBe(0o700);
  });

  test("keeps its changes over an unmount and a second prepare", async () => {
    const chain = await twoLayers();
    const { rootfs } = await driver.prepare(id("a"), chain, MAPS);
    writeFileSync(join(rootfs, "kept"), "kept");
    await driver.prepare(id("a"), chain, MAPS);
    umount(rootfs);
    expect(driver.list()[0]?.mounted).toBe(false);
    expect((await driver.remount(id("a"))).mounted).toBe(true);
    expect(readFileSync(join(rootfs, "kept"), "utf8")).toBe("kept");
  });

  test("is gone after remove, whatever state it was in", async () => {
    const chain = await twoLayers();
    const { rootfs } = await driver.prepare(id("a"), chain, MAPS);
    mkdirSync(join(rootfs, "d/e/f"), { recursive: true });
    await driver.remove(id("a"));
    await driver.remove(id("a"));
    expect(existsSync(join(dataRoot, "containers/a"))).toBe(false);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dataRoot);
    expect(driver.list()).toEqual([]);
    expect(driver.remount(id("a"))).rejects.toThrow("has no file system");
  });

  test("remove leaves what others keep in the container's folder", async () => {
    await driver.prepare(id("a"), await twoLayers());
    writeFileSync(join(dataRoot, "containers/a/log"), "log");
    await driver.remove(id("a"));
    expect(readdirSync(join(dataRoot, "containers/a"))).toEqual(["log"]);
  });

  test("of another image under the same id is refused, as is a missing layer", async () => {
    const chain = await twoLayers();
    await driver.prepare(id("a"), chain);
    expect(driver.prepare(id("a"), chain.slice(0, 1))).rejects.toThrow("another image");
    expect(driver.prepare(id("b"), [digestOf("nowhere")])).rejects.toThrow("not in this data root");
  });

  test("with no layer is empty and writable", async () => {
    const { rootfs } = await driver.prepare(id("a"), []);
    writeFileSync(join(rootfs, "x"), "x");
    expect(readdirSync(rootfs)).toEqual(["x"]);
  });

  test("takes 120 layers, and strange characters in the data root", async () => {
    const strange = join(dataRoot, "a,b:c\\d e");
    const deep = openStorage(strange);
    const chain = Array.from({ length: 120 }, (_, i) => digestOf(String(i)));
    for (let i = 0; i < chain.length; i += 1) {
      const draft = await deep.beginLayer(chain.slice(0, i + 1));
      writeFileSync(join(draft?.folder ?? "", `file${i}`), "");
      draft?.commit(0);
    }
    for (const maps of [undefined, MAPS]) {
      const { rootfs } = await deep.prepare(id("many"), chain, maps);
      expect(readdirSync(rootfs).length).toBe(120);
      await deep.remove(id("many"));
      const few = await deep.prepare(id("few"), chain.slice(0, 2), maps);
      expect(readdirSync(few.rootfs)).toEqual(["file0", "file1"]);
      await deep.remove(id("few"));
    }
  });
});

describe("an unprivileged container's file system", () => {
  test("shows shifted owners both ways, and nothing is changed on disk", async () => {
    const chain = await twoLayers();
    const { rootfs } = await driver.prepare(id("u"), chain, MAPS);
    const owner = (path: string) => [lstatSync(path).uid, lstatSync(path).gid];
    expect(owner(rootfs)).toEqual([100_000, 100_000]);
    expect(owner(join(rootfs, "etc/owner"))).toEqual([100_033, 100_033]);
    expect(statSync(join(rootfs, "bin/su")).mode & 0o7777).toBe(0o4755);
    const asRoot = ["setpriv", "--reuid=100000", "--regid=100000", "--clear-groups", "--"];
    await runChecked([...asRoot, "touch", join(rootfs, "etc/made")]);
    await runChecked([...asRoot, "cp", "/etc/hostname", join(rootfs, "etc/new")]);
    expect(owner(join(rootfs, "etc/made"))).toEqual([100_000, 100_000]);
    expect(owner(join(rootfs, "etc/new"))).toEqual([100_000, 100_000]);
    expect(existsSync(join(dataRoot, "overlay/shifted"))).toBe(false);
  });

  /** Runs busybox's shell as root of a user namespace with {@link MAPS}, in `rootfs`. */
  const inside = async (rootfs: string, script: string) => {
    const namespace = await userNamespaceFd(MAPS.uidMappings, MAPS.gidMappings);
    try {
      return await run([
        ...["nsenter", `--user=/proc/${process.pid}/fd/${namespace}`, "--setuid=0", "--setgid=0"],
        ...["chroot", rootfs, "/bin/busybox", "sh", "-c", script],
      ]);
    } finally {
      closeSync(namespace);
    }
  };

  async function busyboxLayer(): Promise<Digest[]> {
    const chain = [digestOf("busybox")];
    await addLayer(chain, async (folder) => {
      mkdirSync(join(folder, "bin"));
      mkdirSync(join(folder, "etc"), { mode: 0o755 });
      await runChecked(["cp", "/bin/busybox", join(folder, "bin/busybox")]);
      await runChecked(["cp", "/bin/busybox", join(folder, "bin/ping")]);
      await runChecked(["setcap", "cap_net_raw+ep", join(folder, "bin/ping")]);
      writeFileSync(join(folder, "etc/owner"), "owner");
      chownSync(join(folder, "etc/owner"), 33, 33);
    });
    return chain;
  }

  const insideWorks = async (rootfs: string) => {
    const did = await inside(
      rootfs,
      `B=/bin/busybox; echo hi > /etc/mine && $B chown 33:33 /etc/mine && $B chmod 4755 /etc/mine &&
       $B chown 5:5 /etc/owner && $B stat -c '%u:%g' /etc/owner /bin/busybox && $B rm /bin/busybox`,
    );
    expect(did).toEqual({ stdout: "5:5\n0:0\n", stderr: "", exitCode: 0 });
    expect(lstatSync(join(rootfs, "etc/mine")).uid).toBe(100_033);
    expect(lstatSync(join(rootfs, "etc/mine")).mode & 0o7777).toBe(0o4755);
    expect(existsSync(join(rootfs, "bin/busybox"))).toBe(false);
    const capability = await runChecked(["getcap", "-n", join(rootfs, "bin/ping")]);
    expect(capability.stdout).toContain("cap_net_raw=ep [rootid=100000]");
  };

  test("works from within a user namespace: create, chown, setuid, copy up, delete", async () => {
    const { rootfs } = await driver.prepare(id("u"), await busyboxLayer(), MAPS);
    await insideWorks(rootfs);
  });

  test("comes from shifted copies where owners cannot be shifted by a mount", async () => {
    const chain = await busyboxLayer();
    // a tool that fails is as good as a kernel that cannot
    const tools = join(dataRoot, "tools");
    mkdirSync(tools);
    writeFileSync(join(tools, "unshare"), "#!/bin/sh\nexec /bin/cat\n", { mode: 0o755 });
    const file = join(dataRoot, "prepare.ts");
    writeFileSync(
      file,
      `import { openStorage } from ${JSON.stringify(join(import.meta.dir, "../storage.ts"))};
       await openStorage(${JSON.stringify(dataRoot)}).prepare("u", ${JSON.stringify(chain)}, ${JSON.stringify(MAPS)});`,
    );
    await runChecked([process.execPath, file], {
      env: { ...process.env, PATH: `${tools}:${process.env.PATH}` },
    });
    await insideWorks(join(dataRoot, "containers/u/rootfs"));
    const [map] = readdirSync(join(dataRoot, "overlay/shifted"));
    expect(readdirSync(join(dataRoot, "overlay/shifted", map ?? "")).length).toBe(1);
  });

  test("is mounted or removed right after a process that mounted it was killed", async () => {
    const chain = await twoLayers();
    const tools = join(dataRoot, "tools");
    mkdirSync(tools);
    // killed when the container is written down, but not mounted
    writeFileSync(join(tools, "unshare"), "#!/bin/sh\nkill -9 $PPID\n", { mode: 0o755 });
    const file = join(dataRoot, "prepare.ts");
    writeFileSync(
      file,
      `import { openStorage } from ${JSON.stringify(join(import.meta.dir, "../storage.ts"))};
       await openStorage(${JSON.stringify(dataRoot)}).prepare("u", ${JSON.stringify(chain)}, ${JSON.stringify(MAPS)});`,
    );
    const env = { ...process.env, PATH: `${tools}:${process.env.PATH}` };
    expect((await run([process.execPath, file], { env })).exitCode).toBe(137);
    expect(driver.list().map(({ mounted }) => mounted)).toEqual([false]);
    // killed between its two mounts
    const left = join(dataRoot, "containers/u/scratch/layers");
    mkdirSync(left);
    const leave = async () => {
      const namespace = await userNamespaceFd(MAPS.uidMappings, MAPS.gidMappings);
      mountIdmapped(join(dataRoot, "overlay/layers"), left, namespace);
      closeSync(namespace);
    };
    await leave();
    const { rootfs } = await driver.prepare(id("u"), chain, MAPS);
    expect(readFileSync(join(rootfs, "etc/new"), "utf8")).toBe("new");
    expect(existsSync(left)).toBe(false);
    mkdirSync(left);
    await leave();
    await driver.remove(id("u"));
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dataRoot);
    expect(readdirSync(join(dataRoot, "containers"))).toEqual([]);
    expect(driver.hasLayer(chain[1] ?? digestOf(""))).toBe(true);
    expect(readdirSync(join(dataRoot, "overlay/layers")).length).toBe(5);
  });

  test("needs a way to it that any user can pass", async () => {
    const chain = await twoLayers();
    chmodSync(dataRoot, 0o700);
    const refused = driver.prepare(id("u"), chain, MAPS);
    expect(await refused.catch((error: unknown) => error)).toMatchObject({ code: "path-not-passable" });
    chmodSync(dataRoot, 0o711);
    expect((await driver.prepare(id("u"), chain, MAPS)).mounted).toBe(true);
  });

  test("a device node in a layer cannot be opened", async () => {
    const chain = [digestOf("dev")];
    await addLayer(chain, async (folder) => {
      await runChecked(["mknod", "-m", "666", join(folder, "null"), "c", "1", "3"]);
    });
    const { rootfs } = await driver.prepare(id("u"), chain, MAPS);
    expect(() => readFileSync(join(rootfs, "null"))).toThrow("EACCES");
  });
});
