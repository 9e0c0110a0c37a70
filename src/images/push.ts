/** Sends images to registries: from this data root, or straight from an OCI image layout. */
import { resolve } from "node:path";
import { LxcriError } from "../host/errors.ts";
import { type Digest, digestOf } from "../spec/digest.ts";
import { readDocuments } from "./catalog.ts";
import { ContentStore } from "./content/content-store.ts";
import { Lease } from "./lease.ts";
import { type Descriptor, type Manifest, MEDIA_TYPES } from "./manifest.ts";
import { ImageNames } from "./names.ts";
import { hostPlatform } from "./platform.ts";
import { parseImageSource, parseReference, type Reference } from "./reference.ts";
import type { RegistrySettings } from "./registry/client.ts";
import { type PushedBlob, RegistryUploader } from "./registry/upload.ts";
import { findInLayout, referrersInLayout } from "./sources/layout.ts";

/** How far a blob is. */
export interface PushProgress {
  readonly digest: Digest;
  readonly done: number;
  readonly total: number;
  /** Once it is there. */
  readonly how?: PushedBlob;
}

/** How {@link pushImage} works. */
export interface PushOptions extends RegistrySettings {
  readonly dataRoot: string;
  readonly progress?: (event: PushProgress) => void;
  readonly signal?: AbortSignal;
}

/** What was pushed. */
export interface Pushed {
  readonly digest: Digest;
  /** Digests of what refers to it, signatures for example, and was pushed along. */
  readonly referrers: readonly Digest[];
}

/** Blobs on their way at a time. */
const PARALLEL = 3;

/** A manifest and where its blobs are. */
interface Shipment {
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
  read(blob: Descriptor): AsyncIterable<Uint8Array>;
}

/**
 * @param source a local image, or `oci:DIR[:TAG]`, which goes with what refers to it
 * @param destination a reference
 * @throws LxcriError `image-not-found`, `blob-missing`; RegistryError
 */
export async function pushImage(source: string, destination: string, options: PushOptions): Promise<Pushed> {
  const reference = parseReference(destination);
  const uploader = new RegistryUploader(reference, options);
  const parsed = parseImageSource(source);
  if (parsed.kind === "oci") {
    const found = findInLayout(resolve(parsed.path), parsed.tag, hostPlatform());
    const read = (blob: Descriptor): AsyncIterable<Uint8Array> => found.blob(blob)(0, () => {});
    const bytes = found.documents.at(-1);
    if (bytes === undefined) throw new LxcriError("image-invalid", `${source}: has no manifest`);
    await ship({ bytes, manifest: found.manifest, read }, reference, uploader, options);
    const referrers = referrersInLayout(resolve(parsed.path), found.digest);
    for (const { document, manifest } of referrers) {
      const { registry, repository } = reference;
      const digest = digestOf(document);
      await ship({ bytes: document, manifest, read }, { registry, repository, digest }, uploader, options);
    }
    return { digest: found.digest, referrers: referrers.map(({ document }) => digestOf(document)) };
  }
  if (parsed.kind !== "registry") {
    throw new LxcriError("image-not-found", `${source}: only local images and oci: layouts are pushed`, {
      fix: `Import it first: proxmox-lxcri image import ${source} NAME`,
    });
  }
  const [image] = new ImageNames(options.dataRoot).find(source);
  if (image === undefined) throw new LxcriError("image-not-found", `${source}: is not in this data root`);
  using lease = new Lease(options.dataRoot);
  await lease.protect(image.blobs.map(({ digest }) => digest));
  const store = new ContentStore(options.dataRoot);
  const { manifestBytes, manifest } = readDocuments(options.dataRoot, image);
  const read = (blob: Descriptor): AsyncIterable<Uint8Array> => store.verified(blob);
  await ship({ bytes: manifestBytes, manifest, read }, reference, uploader, options);
  return { digest: image.manifest, referrers: [] };
}

/** Blobs first, as a registry refuses a manifest whose blobs it lacks. */
async function ship(
  shipment: Shipment,
  reference: Reference,
  uploader: RegistryUploader,
  options: PushOptions,
): Promise<void> {
  const { manifest, bytes } = shipment;
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  const blobs = new Map([...manifest.layers, manifest.config].map((blob) => [blob.digest, blob]));
  const waiting = blobs.values();
  const worker = async (): Promise<void> => {
    for (const blob of waiting) {
      const report = (done: number, how?: PushedBlob): void =>
        options.progress?.({
          digest: blob.digest,
          done,
          total: blob.size,
          ...(how === undefined ? {} : { how }),
        });
      const local = { digest: blob.digest, size: blob.size, read: () => shipment.read(blob) };
      const from = neighbour(options.dataRoot, reference, blob.digest);
      report(blob.size, await uploader.blob(local, from, report, signal));
    }
  };
  const ended = await Promise.allSettled(
    Array.from({ length: PARALLEL }, () =>
      worker().catch((error: unknown) => {
        stop.abort(error);
        throw error;
      }),
    ),
  );
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const result of ended) if (result.status === "rejected") throw result.reason;
  const { mediaType } = JSON.parse(new TextDecoder().decode(bytes)) as { mediaType?: string };
  const name = reference.digest ?? reference.tag ?? "latest";
  await uploader.manifest(bytes, mediaType ?? MEDIA_TYPES.manifest, name, options.signal);
}

/** Another repository of the registry that this blob came from, as far as names tell. */
function neighbour(
  dataRoot: string,
  { registry, repository }: Reference,
  digest: Digest,
): string | undefined {
  for (const image of new ImageNames(dataRoot).list()) {
    const other = parseReference(image.name);
    if (other.registry !== registry || other.repository === repository) continue;
    if (image.blobs.some((blob) => blob.digest === digest)) return other.repository;
  }
  return undefined;
}
