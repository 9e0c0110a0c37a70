/** What is known of the images of a data root: for listing, looking at and removing them. */
import { readFileSync } from "node:fs";
import { isMissing } from "../host/errors.ts";
import { type Digest, digestOf } from "../spec/digest.ts";
import { openStorage } from "../storage/storage.ts";
import { ContentError, ContentStore } from "./content/content-store.ts";
import { type Manifest, parseManifest } from "./manifest.ts";
import { ImageNames, type NamedImage, nameOf } from "./names.ts";
import { formatReference, parseReference } from "./reference.ts";

/** One image, whatever number of names it has. */
export interface ImageEntry {
  readonly id: Digest;
  /** With tags. */
  readonly tags: readonly string[];
  /** `repository@digest`, as registries have it. */
  readonly digests: readonly string[];
  readonly platform: string;
  /** Bytes of its blobs, and of its layers when unpacked; also what it shares with others. */
  readonly size: number;
  /** RFC 3339: when it came. */
  readonly since: string;
  /** Containers made from it. */
  readonly containers: readonly string[];
}

/** All images; the one that came last first. */
export function listImages(dataRoot: string): ImageEntry[] {
  const byId = Map.groupBy(new ImageNames(dataRoot).list(), ({ id }) => id);
  const driver = openStorage(dataRoot);
  const sizes = new Map(driver.layers().map(({ chainId, size }) => [chainId, size]));
  const snapshots = driver.list();
  const entries = [...byId].flatMap(([id, named]): (ImageEntry & { readonly at: number })[] => {
    const first = named[0];
    if (first === undefined) return [];
    const blobs = new Map(named.flatMap(({ blobs }) => blobs.map(({ digest, size }) => [digest, size])));
    const layers = first.layers.reduce((sum, layer) => sum + (sizes.get(layer) ?? 0), 0);
    const top = first.layers.at(-1);
    const at = Math.min(...named.map(({ since }) => since));
    return [
      {
        id,
        tags: named.map(({ name }) => name).filter((name) => !name.includes("@")),
        digests: [...new Set(named.map(registryDigest))],
        platform: first.platform,
        size: [...blobs.values()].reduce((sum, size) => sum + size, layers),
        since: new Date(at).toISOString(),
        containers: snapshots.filter((each) => each.layers.at(-1) === top).map((each) => each.id),
        at,
      },
    ];
  });
  return entries.sort((a, b) => b.at - a.at).map(({ at: _, ...entry }) => entry);
}

function registryDigest({ name, target }: NamedImage): string {
  const { registry, repository } = parseReference(name);
  return formatReference({ registry, repository, digest: target });
}

/** An image's own documents. */
export interface ImageDocuments {
  readonly manifestBytes: Uint8Array;
  readonly manifest: Manifest;
  /** The config as it is, checked only for being JSON. */
  readonly config: RawConfig;
}

/** What the commands show of a config. */
export interface RawConfig {
  readonly created?: string;
  readonly history?: readonly {
    readonly created?: string;
    readonly created_by?: string;
    readonly comment?: string;
    readonly empty_layer?: boolean;
  }[];
  readonly [key: string]: unknown;
}

/** @throws ContentError `blob-missing`, `blob-digest-mismatch`; ImageError */
export function readDocuments(dataRoot: string, image: NamedImage): ImageDocuments {
  const store = new ContentStore(dataRoot);
  const manifestBytes = readBlob(store, image.manifest);
  const manifest = parseManifest(manifestBytes, `${image.name}, manifest ${image.manifest}`);
  if (manifest.kind !== "manifest") {
    throw new ContentError("blob-digest-mismatch", `${image.name}: ${image.manifest} is no manifest`);
  }
  const config = JSON.parse(new TextDecoder().decode(readBlob(store, image.id))) as RawConfig;
  return { manifestBytes, manifest, config };
}

function readBlob(store: ContentStore, digest: Digest): Uint8Array {
  const fix = "Pull the image again.";
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(store.pathOf(digest));
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new ContentError("blob-missing", `blob ${digest}: is not in this data root`, { cause, fix });
  }
  if (digestOf(bytes) === digest) return bytes;
  store.drop(digest);
  throw new ContentError("blob-digest-mismatch", `blob ${digest}: is damaged on disk`, { fix });
}

/** Gives an image one more name. @throws LxcriError `image-not-found`, `reference-invalid` */
export function tagImage(dataRoot: string, image: string, name: string): string {
  const names = new ImageNames(dataRoot);
  const [found] = names.find(image);
  const full = nameOf(parseReference(name));
  if (found !== undefined) names.put({ ...found, name: full, since: Date.now() });
  return full;
}

/**
 * Takes names away: the one that is given, or all of an image that is given by its id or digest. What no name stands
 * for any more is left to the garbage collection.
 * @returns the names
 * @throws LxcriError `image-not-found`
 */
export function untagImage(dataRoot: string, image: string): string[] {
  const names = new ImageNames(dataRoot);
  return names
    .find(image)
    .map(({ name }) => name)
    .filter((name) => names.remove(name));
}
