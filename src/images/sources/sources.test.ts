import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type BuiltImage, buildImage } from "../../../test/images/build.ts";
import { type TarEntry, writeTar } from "../../../test/images/tar-writer.ts";
import type { LxcriError } from "../../host/errors.ts";
import { digestOf } from "../../spec/digest.ts";
import { obtainImage } from "../obtain.ts";

let dir: string;
let dataRoot: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lxcri-sources-"));
  dataRoot = join(dir, "data");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const failure = (source: string): Promise<LxcriError> =>
  obtainImage(source, { dataRoot }).then(
    () => new Error("nothing failed"),
    (error: unknown) => error,
  ) as Promise<LxcriError>;

describe("docker archives", () => {
  const layer = writeTar([{ name: "a", data: "a" }]);
  const config = JSON.stringify({ os: "linux", rootfs: { diff_ids: [digestOf(layer)] } });
  const entry = { Config: "config.json", RepoTags: ["app:v1"], Layers: ["l/layer.tar"] };

  function archive(manifest: unknown, members: readonly TarEntry[]): string {
    const path = join(dir, "image.tar");
    const text = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
    writeFileSync(path, writeTar([...members, { name: "manifest.json", data: text }]));
    return `docker-archive:${path}`;
  }
  const plain: TarEntry[] = [
    { name: "./config.json", data: config },
    { name: "l/layer.tar", data: layer },
  ];

  test("as old Docker wrote them: layers that are links, folders, long names", async () => {
    const long = `${"l".repeat(120)}/layer.tar`;
    const links: TarEntry[] = [
      { name: "l/", type: "5" },
      { name: "config.json", data: config },
      { name: long, data: layer, pax: { size: String(layer.length), linkpath: "unused" } },
      { name: "l/layer.tar", type: "2", link: `../${long}` },
    ];
    expect((await obtainImage(archive([entry], links), { dataRoot })).name).toBe("app:v1");
    const hard = [...links.slice(0, 3), { name: "l/layer.tar", type: "1", link: long }];
    expect((await obtainImage(archive([entry], hard), { dataRoot })).layers).toEqual([digestOf(layer)]);
  });

  test("with compressed layers", async () => {
    const members = [plain[0] as TarEntry, { name: "l/layer.tar", data: gzipSync(layer) }];
    expect((await obtainImage(archive([entry], members), { dataRoot })).layers).toEqual([digestOf(layer)]);
  });

  test("with several images need a tag, in any of its forms", async () => {
    const source = archive(
      [{ ...entry, RepoTags: ["other:v2"] }, entry, { ...entry, RepoTags: null }],
      plain,
    );
    const error = await failure(source);
    expect([error.code, error.fix]).toEqual(["image-not-found", "It has: other:v2, app:v1, (untagged)."]);
    expect((await failure(`${source}:app:v3`)).code).toBe("image-not-found");
    expect((await obtainImage(`${source}:docker.io/library/app:v1`, { dataRoot })).name).toBe("app:v1");
  });

  const broken: Record<string, [unknown, readonly TarEntry[]]> = {
    "no manifest.json that is JSON": ["{", plain],
    "a manifest of another shape": [{ Config: 5 }, plain],
    "a missing config": [[entry], plain.slice(1)],
    "a missing layer": [[entry], plain.slice(0, 1)],
    "a layer outside": [[{ ...entry, Layers: ["../../etc/passwd"] }], plain],
    "a config that does not fit": [[{ ...entry, Layers: ["l/layer.tar", "l/layer.tar"] }], plain],
    "a config of 20 MiB": [
      [entry],
      [{ name: "config.json", data: " ".repeat(20 << 20) }, plain[1] as TarEntry],
    ],
    "a layer with other content": [[entry], [plain[0] as TarEntry, { name: "l/layer.tar", data: "other" }]],
  };
  test.each(Object.entries(broken))("with %s are refused", async (_, [manifest, members]) => {
    expect((await failure(archive(manifest, members))).code).toMatch(
      /^(image-invalid|blob-digest-mismatch)$/,
    );
    expect(readdirSync(join(dataRoot, "content/ingest"))).toEqual([]);
  });

  test("cut off, or no archive, are refused", async () => {
    const path = join(dir, "cut.tar");
    writeFileSync(path, writeTar(plain).subarray(0, 1000));
    expect((await failure(`docker-archive:${path}`)).code).toMatch(/^(image-invalid|tar-truncated)$/);
    writeFileSync(path, gzipSync("no tar"));
    expect((await failure(`docker-archive:${path}`)).code).toMatch(/^(image-invalid|tar-invalid)$/);
    writeFileSync(path, gzipSync(writeTar(plain)).subarray(0, 50));
    expect((await failure(`docker-archive:${path}`)).code).toBe("layer-compression");
    expect(readdirSync(join(dataRoot, "content/ingest"))).toEqual([]);
  });
});

