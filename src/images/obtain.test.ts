import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuiltImage, buildBusyboxImage, buildImage } from "../../test/images/build.ts";
import { pushLayout, startRegistry, type TestRegistry } from "../../test/images/registry.ts";
import type { LxcriError } from "../host/errors.ts";
import { runChecked } from "../host/process.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { openStorage } from "../storage/storage.ts";
import { obtainImage } from "./obtain.ts";
import type { ImageProgress } from "./unpack/unpack-image.ts";

let shared: string;
let registry: TestRegistry;
let image: BuiltImage;
let dataRoot: string;
beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), "lxcri-obtain-"));
  image = buildBusyboxImage(join(shared, "layout"), {
    config: {
      User: "33",
      WorkingDir: "/srv",
      Labels: { a: "b" },
      ExposedPorts: { "80/tcp": {} },
      StopSignal: "SIGINT",
    },
    extraFiles: { "srv/hello": "hello\n" },
  });
  registry = await startRegistry(join(shared, "registry"));
  await pushLayout(image.dir, image.tag, registry, "library/busybox:1");
});
afterAll(async () => {
  await registry.stop();
  rmSync(shared, { recursive: true, force: true });
});
beforeEach(() => {
  dataRoot = mkdtempSync(join(tmpdir(), "lxcri-data-"));
});
afterEach(() => rmSync(dataRoot, { recursive: true, force: true }));

/** What the image's file `path` holds when it is mounted. */
async function contentOf(
  layers: Awaited<ReturnType<typeof obtainImage>>["layers"],
  path: string,
): Promise<string> {
  const storage = openStorage(dataRoot);
  const id = parseContainerId("look");
  const { rootfs } = await storage.prepare(id, layers);
  try {
    return readFileSync(join(rootfs, path), "utf8");
  } finally {
    await storage.remove(id);
  }
}

const leftovers = () => [
  ...readdirSync(join(dataRoot, "content/ingest")),
  ...readdirSync(join(dataRoot, "overlay/staging")),
  ...readdirSync(join(dataRoot, "overlay/locks")),
];

describe("an image is the same from every source", () => {
  const sources: Record<string, () => Promise<string>> = {
    "a layout": async () => `oci:${image.dir}:${image.tag}`,
    "a registry": async () => `${registry.host}/library/busybox:1`,
    "a registry by digest": async () => `${registry.host}/library/busybox@${image.manifestDigest}`,
    "docker save": async () => {
      const file = join(shared, "saved.tar");
      rmSync(file, { force: true });
      await runChecked([
        "skopeo",
        "copy",
        "-q",
        "--insecure-policy",
        `oci:${image.dir}:${image.tag}`,
        `docker-archive:${file}:app:v1`,
      ]);
      return `docker-archive:${file}`;
    },
    "docker save, compressed, by tag": async () => {
      const file = join(shared, "saved-too.tar");
      rmSync(`${file}.gz`, { force: true });
      await runChecked([
        "skopeo",
        "copy",
        "-q",
        "--insecure-policy",
        `oci:${image.dir}:${image.tag}`,
        `docker-archive:${file}:app:v1`,
      ]);
      await runChecked(["gzip", file]);
      return `docker-archive:${file}.gz:docker.io/library/app:v1`;
    },
    "skopeo's layout": async () => {
      const dir = join(shared, "copied");
      await runChecked([
        "skopeo",
        "copy",
        "-q",
        "--insecure-policy",
        "--src-tls-verify=false",
        `docker://${registry.host}/library/busybox:1`,
        `oci:${dir}:x`,
      ]);
      return `oci:${dir}`;
    },
  };
  test.each(Object.entries(sources))("%s", async (_, source) => {
    const events: ImageProgress[] = [];
    const got = await obtainImage(await source(), { dataRoot, progress: (event) => events.push(event) });
    expect(got.kind).toBe("application");
    expect(got.config).toMatchObject({
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      Cmd: ["sh"],
      User: "33",
      WorkingDir: "/srv",
      Labels: { a: "b" },
      ExposedPorts: ["80/tcp"],
      StopSignal: "SIGINT",
    });
    expect(got.layers.length).toBe(2);
    expect(await contentOf(got.layers, "srv/hello")).toBe("hello\n");
    expect(await contentOf(got.layers, "etc/group")).toContain("www-data");
    expect(leftovers()).toEqual([]);
    for (const kind of ["blob", "layer"]) {
      const last = events.findLast((event) => event.kind === kind);
      expect(last?.done).toBe(last?.total ?? -1);
    }
  });
});

