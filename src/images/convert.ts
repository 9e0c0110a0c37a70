/**
 * Images become Proxmox VE container templates, and templates (or any root file system as tarball) become images of
 * one layer.
 */
import { createWriteStream, writeSync } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";
import { LxcriError } from "../host/errors.ts";
import { type Digest, digestOf, Hasher } from "../spec/digest.ts";
import { type ContentStore, fileSource } from "./content/content-store.ts";
import { writeNewFile } from "./export/new-file.ts";
import { type Descriptor, ImageError, KIND_LABEL, MEDIA_TYPES, SYSTEM_CONFIG } from "./manifest.ts";
import { withMountedImage } from "./mounted.ts";
import { ImageNames } from "./names.ts";
import { hostPlatform } from "./platform.ts";
import type { FoundImage } from "./sources/found-image.ts";
import { type Compression, compressionOf, decompress } from "./unpack/decompress.ts";

const compressors = {
  ".tar.zst": () => createZstdCompress(),
  ".tar.gz": () => createGzip({ level: 6 }),
} as const;

/**
 * Writes a local image's whole file system as a template; the suffix of `path`, `.tar.zst` or `.tar.gz`, says how.
 * @throws LxcriError `template-name-invalid`, `image-not-found`, `template-failed`
 */
export async function writeTemplate(
  dataRoot: string,
  name: string,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  const suffix = (Object.keys(compressors) as (keyof typeof compressors)[]).find((each) =>
    path.endsWith(each),
  );
  if (suffix === undefined) {
    throw new LxcriError("template-name-invalid", `${path}: a template's name ends with .tar.zst or .tar.gz`);
  }
  const [image] = new ImageNames(dataRoot).find(name);
  if (image === undefined) throw new LxcriError("image-not-found", `${name}: is not in this data root`);
  await withMountedImage(dataRoot, image.layers, (rootfs) =>
    writeNewFile(path, async (draft) => {
      const tar = Bun.spawn(
        ["tar", "--create", "--file=-", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"].concat(
          ["--one-file-system", "--sort=name", `--directory=${rootfs}`, "."],
        ),
        { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { LC_ALL: "C", PATH: "/usr/bin:/bin" } },
      );
      try {
        const output = createWriteStream(draft, { flags: "wx", mode: 0o644 });
        await pipeline(Readable.from(tar.stdout), compressors[suffix](), output, {
          ...(signal === undefined ? {} : { signal }),
        });
        if ((await tar.exited) !== 0) {
          const said = (await new Response(tar.stderr).text()).trim().split("\n").at(-1);
          throw new LxcriError("template-failed", `${path}: tar of ${image.name}: ${said ?? tar.exitCode}`);
        }
      } finally {
        tar.kill("SIGKILL");
        await tar.exited;
      }
    }),
  );
}

const LAYER_TYPES: Partial<Record<Compression, string>> = {
  none: MEDIA_TYPES.layer,
  gzip: `${MEDIA_TYPES.layer}+gzip`,
  zstd: `${MEDIA_TYPES.layer}+zstd`,
};

/** An image that is being made of a tarball; `close` it once its blobs are stored. */
export interface ConvertedTemplate {
  readonly image: FoundImage;
  close(): void;
}

/**
 * Makes an image of a root file system's tarball, compressed or not. What images cannot have, xz, becomes zstd.
 * @throws LayerError, ImageError `image-invalid`
 */
export async function readTemplate(
  path: string,
  store: ContentStore,
  signal?: AbortSignal,
): Promise<ConvertedTemplate> {
  const source = (): AsyncIterable<Uint8Array> => fileSource(path)(0, () => {});
  const compression = await compressionOfFile(source());
  const diff = new Hasher();
  for await (const piece of decompress(source())) {
    signal?.throwIfAborted();
    diff.update(piece);
  }
  const diffId = diff.digest();
  const mediaType = LAYER_TYPES[compression];
  const plain = { path, close: () => {} };
  const blob = mediaType === undefined ? await recompressed(source(), store) : plain;
  try {
    const layer = await describe(blob.path, mediaType ?? `${MEDIA_TYPES.layer}+zstd`);
    return { image: imageOf(path, blob.path, layer, diffId), close: blob.close };
  } catch (error) {
    blob.close();
    throw error;
  }
}

async function compressionOfFile(source: AsyncIterable<Uint8Array>): Promise<Compression> {
  for await (const piece of source) return compressionOf(piece);
  throw new ImageError("image-invalid", "the tarball is empty");
}

async function recompressed(
  source: AsyncIterable<Uint8Array>,
  store: ContentStore,
): Promise<{ path: string; close(): void }> {
  const scratch = store.scratch();
  const close = (): void => scratch.lock.release();
  try {
    const compressor = createZstdCompress();
    const feeding = pipeline(Readable.from(decompress(source)), compressor);
    // reported below
    feeding.catch(() => {});
    for await (const piece of compressor as AsyncIterable<Uint8Array>) {
      for (let at = 0; at < piece.length; ) at += writeSync(scratch.lock.fd, piece, at);
    }
    await feeding;
    return { path: scratch.path, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function describe(path: string, mediaType: string): Promise<Descriptor> {
  const hasher = new Hasher();
  let size = 0;
  for await (const piece of fileSource(path)(0, () => {})) {
    hasher.update(piece);
    size += piece.length;
  }
  return { mediaType, digest: hasher.digest(), size };
}

function imageOf(path: string, blobPath: string, layer: Descriptor, diffId: Digest): FoundImage {
  const configBytes = encode({
    ...hostPlatform(),
    config: { ...SYSTEM_CONFIG, Labels: { [KIND_LABEL]: "system" } },
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created_by: `proxmox-lxcri image convert ${basename(path)}` }],
  });
  const config = { mediaType: MEDIA_TYPES.config, digest: digestOf(configBytes), size: configBytes.length };
  const document = encode({ schemaVersion: 2, mediaType: MEDIA_TYPES.manifest, config, layers: [layer] });
  const digest = digestOf(document);
  return {
    name: `tar:${path}`,
    target: digest,
    digest,
    manifest: { kind: "manifest", config, layers: [layer] },
    documents: [document],
    blob: (wanted) =>
      wanted.digest === layer.digest
        ? fileSource(blobPath)
        : async function* (offset) {
            yield configBytes.subarray(offset);
          },
  };
}

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
