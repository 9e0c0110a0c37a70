/**
 * Builds small images for tests, the demo and benchmarks, without Docker and without a network: layers given as
 * tar entries, a config, written as an OCI image layout that skopeo, umoci and our own code read.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type TarEntry, writeTar } from "./tar-writer.ts";

/** The `config` object of an OCI image config, as its specification names the fields. */
export interface TestImageConfig {
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly [other: string]: unknown;
}

/** What {@link buildImage} builds. */
export interface ImageSpec {
  /** Lowest first; a Buffer is a ready tar archive. */
  readonly layers: readonly (readonly TarEntry[] | Buffer)[];
  readonly config?: TestImageConfig;
  /** Name in the layout's index; default `latest`. */
  readonly tag?: string;
  readonly compression?: "gzip" | "zstd" | "none";
  /** Default `amd64` or `arm64`, as this machine is. */
  readonly architecture?: string;
}

/** What {@link buildImage} wrote. */
export interface BuiltImage {
  /** The layout's folder; `oci:<dir>:<tag>` names the image. */
  readonly dir: string;
  readonly tag: string;
  readonly manifestDigest: string;
  readonly configDigest: string;
  readonly layerDigests: readonly string[];
  readonly diffIds: readonly string[];
}

const sha256 = (data: Uint8Array): string => `sha256:${createHash("sha256").update(data).digest("hex")}`;

const MEDIA = {
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  none: "application/vnd.oci.image.layer.v1.tar",
} as const;

const compress = {
  gzip: (data: Buffer) => gzipSync(data, { level: 1 }),
  zstd: (data: Buffer) => zstdCompressSync(data),
  none: (data: Buffer) => data,
} as const;

/** Writes an OCI image layout to `dir` (made when missing, its index replaced). */
export function buildImage(dir: string, spec: ImageSpec): BuiltImage {
  const blobs = join(dir, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (data: Uint8Array): { digest: string; size: number } => {
    const digest = sha256(data);
    writeFileSync(join(blobs, digest.slice("sha256:".length)), data);
    return { digest, size: data.length };
  };
  const compression = spec.compression ?? "gzip";
  const tag = spec.tag ?? "latest";
  const tars = spec.layers.map((layer) => (Buffer.isBuffer(layer) ? layer : writeTar(layer as TarEntry[])));
  const diffIds = tars.map(sha256);
  const layers = tars.map((tar) => ({ mediaType: MEDIA[compression], ...put(compress[compression](tar)) }));
  const config = put(
    Buffer.from(
      JSON.stringify({
        architecture: spec.architecture ?? (process.arch === "arm64" ? "arm64" : "amd64"),
        os: "linux",
        config: spec.config ?? {},
        rootfs: { type: "layers", diff_ids: diffIds },
        history: tars.map(() => ({ created_by: "buildImage" })),
      }),
    ),
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = put(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
        layers,
      }),
    ),
  );
  writeFileSync(join(dir, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(
    join(dir, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{ mediaType, ...manifest, annotations: { "org.opencontainers.image.ref.name": tag } }],
    }),
  );
  return {
    dir,
    tag,
    manifestDigest: manifest.digest,
    configDigest: config.digest,
    layerDigests: layers.map((layer) => layer.digest),
    diffIds,
  };
}

const FOLDERS = "bin dev etc home lib proc root run sbin sys usr usr/bin usr/sbin var var/log".split(" ");

/** The entries of a root file system with Debian's static busybox and a hard link per applet. */
export function busyboxEntries(): TarEntry[] {
  const applets = new TextDecoder().decode(Bun.spawnSync(["/bin/busybox", "--list"]).stdout);
  return [
    ...FOLDERS.map(
      (name): TarEntry => ({ name: `${name}/`, type: "5", mode: name === "root" ? 0o700 : 0o755 }),
    ),
    { name: "tmp/", type: "5", mode: 0o1777 },
    { name: "bin/busybox", data: readFileSync("/bin/busybox"), mode: 0o755 },
    ...applets
      .split("\n")
      .filter((name) => name !== "" && name !== "busybox")
      .map((name): TarEntry => ({ name: `bin/${name}`, type: "1", link: "bin/busybox", mode: 0o755 })),
    {
      name: "etc/passwd",
      data: "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    },
    { name: "etc/group", data: "root:x:0:\nwww-data:x:33:\nusers:x:100:nobody\nnogroup:x:65534:\n" },
    { name: "etc/shadow", data: "root:*::0:::::\n", mode: 0o640 },
  ];
}

/** What {@link buildBusyboxImage} adds to the plain busybox image. */
export interface BusyboxImage {
  readonly config?: TestImageConfig;
  /** Files of a second layer: path without leading slash → content. */
  readonly extraFiles?: Readonly<Record<string, string>>;
  readonly tag?: string;
}

/** An OCI layout of busybox-static: PATH set, `sh` as command, `extraFiles` (mode 0755) in a second layer. */
export function buildBusyboxImage(dir: string, options: BusyboxImage = {}): BuiltImage {
  const extra = Object.entries(options.extraFiles ?? {});
  return buildImage(dir, {
    layers: [
      busyboxEntries(),
      ...(extra.length === 0 ? [] : [extra.map(([name, data]): TarEntry => ({ name, data, mode: 0o755 }))]),
    ],
    config: {
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      Cmd: ["sh"],
      ...options.config,
    },
    ...(options.tag === undefined ? {} : { tag: options.tag }),
  });
}
