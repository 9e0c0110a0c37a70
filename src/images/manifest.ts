/**
 * Image indexes, manifests and configs, OCI and Docker schema 2, checked where they come in. Pure. Image spec:
 * image-index.md, manifest.md, config.md.
 */
import { LxcriError, messageOf } from "../host/errors.ts";
import type { Digest } from "../spec/digest.ts";
import { isDigest } from "../spec/digest.ts";
import { Findings, faultText } from "../spec/faults.ts";
import { integer, text } from "../spec/scalars.ts";
import { array, map, object, type Shape, strings, wrongType } from "../spec/shape.ts";
import { formatPlatform, type Platform, suitability } from "./platform.ts";

/** Points to a blob. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Index {
  readonly kind: "index";
  readonly manifests: readonly Descriptor[];
}

export interface Manifest {
  readonly kind: "manifest";
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
}

/** How a container of the image runs if nothing else is said; the names are the spec's. */
export interface ImageConfig {
  readonly Env: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly User: string;
  readonly WorkingDir: string;
  readonly StopSignal?: string;
  readonly Labels: Readonly<Record<string, string>>;
  /** Paths. */
  readonly Volumes: readonly string[];
  /** `80/tcp` */
  readonly ExposedPorts: readonly string[];
  readonly Healthcheck?: Healthcheck;
}

/** Docker's extension; times in nanoseconds. */
export interface Healthcheck {
  /** `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", script]`. */
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** The config blob. */
export interface ImageDescription {
  readonly platform: Platform;
  readonly config: ImageConfig;
  /** Digests of the unpacked layers, lowest first. */
  readonly diffIds: readonly Digest[];
}

/** What a config has without saying so. */
export const EMPTY_CONFIG: ImageConfig = {
  Env: [],
  User: "",
  WorkingDir: "",
  Labels: {},
  Volumes: [],
  ExposedPorts: [],
};

/** What images made of whole systems, such as CT templates, run. */
export const SYSTEM_CONFIG = { Cmd: ["/sbin/init"], StopSignal: "SIGRTMIN+3" } as const;

/** Label whose value `system` says that an image brings its own init. */
export const KIND_LABEL = "io.proxmox-lxcri.kind";

export const MEDIA_TYPES = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
} as const;

/** Largest manifest or index that is read, bytes; as the distribution spec asks of registries. */
export const MAX_MANIFEST = 4 * 2 ** 20;
/** Largest config that is read, bytes. */
export const MAX_CONFIG = 16 * 2 ** 20;
/** No image in use has more layers than Docker makes. */
const MAX_LAYERS = 500;

/** What came from outside is no image. Codes: `image-invalid`, `image-unsupported`, `image-platform`. */
export class ImageError extends LxcriError {}

const digest: Shape<Digest> = (value, path, findings) =>
  isDigest(value) ? value : findings.fault(path, "must be sha256: and 64 hex digits");
const size = integer(0, Number.MAX_SAFE_INTEGER);
const anyKey = (): void => {};
const emptyObject: Shape<true> = (value, path, findings) =>
  typeof value === "object" ? true : wrongType(value, path, findings, "an object");

const platform: Shape<Platform> = object<Platform>({
  required: { os: text, architecture: text },
  optional: { variant: text },
  open: true,
});

const descriptor: Shape<Descriptor> = object<Descriptor>({
  required: { mediaType: text, digest, size },
  optional: { platform, annotations: map(text, anyKey) },
  open: true,
});

const index = object<{ manifests: readonly Descriptor[] }>({
  required: { manifests: array(descriptor) },
  optional: {},
  open: true,
});

const manifest = object<{ config: Descriptor; layers: readonly Descriptor[] }>({
  required: { config: descriptor, layers: array(descriptor) },
  optional: {},
  open: true,
});

interface RawConfig {
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly Volumes?: Readonly<Record<string, true>>;
  readonly ExposedPorts?: Readonly<Record<string, true>>;
  readonly Healthcheck?: Healthcheck;
}

const nanoseconds = integer(0, Number.MAX_SAFE_INTEGER);

const rawConfig = object<RawConfig>({
  required: {},
  optional: {
    Env: strings(text),
    Entrypoint: strings(text),
    Cmd: strings(text),
    User: text,
    WorkingDir: text,
    StopSignal: text,
    Labels: map(text, anyKey),
    Volumes: map(emptyObject, anyKey),
    ExposedPorts: map(emptyObject, anyKey),
    Healthcheck: object<Healthcheck>({
      required: {},
      optional: {
        Test: strings(text),
        Interval: nanoseconds,
        Timeout: nanoseconds,
        StartPeriod: nanoseconds,
        StartInterval: nanoseconds,
        Retries: integer(0, 2 ** 31),
      },
      open: true,
    }),
  },
  open: true,
});