test("a second time nothing is fetched or unpacked", async () => {
  const source = `${registry.host}/library/busybox:1`;
  await obtainImage(source, { dataRoot });
  const layer = join(dataRoot, "overlay/layers");
  const before = readdirSync(layer).map((name) => statSync(join(layer, name)).mtimeMs);
  const kinds = new Set<string>();
  await obtainImage(source, { dataRoot, progress: ({ kind }) => kinds.add(kind) });
  expect([...kinds]).toEqual(["layer"]);
  expect(readdirSync(layer).map((name) => statSync(join(layer, name)).mtimeMs)).toEqual(before);
});

test("a shared base layer is kept once", async () => {
  const other = buildBusyboxImage(join(shared, "other"), { extraFiles: { "srv/other": "other" } });
  const first = await obtainImage(`oci:${image.dir}`, { dataRoot });
  const second = await obtainImage(`oci:${other.dir}`, { dataRoot });
  expect(second.layers[0]).toBe(first.layers[0]);
  expect(readdirSync(join(dataRoot, "overlay/layers")).filter((name) => name.endsWith(".json")).length).toBe(
    3,
  );
});

test("processes at once share the work and all succeed", async () => {
  const file = join(shared, "obtain.ts");
  writeFileSync(
    file,
    `import { obtainImage } from ${JSON.stringify(join(import.meta.dir, "obtain.ts"))};
     const image = await obtainImage(process.argv[2], { dataRoot: process.argv[3] });
     console.log(image.layers.join());`,
  );
  const source = `${registry.host}/library/busybox:1`;
  const all = await Promise.all(
    Array.from({ length: 4 }, () => runChecked([process.execPath, file, source, dataRoot])),
  );
  expect(new Set(all.map(({ stdout }) => stdout)).size).toBe(1);
  expect(leftovers()).toEqual([]);
  const got = await obtainImage(source, { dataRoot });
  expect(await contentOf(got.layers, "srv/hello")).toBe("hello\n");
});

test("killed at any moment, the next try succeeds and leaves nothing", async () => {
  const file = join(shared, "killed.ts");
  writeFileSync(
    file,
    `import { obtainImage } from ${JSON.stringify(join(import.meta.dir, "obtain.ts"))};
     let left = Number(process.argv[4]);
     await obtainImage(process.argv[2], { dataRoot: process.argv[3], progress: () => {
       left -= 1;
       if (left < 0) process.kill(process.pid, "SIGKILL");
     } });`,
  );
  const source = `${registry.host}/library/busybox:1`;
  let killed = 0;
  for (let moment = 0; moment < 12; moment += 1) {
    const root = join(dataRoot, String(moment));
    const child = Bun.spawnSync([process.execPath, file, source, root, String(moment)]);
    if (child.signalCode === "SIGKILL") killed += 1;
    const got = await obtainImage(source, { dataRoot: root });
    expect(got.layers.every((layer) => openStorage(root).hasLayer(layer))).toBe(true);
    for (const folder of ["content/ingest", "overlay/staging", "overlay/locks"]) {
      expect(readdirSync(join(root, folder))).toEqual([]);
    }
  }
  expect(killed).toBeGreaterThan(3);
});

test("a blob damaged on disk is noticed and fetched again", async () => {
  const source = `${registry.host}/library/busybox:1`;
  await obtainImage(source, { dataRoot });
  const blob = join(dataRoot, "content/blobs/sha256", (image.layerDigests[0] ?? "").slice(7));
  const bytes = readFileSync(blob);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff;
  writeFileSync(blob, bytes);
  rmSync(join(dataRoot, "overlay"), { recursive: true });
  const got = await obtainImage(source, { dataRoot });
  expect(await contentOf(got.layers, "srv/hello")).toBe("hello\n");
  expect(readFileSync(blob).equals(bytes)).toBe(false);
});

