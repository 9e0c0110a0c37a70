import { describe, expect, test } from "bun:test";
import { digestOf, parseDigest } from "../spec/digest.ts";
import { type Index, parseConfig, parseManifest, selectManifest } from "./manifest.ts";
import { formatPlatform, hostPlatform, type Platform, suitability } from "./platform.ts";

const digest = digestOf("x");
const descriptor = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: 1 };
const bytes = (value: unknown): Uint8Array =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

describe("manifests", () => {
  test("of OCI and Docker, with fields nobody knows", () => {
    for (const mediaType of [
      undefined,
      "application/vnd.oci.image.manifest.v1+json",
      "application/vnd.docker.distribution.manifest.v2+json",
    ]) {
      const manifest = {
        schemaVersion: 2,
        mediaType,
        config: descriptor,
        layers: [descriptor],
        extra: { a: 1 },
      };
      expect(parseManifest(bytes(manifest), "m")).toMatchObject({ kind: "manifest", layers: [descriptor] });
    }
    expect(parseManifest(bytes({ manifests: [descriptor] }), "m").kind).toBe("index");
  });

  const refused: Record<string, [unknown, string]> = {
    "no JSON": ["{", "no JSON"],
    "a list": [[], "must be an object"],
    "schema 1": [{ schemaVersion: 1, fsLayers: [] }, "schema 1"],
    "both at once": [{ manifests: [], layers: [], config: descriptor }, "index and manifest at once"],
    "another media type": [
      { mediaType: "application/vnd.oci.image.index.v1+json", config: descriptor, layers: [] },
      "is no image's",
    ],
    "no layers": [{ config: descriptor }, "layers: is required"],
    "a digest that is a path": [
      { config: { ...descriptor, digest: "sha256:../../etc/passwd" }, layers: [] },
      "config.digest: must be sha256",
    ],
    "a negative size": [{ config: { ...descriptor, size: -1 }, layers: [] }, "config.size"],
    "a size that is text": [{ config: descriptor, layers: [{ ...descriptor, size: "1" }] }, "layers[0].size"],
    "501 layers": [{ config: descriptor, layers: Array(501).fill(descriptor) }, "at most 500"],
  };
  test.each(Object.entries(refused))("%s is refused", (_, [value, message]) => {
    expect(() => parseManifest(bytes(value), "the manifest")).toThrow(message);
    expect(() => parseManifest(bytes(value), "the manifest")).toThrow("the manifest");
  });
});

describe("configs", () => {
  test("whole, with null where Docker writes it", () => {
    const config = {
      architecture: "arm64",
      os: "linux",
      variant: "v8",
      config: {
        Env: null,
        Entrypoint: ["/init"],
        Cmd: null,
        Volumes: { "/data": {} },
        ExposedPorts: { "80/tcp": {}, "53/udp": null },
        Labels: { __proto__: "x", b: "c" },
        Healthcheck: { Test: ["CMD", "true"], Interval: 30_000_000_000, Retries: 3 },
        OnBuild: null,
      },
      rootfs: { type: "layers", diff_ids: [digest] },
    };
    const parsed = parseConfig(bytes(config), 1, "c");
    expect(parsed.platform).toEqual({ os: "linux", architecture: "arm64", variant: "v8" });
    expect(parsed.config).toMatchObject({
      Env: [],
      Entrypoint: ["/init"],
      User: "",
      Volumes: ["/data"],
      ExposedPorts: ["80/tcp", "53/udp"],
      Healthcheck: { Test: ["CMD", "true"], Interval: 30_000_000_000, Retries: 3 },
    });
    expect(parsed.config.Cmd).toBeUndefined();
  });

  test("with as little as can be", () => {
    const parsed = parseConfig(bytes({ rootfs: { diff_ids: [] } }), 0, "c");
    expect(parsed).toMatchObject({ platform: { os: "linux", architecture: "" }, diffIds: [] });
  });

  test.each([
    [{ rootfs: { diff_ids: [digest] } }, "1 diff_ids for 2 layers"],
    [{ rootfs: { diff_ids: ["x", "y"] } }, "rootfs.diff_ids[0]"],
    [{ rootfs: { diff_ids: [digest, digest] }, config: { Env: "A=b" } }, "config.Env: must be an array"],
    [{ rootfs: { diff_ids: [digest, digest] }, config: { Cmd: ["a\0b"] } }, "config.Cmd[0]"],
    [{ rootfs: { diff_ids: [digest, digest] }, config: { Volumes: { a: 5 } } }, "must be an object"],
    [{}, "rootfs: is required"],
  ])("%p is refused", (value, message) => {
    expect(() => parseConfig(bytes(value), 2, "c")).toThrow(message);
  });
});

describe("platforms", () => {
  const index = (...platforms: (Platform | undefined)[]): Index => ({
    kind: "index",
    manifests: platforms.map((platform, i) => ({
      mediaType: "m",
      digest: digestOf(String(i)),
      size: 1,
      ...(platform === undefined ? {} : { platform }),
    })),
  });
  const linux = (architecture: string, variant?: string): Platform => ({
    os: "linux",
    architecture,
    ...(variant === undefined ? {} : { variant }),
  });
  const chosen = (from: Index, wanted: Platform): number =>
    from.manifests.indexOf(selectManifest(from, wanted, "i"));

  test("the machine's own is chosen, with the best variant that it can run", () => {
    const many = index(
      linux("unknown"),
      linux("arm", "v6"),
      linux("arm", "v7"),
      linux("amd64", "v3"),
      linux("amd64"),
    );
    expect(chosen(many, linux("amd64"))).toBe(4);
    expect(chosen(many, linux("amd64", "v3"))).toBe(3);
    expect(chosen(many, linux("amd64", "v2"))).toBe(4);
    expect(chosen(many, linux("arm", "v7"))).toBe(2);
    expect(chosen(many, linux("arm", "v6"))).toBe(1);
    expect(chosen(index(linux("arm64", "v8"), linux("amd64")), linux("arm64"))).toBe(0);
    expect(chosen(index(undefined), linux("amd64"))).toBe(0);
  });

  test("none is told with what there is", () => {
    const many = index(linux("arm", "v7"), { os: "windows", architecture: "amd64" });
    expect(() => selectManifest(many, linux("amd64"), "the image")).toThrow(
      "the image: not made for linux/amd64; there is linux/arm/v7, windows/amd64",
    );
    expect(() => selectManifest(index(), linux("amd64"), "i")).toThrow("there is nothing");
    expect(suitability(linux("riscv64", "rva22"), linux("riscv64"))).toBe(0);
  });

  test("this machine has one", () => {
    expect(formatPlatform(hostPlatform())).toMatch(/^linux\/(amd64|arm64)$/);
  });
});

test("digests are sha256 only", () => {
  expect(parseDigest(digest, "x")).toBe(digest);
  for (const bad of [5, "", "sha512:00", `sha256:${"A".repeat(64)}`, `${digest}/..`])
    expect(() => parseDigest(bad, "the field")).toThrow("the field: not a sha256 digest");
});
