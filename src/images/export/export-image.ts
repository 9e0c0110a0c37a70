/** Writes images where other tools read them: OCI image layouts, as folder or archive, and archives as of `docker save`. */
import { closeSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isMissing, LxcriError, messageOf } from "../../host/errors.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { type Digest, hexOf } from "../../spec/digest.ts";
import { type ImageDocuments, readDocuments } from "../catalog.ts";
import { ContentStore } from "../content/content-store.ts";
import { Lease } from "../lease.ts";
import { MEDIA_TYPES } from "../manifest.ts";
import { ImageNames, type NamedImage } from "../names.ts";
import { parseReference } from "../reference.ts";
import { writeNewFile } from "./new-file.ts";
import { TarFile } from "./tar-stream.ts";

export type ExportFormat = "oci" | "oci-archive" | "docker-archive";

/** `FORMAT:PATH[:TAG]` as it is written. */
export interface ExportTarget {
  readonly format: ExportFormat;
  /** Absolute. */
  readonly path: string;
  /** Name of the image in it; default: the tag (`oci`), the whole name otherwise. */
  readonly tag?: string;
}

/** @throws LxcriError `export-target-invalid` */
export function parseExportTarget(text: string, cwd: string): ExportTarget {
  const match = /^(oci|oci-archive|docker-archive):(.+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new LxcriError("export-target-invalid", `${JSON.stringify(text)}: is not FORMAT:PATH[:TAG]`, {
      fix: "FORMAT is oci, oci-archive or docker-archive.",
    });
  }
  const [format, rest] = [match[1] as ExportFormat, match[2]];
  const colon = format === "docker-archive" ? rest.indexOf(":") : rest.lastIndexOf(":");
  const split = colon > 0 && !(format !== "docker-archive" && rest.slice(colon).includes("/"));
  const path = resolve(cwd, split ? rest.slice(0, colon) : rest);
  return { format, path, ...(split ? { tag: rest.slice(colon + 1) } : {}) };
}

const LAYOUT = JSON.stringify({ imageLayoutVersion: "1.0.0" });
const REF_NAME = "org.opencontainers.image.ref.name";
/** containerd's and Docker's: the whole name. */
const IMAGE_NAME = "io.containerd.image.name";

interface IndexEntry {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Writes a local image. An existing layout keeps its other images; an archive is replaced.
 * @throws LxcriError `image-not-found`, `blob-missing`, `export-target-invalid`
 */
export async function exportImage(dataRoot: string, name: string, target: ExportTarget): Promise<NamedImage> {
  const [image] = new ImageNames(dataRoot).find(name);
  if (image === undefined) throw new LxcriError("image-not-found", `${name}: is not in this data root`);
  using lease = new Lease(dataRoot);
  await lease.protect(image.blobs.map(({ digest }) => digest));
  const store = new ContentStore(dataRoot);
  const documents = readDocuments(dataRoot, image);
  if (target.format === "oci") await writeLayout(store, image, documents, target);
  else await writeArchive(store, image, documents, target);
  return image;
}

/** Config and layers, each once. */
const blobsOf = ({ manifest }: ImageDocuments): { readonly digest: Digest; readonly size: number }[] => [
  ...new Map([manifest.config, ...manifest.layers].map((blob) => [blob.digest, blob])).values(),
];

function entryOf(image: NamedImage, { manifestBytes }: ImageDocuments, tag: string): IndexEntry {
  const { mediaType } = JSON.parse(new TextDecoder().decode(manifestBytes)) as { mediaType?: string };
  return {
    mediaType: mediaType ?? MEDIA_TYPES.manifest,
    digest: image.manifest,
    size: manifestBytes.length,
    annotations: { [REF_NAME]: tag, [IMAGE_NAME]: image.name },
  };
}

const indexText = (manifests: readonly unknown[]): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests });

const tagOf = (image: NamedImage): string => parseReference(image.name).tag ?? "latest";

async function writeLayout(
  store: ContentStore,
  image: NamedImage,
  documents: ImageDocuments,
  { path, tag = tagOf(image) }: ExportTarget,
): Promise<void> {
  const blobs = join(path, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = async (
    digest: Digest,
    content: AsyncIterable<Uint8Array> | readonly Uint8Array[],
  ): Promise<void> => {
    const file = join(blobs, hexOf(digest));
    if (existsSync(file)) return;
    await writeNewFile(file, async (draft) => Bun.write(draft, new Response(streamOf(content))));
  };
  for (const blob of blobsOf(documents)) await put(blob.digest, store.verified(blob));
  await put(image.manifest, [documents.manifestBytes]);
  const others = readIndex(join(path, "index.json")).filter((entry) => entry.annotations?.[REF_NAME] !== tag);
  // last: until here the layout is what it was
  writeFileAtomic(join(path, "oci-layout"), LAYOUT, { mode: 0o644 });
  writeFileAtomic(join(path, "index.json"), indexText([...others, entryOf(image, documents, tag)]), {
    mode: 0o644,
    durable: true,
  });
}

const streamOf = (content: AsyncIterable<Uint8Array> | readonly Uint8Array[]): ReadableStream<Uint8Array> => {
  const pieces =
    Symbol.asyncIterator in content ? content[Symbol.asyncIterator]() : content[Symbol.iterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await pieces.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
  });
};

/** What the layout has already. @throws LxcriError `export-target-invalid` */
function readIndex(path: string): readonly IndexEntry[] {
  try {
    const { manifests } = JSON.parse(readFileSync(path, "utf8")) as { manifests?: readonly IndexEntry[] };
    return manifests ?? [];
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw new LxcriError("export-target-invalid", `${path}: is no index: ${messageOf(cause)}`, { cause });
  }
}

/** An OCI layout; `docker-archive` adds what `docker load` looks for, over the same blobs. */
async function writeArchive(
  store: ContentStore,
  image: NamedImage,
  documents: ImageDocuments,
  { format, path, tag }: ExportTarget,
): Promise<void> {
  await writeNewFile(path, async (draft) => {
    const tar = new TarFile(draft);
    try {
      for (const folder of ["blobs", "blobs/sha256"]) tar.folder(folder);
      const text = async (name: string, content: string | Uint8Array): Promise<void> => {
        const bytes = Buffer.from(content as string);
        await tar.file(name, bytes.length, [bytes]);
      };
      for (const blob of blobsOf(documents)) {
        await tar.file(blobName(blob.digest), blob.size, store.verified(blob));
      }
      await text(blobName(image.manifest), documents.manifestBytes);
      const entry = entryOf(
        image,
        documents,
        format === "oci-archive" ? (tag ?? tagOf(image)) : tagOf(image),
      );
      await text("index.json", indexText([entry]));
      await text("oci-layout", LAYOUT);
      if (format === "docker-archive") {
        const { config, layers } = documents.manifest;
        const name = tag ?? (image.name.includes("@") ? undefined : image.name);
        const saved = {
          Config: blobName(config.digest),
          RepoTags: name === undefined ? [] : [name],
          Layers: layers.map(({ digest }) => blobName(digest)),
        };
        await text("manifest.json", JSON.stringify([saved]));
      }
      tar.end();
    } finally {
      closeSync(tar.fd);
    }
  });
}

const blobName = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;