const rootfs = object<{ diff_ids: readonly Digest[] }>({
  required: { diff_ids: array(digest) },
  optional: {},
  open: true,
});

interface RawDescription {
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
  readonly config?: RawConfig;
  readonly rootfs: { readonly diff_ids: readonly Digest[] };
}

const description = object<RawDescription>({
  required: { rootfs },
  optional: { os: text, architecture: text, variant: text, config: rawConfig },
  open: true,
});

function check<T>(shape: Shape<T>, value: unknown, source: string, what: string): T {
  const findings = new Findings(source);
  const checked = shape(value, "", findings);
  if (checked !== undefined && findings.faults.length === 0) return checked;
  throw new ImageError("image-invalid", `${what}: ${findings.faults.slice(0, 10).map(faultText).join("; ")}`);
}

function parseJson(bytes: Uint8Array, what: string): { value: Record<string, unknown>; source: string } {
  const source = new TextDecoder().decode(bytes);
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (cause) {
    throw new ImageError("image-invalid", `${what}: no JSON: ${messageOf(cause)}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ImageError("image-invalid", `${what}: must be an object`);
  }
  return { value: value as Record<string, unknown>, source };
}

/**
 * An index or a manifest, told apart by what it holds; a document that is both is refused, since others may read
 * it the other way.
 * @param what names it in messages
 * @throws ImageError `image-invalid`, `image-unsupported`
 */
export function parseManifest(bytes: Uint8Array, what: string): Index | Manifest {
  const { value, source } = parseJson(bytes, what);
  if (value.schemaVersion === 1 || "fsLayers" in value) {
    throw new ImageError("image-unsupported", `${what}: Docker's schema 1 is not supported`, {
      fix: "Push the image again with a current tool.",
    });
  }
  const isIndex = "manifests" in value;
  if (isIndex && ("layers" in value || "config" in value)) {
    throw new ImageError("image-invalid", `${what}: is index and manifest at once`);
  }
  const said = value.mediaType;
  const types: readonly unknown[] = isIndex
    ? [MEDIA_TYPES.index, MEDIA_TYPES.dockerIndex]
    : [MEDIA_TYPES.manifest, MEDIA_TYPES.dockerManifest];
  if (said !== undefined && said !== "" && !types.includes(said)) {
    throw new ImageError("image-unsupported", `${what}: media type ${JSON.stringify(said)} is no image's`);
  }
  if (isIndex) return { kind: "index", ...check(index, value, source, what) };
  const checked = check(manifest, value, source, what);
  if (checked.layers.length > MAX_LAYERS) {
    throw new ImageError("image-invalid", `${what}: ${checked.layers.length} layers, at most ${MAX_LAYERS}`);
  }
  return { kind: "manifest", ...checked };
}

/** A config blob; its layers must match the manifest's in number. @throws ImageError `image-invalid` */
export function parseConfig(bytes: Uint8Array, layers: number, what: string): ImageDescription {
  const { value, source } = parseJson(bytes, what);
  const raw = check(description, value, source, what);
  const diffIds = raw.rootfs.diff_ids;
  if (diffIds.length !== layers) {
    throw new ImageError("image-invalid", `${what}: ${diffIds.length} diff_ids for ${layers} layers`);
  }
  const { Volumes = {}, ExposedPorts = {}, ...rest } = raw.config ?? {};
  return {
    platform: {
      os: raw.os || "linux",
      architecture: raw.architecture ?? "",
      ...(raw.variant === undefined || raw.variant === "" ? {} : { variant: raw.variant }),
    },
    config: {
      ...EMPTY_CONFIG,
      ...rest,
      Volumes: Object.keys(Volumes),
      ExposedPorts: Object.keys(ExposedPorts),
    },
    diffIds,
  };
}

/**
 * The manifest for a platform. Entries that are no images (attestations, `unknown/unknown`) never suit.
 * @throws ImageError `image-platform` listing what there is
 */
export function selectManifest(from: Index, wanted: Platform, what: string): Descriptor {
  const candidates = from.manifests
    .map((entry) => ({
      entry,
      score: entry.platform === undefined ? 0.5 : suitability(entry.platform, wanted),
    }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
  const best = candidates[0];
  if (best !== undefined) return best.entry;
  const offered = from.manifests.flatMap((entry) => (entry.platform ? [formatPlatform(entry.platform)] : []));
  throw new ImageError(
    "image-platform",
    `${what}: not made for ${formatPlatform(wanted)}; there is ${offered.join(", ") || "nothing"}`,
  );
}
