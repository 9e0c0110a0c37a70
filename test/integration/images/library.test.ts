/** Images by name: listed, removed, collected, exported, converted; skopeo, umoci and tar are the other side. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecked } from "../../../src/host/process.ts";
import { Lease } from "../../../src/images/lease.ts";
import { obtainImage, pullImage } from "../../../src/images/obtain.ts";
import { tagCacheCounts } from "../../../src/images/tag-cache.ts";
import { parseContainerId } from "../../../src/spec/container-id.ts";
import type { Digest } from "../../../src/spec/digest.ts";
import { openStorage } from "../../../src/storage/storage.ts";
import { type BuiltImage, buildBusyboxImage, buildImage } from "../../images/build.ts";
import { pushLayout, startRegistry, type TestRegistry } from "../../images/registry.ts";
import { ImageRoom } from "./images.fixture.ts";

setDefaultTimeout(60_000);

let shared: string;
let first: BuiltImage;
let second: BuiltImage;
let registry: TestRegistry;
beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), "lxcri-library-"));
  first = buildBusyboxImage(join(shared, "first"), { extraFiles: { "srv/hello": "first\n" } });
  second = buildBusyboxImage(join(shared, "second"), { extraFiles: { "srv/hello": "second\n" } });
  registry = await startRegistry(join(shared, "registry"));
});
afterAll(async () => {
  await registry.stop();
  rmSync(shared, { recursive: true, force: true });
});

const blobs = (room: ImageRoom): string[] => readdirSync(join(room.dataRoot, "content/blobs/sha256")).sort();
const imported = (room: ImageRoom, image: BuiltImage, name: string): Promise<string> =>
  room.image("import", `oci:${image.dir}:${image.tag}`, name);

describe("names", () => {
  test("are listed, looked at, given and taken", async () => {
    await using room = new ImageRoom();
    await imported(room, first, "app:1");
    await room.image("tag", "app:1", "registry.example.org/team/app:stable");
    const id = first.configDigest;
    const [entry] = await room.json("ls");
    expect(entry).toMatchObject({
      id,
      tags: ["docker.io/library/app:1", "registry.example.org/team/app:stable"],
      platform: "linux/amd64",
      containers: [],
    });
    expect(entry.size).toBeGreaterThan(1_000_000);
    expect(await room.image("ls")).toContain("registry.example.org/team/app:stable");
    const [inspected] = JSON.parse(await room.image("inspect", id.slice(7, 19)));
    expect(inspected).toMatchObject({
      id,
      digest: first.manifestDigest,
      config: { config: { Cmd: ["sh"] } },
    });
    const history = await room.json("history", "app:1");
    expect(history.map((step: { layer: string }) => step.layer)).toEqual([...first.layerDigests].reverse());
    expect(await room.image("history", "app:1")).toContain("buildImage");
    await room.image("rm", "app:1");
    expect((await room.json("ls"))[0].tags).toEqual(["registry.example.org/team/app:stable"]);
    await room.image("rm", id);
    expect(await room.json("ls")).toEqual([]);
    expect(blobs(room)).toEqual([]);
  });

  test("that are unknown or ambiguous are told", async () => {
    await using room = new ImageRoom();
    await imported(room, first, "app:1");
    const unknown = await room.run("inspect", "nothing");
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('image "nothing"')]);
    expect((await room.run("rm", "nothing")).code).toBe(1);
    expect((await room.run("rm", "--force", "nothing")).code).toBe(0);
    expect((await room.run("tag", "app:1", "Not A Name")).stderr).toContain("image name");
    expect((await room.run("import", `oci:${first.dir}`)).stderr).toContain("has no name of its own");
    expect((await room.run("import", "app:1")).stderr).toContain("no file or folder");
  });

  test("of a tag that moved: the old image keeps its digest", async () => {
    await using room = new ImageRoom();
    const name = `${registry.host}/moving/app:1`;
    await pushLayout(first.dir, first.tag, registry, "moving/app:1");
    await room.image("pull", name);
    await pushLayout(second.dir, second.tag, registry, "moving/app:1");
    const before = tagCacheCounts();
    expect(await room.image("pull", "--quiet", "--max-age", "1h", name)).toBe(first.configDigest);
    expect(tagCacheCounts().hits).toBe(before.hits + 1);
    expect(await room.image("pull", "--quiet", "--max-age", "1ms", name)).toBe(second.configDigest);
    expect(tagCacheCounts().misses).toBe(before.misses + 1);
    const images = await room.json("ls");
    expect(images.find((each: { id: string }) => each.id === first.configDigest)).toMatchObject({
      tags: [],
      digests: [`${registry.host}/moving/app@${first.manifestDigest}`],
    });
    await room.image("rm", `${registry.host}/moving/app@${first.manifestDigest}`);
    expect((await room.json("ls")).length).toBe(1);
  });
});

describe("garbage collection", () => {
  test("frees what it says, first dry", async () => {
    await using room = new ImageRoom();
    await imported(room, first, "a:1");
    await imported(room, second, "b:1");
    expect((await room.json("gc")).bytes).toBe(0);
    const common = first.layerDigests.filter((each) => second.layerDigests.includes(each));
    expect(common.length).toBe(1);
    const used = async (): Promise<number> =>
      Number.parseInt((await runChecked(["du", "-s", "-B1", "--", room.dataRoot])).stdout, 10);
    const dry = await room.json("gc", "--dry-run", "--unused");
    expect(dry.names.length).toBe(2);
    expect((await room.json("ls")).length).toBe(2);
    const removed = await room.json("rm", "a:1");
    expect(blobs(room)).toContain(String(common[0]?.slice(7)));
    expect(removed.bytes).toBeGreaterThan(0);
    const before = await used();
    const { bytes, names } = await room.json("gc", "--unused");
    expect(names).toEqual(["docker.io/library/b:1"]);
    expect(bytes + removed.bytes).toBe(dry.bytes);
    // names and folders are not counted
    expect(Math.abs(before - (await used()) - bytes)).toBeLessThan(65_536);
    expect(blobs(room)).toEqual([]);
    expect(openStorage(room.dataRoot).layers()).toEqual([]);
  });

  test("leaves what containers are made of, and what is leased", async () => {
    await using room = new ImageRoom();
    const { layers } = await pullImage(`oci:${first.dir}`, { dataRoot: room.dataRoot, name: "a:1" });
    const storage = openStorage(room.dataRoot);
    const { rootfs } = await storage.prepare(parseContainerId("user"), layers);
    await imported(room, second, "b:1");
    using lease = new Lease(room.dataRoot);
    await lease.protect([second.manifestDigest as Digest]);
    expect((await room.json("ls")).map((each: { containers: string[] }) => each.containers)).toContainEqual([
      "user",
    ]);
    expect((await room.json("gc", "--unused")).names).toEqual([]);
    await room.image("rm", "a:1", "b:1");
    expect(readFileSync(join(rootfs, "srv/hello"), "utf8")).toBe("first\n");
    expect(blobs(room)).toEqual([second.manifestDigest.slice(7)]);
    expect(storage.layers().length).toBe(2);
    await storage.remove(parseContainerId("user"));
    lease[Symbol.dispose]();
    await room.image("gc");
    expect([blobs(room), storage.layers()]).toEqual([[], []]);
  });

  test("runs beside pulls, and neither harms the other", async () => {
    await using room = new ImageRoom();
    const ends = Array.from({ length: 6 }, async (_, i) => {
      const image = i % 2 === 0 ? first : second;
      for (let round = 0; round < 4; round += 1) {
        await pullImage(`oci:${image.dir}`, { dataRoot: room.dataRoot, name: `app${i}:1` });
        await room.image("rm", `app${i}:1`);
      }
      await imported(room, image, `app${i}:1`);
    });
    let running = true;
    const collecting = (async () => {
      for (; running; await Bun.sleep(1)) await room.image("gc", "--unused");
    })();
    await Promise.all(ends).finally(() => {
      running = false;
    });
    await collecting;
    await imported(room, first, "last:1");
    await room.image("export", "last:1", `oci:${room.at("out")}:x`);
    await runChecked(["umoci", "unpack", "--image", `${room.at("out")}:x`, room.at("bundle")]);
  });
});

describe("exports", () => {
  const formats = {
    oci: "oci:OUT:v1",
    "oci-archive": "oci-archive:OUT:v1",
    "docker-archive": "docker-archive:OUT",
  };
  test.each(Object.entries(formats))("%s: skopeo and we read it", async (_, target) => {
    await using room = new ImageRoom();
    await imported(room, first, "local/app:1");
    const out = target.replace("OUT", room.at("out"));
    await room.image("export", "local/app:1", out);
    await runChecked(["skopeo", "copy", "--quiet", "--insecure-policy", out, `oci:${room.at("copy")}:x`]);
    await runChecked(["umoci", "unpack", "--image", `${room.at("copy")}:x`, room.at("bundle")]);
    expect(readFileSync(room.at("bundle/rootfs/srv/hello"), "utf8")).toBe("first\n");
    await using other = new ImageRoom();
    expect(await other.image("import", out)).toBe(first.configDigest);
    expect((await other.json("ls"))[0].tags).toEqual(["docker.io/local/app:1"]);
    expect(readdirSync(room.folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("a layout keeps its other images, an archive is the same each time", async () => {
    await using room = new ImageRoom();
    await imported(room, first, "app:1");
    await imported(room, second, "app:2");
    await room.image("export", "app:1", `oci:${room.at("out")}`);
    await room.image("export", "app:2", `oci:${room.at("out")}`);
    await room.image("export", "app:2", `oci:${room.at("out")}`);
    const { manifests } = JSON.parse(readFileSync(room.at("out/index.json"), "utf8"));
    expect(manifests.map((each: { digest: string }) => each.digest)).toEqual([
      first.manifestDigest,
      second.manifestDigest,
    ]);
    for (const name of ["a", "b"]) await room.image("export", "app:1", `oci-archive:${room.at(name)}`);
    expect(readFileSync(room.at("a")).equals(readFileSync(room.at("b")))).toBe(true);
  });

  test("a blob that is damaged or missing is told, and no file is left", async () => {
    await using room = new ImageRoom();
    await imported(room, first, "app:1");
    const blob = join(room.dataRoot, "content/blobs/sha256", first.layerDigests[0]?.slice(7) ?? "");
    const content = readFileSync(blob);
    content[content.length - 1] = (content.at(-1) ?? 0) ^ 1;
    writeFileSync(blob, content);
    const damaged = await room.run("export", "app:1", `oci-archive:${room.at("out")}`);
    expect(damaged.stderr).toContain("is damaged on disk");
    const missing = await room.run("export", "app:1", `oci-archive:${room.at("out")}`);
    expect(missing.stderr).toContain("is not in this data root");
    expect(readdirSync(room.folder)).toEqual(["data"]);
    await imported(room, first, "app:1");
    await room.image("export", "app:1", `oci-archive:${room.at("out")}`);
  });

  test.each(["tar:x", "oci:", "nothing"])("%s is no target", async (target) => {
    await using room = new ImageRoom();
    await imported(room, first, "app:1");
    expect((await room.run("export", "app:1", target)).stderr).toContain("FORMAT:PATH");
  });
});

describe("templates", () => {
  test.each([".tar.zst", ".tar.gz"])("an image becomes %s, and that an image again", async (suffix) => {
    await using room = new ImageRoom();
    const image = buildImage(room.at("layout"), {
      layers: [
        [
          { name: "etc/", type: "5" },
          { name: "etc/gone", data: "x" },
          { name: "bin/ping", data: "p", mode: 0o4755, uid: 7, pax: { "SCHILY.xattr.user.note": "kept" } },
        ],
        [{ name: "etc/.wh.gone" }, { name: "etc/stays", data: "y" }],
      ],
    });
    await imported(room, image, "app:1");
    const file = room.at(`template${suffix}`);
    expect(await room.image("convert", "app:1", file)).toBe(file);
    const listed = (await runChecked(["tar", "--list", "--verbose", "--numeric-owner", "--file", file]))
      .stdout;
    expect(listed).toMatch(/^-rwsr-xr-x 7\/0 .* \.\/bin\/ping$/m);
    expect(listed).toContain("./etc/stays");
    expect(listed).not.toContain("gone");
    const id = await room.image("convert", `tar:${file}`, "ct:1");
    const [made] = JSON.parse(await room.image("inspect", "ct:1"));
    expect(made).toMatchObject({ id, config: { config: { Cmd: ["/sbin/init"] } } });
    expect(made.manifest.layers[0].mediaType).toEndWith(suffix === ".tar.gz" ? "gzip" : "zstd");
    const rootfs = await room.image("mount", "ct:1");
    const xattr = await runChecked([
      "getfattr",
      "--only-values",
      "-n",
      "user.note",
      join(rootfs, "bin/ping"),
    ]).catch(() => undefined);
    if (xattr !== undefined) expect(xattr.stdout).toBe("kept");
    expect(readFileSync(join(rootfs, "etc/stays"), "utf8")).toBe("y");
    expect(await room.image("mount", "ct:1")).toBe(rootfs);
    await room.image("unmount", "ct:1");
    expect(existsSync(rootfs)).toBe(false);
    expect(openStorage(room.dataRoot).list()).toEqual([]);
    const launched = await obtainImage(`oci-archive:${await exported(room, "ct:1")}`, {
      dataRoot: room.dataRoot,
    });
    expect(launched.kind).toBe("system");
  });

  async function exported(room: ImageRoom, name: string): Promise<string> {
    await room.image("export", name, `oci-archive:${room.at("ct.tar")}`);
    return room.at("ct.tar");
  }

  test("xz and plain tarballs become images that others read", async () => {
    await using room = new ImageRoom();
    mkdirSync(room.at("root/etc"), { recursive: true });
    writeFileSync(room.at("root/etc/hostname"), "ct\n");
    await runChecked(["tar", "-cf", room.at("ct.tar"), "-C", room.at("root"), "."]);
    await runChecked(["xz", "--keep", room.at("ct.tar")]);
    for (const [i, name] of ["ct.tar", "ct.tar.xz"].entries()) {
      await room.image("convert", `tar:${room.at(name)}`, `ct:${i}`);
      await room.image("export", `ct:${i}`, `oci:${room.at("out")}:${i}`);
      await runChecked([
        ...["skopeo", "copy", "--quiet", "--insecure-policy"],
        ...[`oci:${room.at("out")}:${i}`, `dir:${room.at(`dir${i}`)}`],
      ]);
    }
    expect(readdirSync(join(room.dataRoot, "content/ingest"))).toEqual([]);
  });

  test("a name that is no template's is refused", async () => {
    await using room = new ImageRoom();
    await imported(room, first, "app:1");
    expect((await room.run("convert", "app:1", room.at("x.zip"))).stderr).toContain(".tar.zst or .tar.gz");
    writeFileSync(room.at("empty"), "");
    expect((await room.run("convert", `tar:${room.at("empty")}`, "x:1")).stderr).toContain("is empty");
  });
});

describe("what does not fit", () => {
  test("another platform's image is refused, a mistyped one is told", async () => {
    await using room = new ImageRoom();
    const arm = buildImage(room.at("arm"), { layers: [[{ name: "a", data: "a" }]], architecture: "arm64" });
    await pushLayout(arm.dir, arm.tag, registry, "other/arm:1");
    const name = `${registry.host}/other/arm:1`;
    expect((await room.run("pull", name)).stderr).toContain("made for linux/arm64");
    await room.image("pull", "--platform", "linux/arm64/v8", name);
    expect((await room.json("ls"))[0].platform).toBe("linux/arm64");
    expect((await room.run("pull", "--platform", "arm64", name)).stderr).toContain("OS/ARCH");
  });

  test("an archive is not pushed, and a damaged image is told before anything is sent", async () => {
    await using room = new ImageRoom();
    const archive = await room.run("push", "docker-archive:x.tar", `${registry.host}/x:1`);
    expect(archive.stderr).toContain("Import it first");
    const id = await imported(room, first, "app:1");
    for (const [content, why] of [
      ["{}", "is damaged on disk"],
      [undefined, "is not in this data root"],
    ] as const) {
      const config = join(room.dataRoot, "content/blobs/sha256", id.slice(7));
      if (content === undefined) rmSync(config, { force: true });
      else writeFileSync(config, content);
      expect((await room.run("push", "app:1", `${registry.host}/never/came:1`)).stderr).toContain(why);
      expect((await room.run("inspect", "app:1")).code).toBe(1);
    }
    expect((await fetch(`http://${registry.host}/v2/never/came/manifests/1`)).status).toBe(404);
    expect((await room.json("ls")).length).toBe(1);
    await imported(room, first, "app:1");
    await room.image("push", "app:1", `${registry.host}/then/came:1`);
  });

  test("an archive that is no layout, or cut off, is told", async () => {
    await using room = new ImageRoom();
    await imported(room, first, "app:1");
    await room.image("export", "app:1", `oci-archive:${room.at("whole.tar")}`);
    const whole = readFileSync(room.at("whole.tar"));
    for (const length of [0, 1000, whole.length >> 1]) {
      writeFileSync(room.at("part.tar"), whole.subarray(0, length));
      const { code, stderr } = await room.run("import", `oci-archive:${room.at("part.tar")}`, "part:1");
      expect([code, stderr]).toEqual([1, expect.stringMatching(/tar|index\.json/)]);
    }
    expect((await room.json("ls")).length).toBe(1);
    expect((await room.run("import", "oci-archive:none.tar", "x:1")).stderr).toContain("no such file");
    await runChecked(["gzip", "--fast", room.at("whole.tar")]);
    expect(await room.image("import", `oci-archive:${room.at("whole.tar.gz")}`, "gz:1")).toBe(
      first.configDigest,
    );
    expect(readdirSync(join(room.dataRoot, "content/ingest"))).toEqual([]);
  });
});
