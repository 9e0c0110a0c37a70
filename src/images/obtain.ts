/**
 * The images room's door for `launch`: from a source to an image whose layers are unpacked. Calls storage, spec and
 * host. All state is on disk; processes that obtain the same image at once share the work, layer by layer.
 */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { isMissing, LxcriError } from "../host/errors.ts";
import { chainIds, type Digest, digestOf, Hasher } from "../spec/digest.ts";
import { openStorage } from "../storage/storage.ts";
import { ContentStore, fileSource } from "./content/content-store.ts";
import {
  EMPTY_CONFIG,
  type ImageConfig,
  type ImageDescription,
  ImageError,
  MAX_CONFIG,
  parseConfig,
} from "./manifest.ts";
import { formatPlatform, hostPlatform, type Platform, suitability } from "./platform.ts";
import { type ImageSource, parseImageSource } from "./reference.ts";
import type { RegistrySettings } from "./registry/client.ts";
import { openDockerArchive } from "./sources/docker-archive.ts";
import type { FoundImage } from "./sources/found-image.ts";
import { findInLayout } from "./sources/layout.ts";
import { findInRegistry } from "./sources/registry-source.ts";
import { type ImageProgress, unpackImage } from "./unpack/unpack-image.ts";
import { unpackLayer } from "./unpack/unpack-layer.ts";

/** How {@link obtainImage} works. */
export interface ObtainOptions extends RegistrySettings {
  /** Absolute; see DEFAULT_DATA_ROOT of the storage room. */
  readonly dataRoot: string;
  /** Default: this machine's. */
  readonly platform?: Platform;
  readonly progress?: (event: ImageProgress) => void;
  readonly signal?: AbortSignal;
}

/** An image that is ready to run. */
export interface Image {
  /** A full reference, or the source as it was typed. */
  readonly name: string;
  /** Of its manifest; of the file for a tarball. */
  readonly digest: Digest;
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
}

/**
 * Gets an image: `oci:DIR[:TAG]`, `docker-archive:FILE[:TAG]`, `tar:FILE` or a registry reference; only what is
 * missing is fetched and unpacked.
 * @throws LxcriError with the code of whatever part failed; nothing half is left that a next try would trust
 */
export async function obtainImage(source: string | ImageSource, options: ObtainOptions): Promise<Image> {
  const parsed = typeof source === "string" ? parseImageSource(source) : source;
  const context = {
    options,
    store: new ContentStore(options.dataRoot),
    platform: options.platform ?? hostPlatform(),
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
  const { options, store, platform } = context;
  switch (source.kind) {
    case "oci":
      return obtainFound(findInLayout(resolve(source.path), source.tag, platform), context);
    case "docker-archive": {
      const archive = await openDockerArchive(resolve(source.path), source.tag, store);
      try {
        return await obtainFound(archive.image, context);
      } finally {
        archive.close();
      }
    }
    case "registry":
      return obtainFound(
        await findInRegistry(source.reference, platform, store, options, options.signal),
        context,
      );
    case "tar":
      return obtainTarball(resolve(source.path), context);
  }
}

async function obtainFound(found: FoundImage, context: Context): Promise<Image> {
  const { options, store, platform } = context;
  const description = await readConfig(found, context);
  const offered = description.platform;
  if (offered.architecture !== "" && suitability(offered, platform) === 0) {
    throw new ImageError(
      "image-platform",
      `${found.name}: made for ${formatPlatform(offered)}, not for ${formatPlatform(platform)}`,
    );
  }
  const chain = chainIds(description.diffIds);
  const layers = found.manifest.layers.flatMap((descriptor, i) => {
    const diffId = description.diffIds[i];
    return diffId === undefined ? [] : [{ descriptor, diffId, source: found.blob(descriptor) }];
  });
  await unpackImage(layers, chain, {
    store,
    driver: openStorage(options.dataRoot),
    progress: options.progress ?? (() => {}),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return {
    name: found.name,
    digest: found.digest,
    config: description.config,
    layers: chain,
    kind: "application",
  };
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
async function obtainTarball(path: string, { options }: Context): Promise<Image> {
  const total = statSync(path).size;
  const driver = openStorage(options.dataRoot);
  const bytes = (): AsyncIterable<Uint8Array> => fileSource(path)(0, () => {});
  const hasher = new Hasher();
  for await (const piece of bytes()) {
    options.signal?.throwIfAborted();
    hasher.update(piece);
  }
  const digest = hasher.digest();
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
      draft.commit(size);
    } finally {
      await draft.discard();
    }
  }
  report(total);
  return {
    name: `tar:${path}`,
    digest,
    config: { ...EMPTY_CONFIG, Cmd: ["/sbin/init"], StopSignal: "SIGRTMIN+3" },
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
