/**
 * The images room's main door: from a source to an image whose layers are unpacked. Calls storage, spec and host. All
 * state is on disk; processes that obtain the same image at once share the work, layer by layer.
 */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { isMissing, LxcriError } from "../host/errors.ts";
import { chainIds, type Digest, digestOf, Hasher } from "../spec/digest.ts";
import { openStorage } from "../storage/storage.ts";
import { ContentStore, fileSource } from "./content/content-store.ts";
import { readTemplate } from "./convert.ts";
import { Lease } from "./lease.ts";
import {
  EMPTY_CONFIG,
  type ImageConfig,
  type ImageDescription,
  ImageError,
  KIND_LABEL,
  MAX_CONFIG,
  parseConfig,
  SYSTEM_CONFIG,
} from "./manifest.ts";
import { ImageNames, type NamedImage, nameOf, type OwnedBlob } from "./names.ts";
import { formatPlatform, hostPlatform, type Platform, suitability } from "./platform.ts";
import { type ImageSource, parseImageSource, parseReference } from "./reference.ts";
import type { RegistrySettings } from "./registry/client.ts";
import { admitSource } from "./signatures/admission.ts";
import { openDockerArchive } from "./sources/docker-archive.ts";
import type { FoundImage } from "./sources/found-image.ts";
import { findInLayout } from "./sources/layout.ts";
import { openOciArchive } from "./sources/oci-archive.ts";
import { findInRegistry } from "./sources/registry-source.ts";
import { countLookup } from "./tag-cache.ts";
import { type ImageProgress, unpackImage } from "./unpack/unpack-image.ts";
import { unpackLayer } from "./unpack/unpack-layer.ts";

/** How {@link obtainImage} works. */
export interface ObtainOptions extends RegistrySettings {
  /** Absolute; see DEFAULT_DATA_ROOT of the storage room. */
  readonly dataRoot: string;
  /** Default: this machine's. */
  readonly platform?: Platform;
  readonly progress?: (event: ImageProgress) => void;
  /**
   * Keep the image under this name; default: the reference, for images of registries. A tarball that is to be kept
   * becomes an image of one layer.
   */
  readonly name?: string;
  /** Without `name`: keep the image under the name that its archive or layout has for it. */
  readonly keep?: boolean;
  /** Fetch all of the image's blobs, so that it can go elsewhere; default: what its layers need. */
  readonly complete?: boolean;
  /** ms for which a tag is believed to stand for what it stood for; default 0. */
  readonly tagLifetime?: number;
  /** Keeps the image from being collected; default: one that lasts as long as the process. */
  readonly lease?: Lease;
  /** Default: the one of containers-policy.json(5). */
  readonly policyFile?: string;
  readonly signal?: AbortSignal;
}

/** An image that is ready to run. */
export interface Image {
  /** A full reference, or the source as it was typed. */
  readonly name: string;
  /** Of its manifest; of the file for a tarball. */
  readonly digest: Digest;
  /** Of its config; of the file for a tarball. */
  readonly id: Digest;
  readonly config: ImageConfig;
  /** Chain ids, topmost last: what the storage room's `prepare` takes. */
  readonly layers: readonly Digest[];
  /** `system` images bring their own init. */
  readonly kind: "application" | "system";
}

interface Context {
  readonly options: ObtainOptions;
  readonly store: ContentStore;
  readonly platform: Platform;
  readonly lease: Lease;
}

/** By data root; the kernel ends them with the process. */
const processLeases = new Map<string, Lease>();

function processLease(dataRoot: string): Lease {
  const lease = processLeases.get(dataRoot) ?? new Lease(dataRoot);
  processLeases.set(dataRoot, lease);
  return lease;
}

/**
 * Gets an image that is to stay here: with all its blobs, under a name, which keeps it from then on.
 * @throws as {@link obtainImage}
 */
export async function pullImage(
  source: string | ImageSource,
  options: Omit<ObtainOptions, "complete" | "keep" | "lease">,
): Promise<Image> {
  using lease = new Lease(options.dataRoot);
  return await obtainImage(source, { ...options, lease, complete: true, keep: true });
}