describe("what is wrong is named, and nothing is left", () => {
  const fails = async (source: string, options = {}) => {
    const error = await obtainImage(source, { dataRoot, ...options }).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    for (const folder of ["content/ingest", "overlay/staging", "overlay/locks"]) {
      const path = join(dataRoot, folder);
      if (existsSync(path)) expect(readdirSync(path)).toEqual([]);
    }
    return error as LxcriError;
  };

  test("missing images and files", async () => {
    expect((await fails(`${registry.host}/library/nowhere`)).code).toBe("image-not-found");
    expect((await fails(`${registry.host}/library/busybox:nowhere`)).code).toBe("image-not-found");
    expect((await fails("oci:/nowhere")).code).toBe("image-not-found");
    expect((await fails("tar:/nowhere")).code).toBe("image-not-found");
    expect((await fails("docker-archive:/nowhere")).code).toBe("image-not-found");
    const tag = await fails(`oci:${image.dir}:nowhere`);
    expect([tag.code, (tag as LxcriError).fix]).toEqual(["image-not-found", "It has: latest."]);
  });

  test("another platform", async () => {
    const foreign = buildImage(join(shared, "foreign"), { layers: [[]], architecture: "s390x" });
    expect((await fails(`oci:${foreign.dir}`)).message).toContain("made for linux/s390x");
    const got = await obtainImage(`oci:${foreign.dir}`, {
      dataRoot,
      platform: { os: "linux", architecture: "s390x" },
    });
    expect(got.layers.length).toBe(1);
  });

  test("a layer that is not what the config says", async () => {
    const liar = buildImage(join(shared, "liar"), {
      layers: [[{ name: "a", data: "a" }], [{ name: "b", data: "b" }]],
    });
    const path = join(liar.dir, "blobs/sha256", liar.configDigest.slice(7));
    const config = readFileSync(path, "utf8").replace(liar.diffIds[1] ?? "", `sha256:${"0".repeat(64)}`);
    writeFileSync(path, config);
    // the manifest must name the forged config
    const hash = new Bun.CryptoHasher("sha256").update(config).digest("hex");
    writeFileSync(join(liar.dir, "blobs/sha256", hash), config);
    const manifestPath = join(liar.dir, "blobs/sha256", liar.manifestDigest.slice(7));
    const manifest = readFileSync(manifestPath, "utf8").replace(liar.configDigest, `sha256:${hash}`);
    const manifestHash = new Bun.CryptoHasher("sha256").update(manifest).digest("hex");
    writeFileSync(join(liar.dir, "blobs/sha256", manifestHash), manifest);
    const index = join(liar.dir, "index.json");
    writeFileSync(index, readFileSync(index, "utf8").replace(liar.manifestDigest, `sha256:${manifestHash}`));
    const error = await fails(`oci:${liar.dir}`);
    expect(error.code).toBe("layer-digest-mismatch");
    // The good layer may be there already or not; nothing else is.
    const others = openStorage(dataRoot)
      .layers()
      .filter(({ chainId }) => chainId !== liar.diffIds[0]);
    expect(others).toEqual([]);
  });

  test("a blob shorter than said", async () => {
    const short = buildImage(join(shared, "short"), { layers: [[{ name: "a", data: "a" }]] });
    truncateSync(join(short.dir, "blobs/sha256", (short.layerDigests[0] ?? "").slice(7)), 20);
    expect((await fails(`oci:${short.dir}`)).code).toBe("blob-size-mismatch");
  });

  test("an abort keeps only what came, for the next try", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = obtainImage(`oci:${image.dir}`, {
      dataRoot,
      signal: controller.signal,
      progress: () => controller.abort(reason),
    });
    expect(await aborted.catch((error: unknown) => error)).toBe(reason);
    expect(readdirSync(join(dataRoot, "overlay/staging"))).toEqual([]);
    await obtainImage(`oci:${image.dir}`, { dataRoot });
    expect(leftovers()).toEqual([]);
  });

  test("a full disk says how much is missing", async () => {
    const small = join(shared, "small");
    mkdirSync(small, { recursive: true });
    await runChecked(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small]);
    try {
      const error = await obtainImage(`oci:${image.dir}`, { dataRoot: join(small, "data") }).catch(
        (e: unknown) => e,
      );
      expect(error).toMatchObject({ code: "disk-full" });
      expect((error as Error).message).toMatch(/[1-9]\d+ bytes are missing/);
    } finally {
      await runChecked(["umount", "-l", small]);
    }
  });
});

describe("a system container's tarball", () => {
  const suffixes: Record<string, string[]> = {
    ".tar": [],
    ".tar.gz": ["gzip"],
    ".tar.zst": ["zstd", "-q", "--rm"],
    ".tar.xz": ["xz", "-1"],
  };
  test.each(Object.entries(suffixes))("%s becomes one layer", async (suffix, tool) => {
    const root = join(shared, `root${suffix}`);
    mkdirSync(join(root, "sbin"), { recursive: true });
    writeFileSync(join(root, "sbin/init"), "#!/bin/sh\n", { mode: 0o755 });
    writeFileSync(join(root, ".wh.kept"), "a name like any other");
    const file = join(shared, "template.tar");
    await runChecked(["tar", "-cf", file, "-C", root, "."]);
    if (tool.length > 0) await runChecked([...tool, file]);
    const path = tool.length === 0 ? file : `${file}${suffix.slice(".tar".length)}`;
    const got = await obtainImage(`tar:${path}`, { dataRoot });
    expect(got).toMatchObject({ kind: "system", name: `tar:${path}`, config: { Cmd: ["/sbin/init"] } });
    expect(await contentOf(got.layers, "sbin/init")).toBe("#!/bin/sh\n");
    expect(await contentOf(got.layers, ".wh.kept")).toBe("a name like any other");
    expect(leftovers()).toEqual([]);
    rmSync(path);
  });
});