describe("layouts", () => {
  let image: BuiltImage;
  beforeEach(() => {
    image = buildImage(join(dir, "layout"), { layers: [[{ name: "a" }]] });
  });
  const blob = (digest: string) => join(image.dir, "blobs/sha256", digest.slice("sha256:".length));
  const rewriteIndex = (change: (index: { manifests: Record<string, unknown>[] }) => unknown): void => {
    const path = join(image.dir, "index.json");
    writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")))));
  };

  test("with an index of platforms within the index", async () => {
    rewriteIndex((index) => {
      const [entry] = index.manifests;
      const nested = JSON.stringify({
        schemaVersion: 2,
        manifests: [
          { ...entry, platform: { os: "linux", architecture: "sparc" } },
          { ...entry, platform: { os: "linux", architecture: process.arch === "x64" ? "amd64" : "arm64" } },
        ],
      });
      writeFileSync(blob(digestOf(nested)), nested);
      const mediaType = "application/vnd.oci.image.index.v1+json";
      return { ...index, manifests: [{ mediaType, digest: digestOf(nested), size: nested.length }] };
    });
    expect((await obtainImage(`oci:${image.dir}`, { dataRoot })).digest as string).toBe(image.manifestDigest);
  });

  test("with several images need a tag", async () => {
    rewriteIndex((index) => ({
      ...index,
      manifests: ["a", "b"].map((tag) => ({
        ...index.manifests[0],
        annotations: { "org.opencontainers.image.ref.name": tag },
      })),
    }));
    expect((await failure(`oci:${image.dir}`)).fix).toBe("It has: a, b.");
    expect((await obtainImage(`oci:${image.dir}:b`, { dataRoot })).layers.length).toBe(1);
  });

  test("that are damaged are refused", async () => {
    const manifest = readFileSync(blob(image.manifestDigest), "utf8");
    writeFileSync(blob(image.manifestDigest), `${manifest} `);
    expect((await failure(`oci:${image.dir}`)).message).toContain("is damaged");
    writeFileSync(blob(image.manifestDigest), manifest);
    rmSync(blob(image.configDigest));
    expect((await failure(`oci:${image.dir}`)).code).toBe("image-not-found");
    writeFileSync(join(image.dir, "index.json"), manifest);
    expect((await failure(`oci:${image.dir}`)).message).toContain("is no index");
    writeFileSync(join(image.dir, "index.json"), " ".repeat(5 << 20));
    expect((await failure(`oci:${image.dir}`)).message).toContain("larger than");
  });
});

test("a tarball that is cut off, or changes meanwhile, is refused", async () => {
  const path = join(dir, "root.tar");
  mkdirSync(dataRoot, { recursive: true });
  writeFileSync(path, writeTar([{ name: "a", data: "x".repeat(100_000) }]).subarray(0, 50_000));
  expect((await failure(`tar:${path}`)).code).toBe("tar-truncated");
  writeFileSync(path, writeTar([{ name: "a" }]).subarray(0, 512));
  expect((await failure(`tar:${path}`)).code).toBe("tar-truncated");
  const whole = writeTar([{ name: "a", data: Buffer.alloc(8 << 20, "a") }]);
  writeFileSync(path, whole);
  const changing = obtainImage(`tar:${path}`, {
    dataRoot,
    // its first piece was read again, the last ones were not
    progress: () => writeFileSync(path, whole.fill("b", whole.length - 100_000, whole.length - 50_000)),
  });
  expect((await changing.catch((error: unknown) => error)) as LxcriError).toMatchObject({
    code: "image-invalid",
  });
  expect(readdirSync(join(dataRoot, "overlay/staging"))).toEqual([]);
});