/**
 * Gets an image: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:TAG]`, `tar:FILE` or a registry
 * reference; only what is missing is fetched and unpacked.
 * @throws LxcriError with the code of whatever part failed; nothing half is left that a next try would trust
 */
export async function obtainImage(source: string | ImageSource, options: ObtainOptions): Promise<Image> {
  const parsed = typeof source === "string" ? parseImageSource(source) : source;
  const context = {
    options,
    store: new ContentStore(options.dataRoot),
    platform: options.platform ?? hostPlatform(),
    lease: options.lease ?? processLease(options.dataRoot),
  };
  try {
    const image = await obtainFrom(parsed, context);
    context.store.removeStale();
    return image;
  } catch (error) {
    if (!isMissing(error) || parsed.kind === "registry") throw error;
    throw new LxcriError("image-not-found", `${parsed.kind}:${parsed.path}: no such file or folder`, {
      cause: error,
    });
  }
}

async function obtainFrom(source: ImageSource, context: Context): Promise<Image> {
  const { options, store, platform, lease } = context;
  const checkSignatures = admitSource(source, options);
  switch (source.kind) {
    case "oci":
      return obtainFound(findInLayout(resolve(source.path), source.tag, platform), context);
    case "oci-archive":
    case "docker-archive": {
      const path = resolve(source.path);
      const archive =
        source.kind === "oci-archive"
          ? await openOciArchive(path, source.tag, platform, store)
          : await openDockerArchive(path, source.tag, store);
      try {
        return await obtainFound(archive.image, context);
      } finally {
        archive.close();
      }
    }
    case "registry": {
      const { reference } = source;
      const name = nameOf(options.name === undefined ? reference : parseReference(options.name));
      const known = recentTarget(name, options);
      const found = await findInRegistry(reference, {
        platform,
        store,
        lease,
        settings: options,
        ...(known === undefined ? {} : { known }),
        admit: checkSignatures,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      return obtainFound(found, { ...context, options: { ...options, name } }, known !== undefined);
    }
    case "tar": {
      const path = resolve(source.path);
      if (options.name === undefined) return obtainTarball(path, context);
      const converted = await readTemplate(path, store, options.signal);
      try {
        return await obtainFound(converted.image, context);
      } finally {
        converted.close();
      }
    }
  }
}

/** What the tag stood for when it was last asked for, unless that was too long ago. */
function recentTarget(name: string, { dataRoot, tagLifetime = 0 }: ObtainOptions): Digest | undefined {
  if (tagLifetime <= 0) return undefined;
  const record = new ImageNames(dataRoot).get(name);
  const age = Date.now() - (record?.checked ?? 0);
  const recent = record !== undefined && age >= 0 && age < tagLifetime;
  countLookup(recent);
  return recent ? record.target : undefined;
}

async function obtainFound(found: FoundImage, context: Context, cached = false): Promise<Image> {
  const { options, store, platform, lease } = context;
  const { signal } = options;
  const { manifest } = found;
  const documents = found.documents.map((bytes) => ({ digest: digestOf(bytes), size: bytes.length, bytes }));
  const blobs: OwnedBlob[] = [...documents, manifest.config, ...manifest.layers].map(({ digest, size }) => ({
    digest,
    size,
  }));
  await lease.protect(
    blobs.map(({ digest }) => digest),
    signal,
  );
  const description = await readConfig(found, context);
  const offered = description.platform;
  if (offered.architecture !== "" && suitability(offered, platform) === 0) {
    throw new ImageError(
      "image-platform",
      `${found.name}: made for ${formatPlatform(offered)}, not for ${formatPlatform(platform)}`,
    );
  }
  const chain = chainIds(description.diffIds);
  await lease.protect(chain, signal);
  const layers = manifest.layers.flatMap((descriptor, i) => {
    const diffId = description.diffIds[i];
    return diffId === undefined ? [] : [{ descriptor, diffId, source: found.blob(descriptor) }];
  });
  await unpackImage(layers, chain, {
    store,
    driver: openStorage(options.dataRoot),
    progress: options.progress ?? (() => {}),
    ...(options.complete === undefined ? {} : { complete: options.complete }),
    ...(signal === undefined ? {} : { signal }),
  });
  const id = manifest.config.digest;
  const name = options.name ?? (options.keep === true ? ownNameOf(found) : undefined);
  if (name !== undefined) {
    for (const { bytes, ...blob } of documents) {
      await store.ensure(blob, async function* () {
        yield bytes;
      });
    }
    const facts = {
      target: found.target,
      manifest: found.digest,
      id,
      platform: formatPlatform(offered.architecture === "" ? platform : offered),
      blobs,
      layers: chain,
    };
    record(nameOf(parseReference(name)), facts, new ImageNames(options.dataRoot), cached);
  }
  return {
    name: found.name,
    digest: found.digest,
    id,
    config: description.config,
    layers: chain,
    kind: description.config.Labels[KIND_LABEL] === "system" ? "system" : "application",
  };
}

function ownNameOf({ name, ownName }: FoundImage): string {
  if (ownName !== undefined) return ownName;
  throw new LxcriError("image-name-missing", `${name}: has no name of its own`, { fix: "Give it a name." });
}

/** `cached`: nobody was asked whether the name still stands for this. */
function record(
  name: string,
  facts: Omit<NamedImage, "name" | "since" | "checked">,
  names: ImageNames,
  cached: boolean,
): void {
  const before = names.get(name);
  const known = before?.manifest === facts.manifest;
  if (cached && known) return;
  const now = Date.now();
  names.put({ name, ...facts, since: known ? before.since : now, checked: now });
}

async function readConfig(found: FoundImage, { store, options }: Context): Promise<ImageDescription> {
  const blob = found.manifest.config;
  const what = `${found.name}, config ${blob.digest}`;
  if (blob.size > MAX_CONFIG)
    throw new ImageError("image-invalid", `${what}: larger than ${MAX_CONFIG} bytes`);
  for (let attempt = 0; ; attempt += 1) {
    await store.ensure(blob, found.blob(blob), () => {}, options.signal);
    const bytes = readFileSync(store.pathOf(blob.digest));
    if (digestOf(bytes) === blob.digest) return parseConfig(bytes, found.manifest.layers.length, what);
    store.drop(blob.digest);
    if (attempt > 0) throw new ImageError("image-invalid", `${what}: is damaged on disk`);
  }
}

/** One layer, named by the file's digest, since what it unpacks to is known only afterwards. */
async function obtainTarball(path: string, { options, lease }: Context): Promise<Image> {
  const total = statSync(path).size;
  const driver = openStorage(options.dataRoot);
  const bytes = (): AsyncIterable<Uint8Array> => fileSource(path)(0, () => {});
  const hasher = new Hasher();
  for await (const piece of bytes()) {
    options.signal?.throwIfAborted();
    hasher.update(piece);
  }
  const digest = hasher.digest();
  await lease.protect([digest], options.signal);
  const report = (done: number): void => options.progress?.({ kind: "layer", digest, done, total });
  const draft = await driver.beginLayer([digest], options.signal);
  if (draft !== undefined) {
    try {
      const again = new Hasher();
      const { size } = await unpackLayer(
        {
          name: path,
          source: hashed(bytes(), again),
          whiteouts: false,
          ...(options.signal === undefined ? {} : { signal: options.signal }),
          progress: report,
        },
        draft.folder,
      );
      if (again.digest() !== digest)
        throw new ImageError("image-invalid", `tar:${path}: changed while it was read`);
      await draft.commit(size);
    } finally {
      await draft.discard();
    }
  }
  report(total);
  return {
    name: `tar:${path}`,
    digest,
    id: digest,
    config: { ...EMPTY_CONFIG, ...SYSTEM_CONFIG },
    layers: [digest],
    kind: "system",
  };
}

async function* hashed(source: AsyncIterable<Uint8Array>, hasher: Hasher): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    hasher.update(piece);
    yield piece;
  }
}
