/** OCI image layout folders, as skopeo, umoci and buildah write them; image spec, image-layout.md. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { type Digest, digestOf, hexOf } from "../../spec/digest.ts";
import { type BlobSource, fileSource } from "../content/content-store.ts";
import {
  type Descriptor,
  ImageError,
  type Index,
  MAX_MANIFEST,
  type Manifest,
  parseManifest,
  selectManifest,
} from "../manifest.ts";
import type { Platform } from "../platform.ts";
import type { FoundImage } from "./found-image.ts";

const REF_NAME = "org.opencontainers.image.ref.name";

/** containerd's and Docker's annotation, or a tag that is a whole name. */
function nameIn({ annotations }: Descriptor): string | undefined {
  const tag = annotations?.[REF_NAME];
  return annotations?.["io.containerd.image.name"] ?? (tag?.includes("/") ? tag : undefined);
}

/** A small file of the layout. */
function readSmall(path: string, what: string): Uint8Array {
  try {
    if (statSync(path).size > MAX_MANIFEST) {
      throw new ImageError("image-invalid", `${what}: larger than ${MAX_MANIFEST} bytes`);
    }
    return readFileSync(path);
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    throw new LxcriError("image-not-found", `${what}: no such file`, {
      cause,
      fix: "Name the folder that holds oci-layout and index.json.",
    });
  }
}

/** The index's entry with the tag; the only one or `latest` where none is said. */
function chooseTag(index: Index, tag: string | undefined, what: string): Descriptor {
  const named = (name: string): Descriptor | undefined =>
    index.manifests.find((entry) => entry.annotations?.[REF_NAME] === name);
  const only = index.manifests.length === 1 ? index.manifests[0] : undefined;
  const chosen = tag === undefined ? (only ?? named("latest")) : named(tag);
  if (chosen !== undefined) return chosen;
  const tags = index.manifests.map((entry) => entry.annotations?.[REF_NAME] ?? "(untagged)").join(", ");
  throw new LxcriError(
    "image-not-found",
    tag === undefined ? `${what}: holds several images` : `${what}: holds no image ${JSON.stringify(tag)}`,
    { fix: `It has: ${tags || "none"}.` },
  );
}

/** Finds an image in a layout. @throws LxcriError `image-not-found`, ImageError */
export function findInLayout(dir: string, tag: string | undefined, platform: Platform): FoundImage {
  const pathOf = (digest: Digest): string => join(dir, "blobs/sha256", hexOf(digest));
  const name = `oci:${dir}${tag === undefined ? "" : `:${tag}`}`;
  const index = readSmall(join(dir, "index.json"), `${dir}/index.json`);
  return findInDocuments(
    { name, index, tag },
    platform,
    (digest) => {
      const what = `${name}, manifest ${digest}`;
      const bytes = readSmall(pathOf(digest), what);
      if (digestOf(bytes) !== digest) throw new ImageError("image-invalid", `${what}: is damaged`);
      return bytes;
    },
    (blob) => fileSource(pathOf(blob.digest)),
  );
}

/** Where a search begins. */
export interface LayoutSearch {
  /** Of the source, for people. */
  readonly name: string;
  /** index.json */
  readonly index: Uint8Array;
  readonly tag: string | undefined;
}

/** Finds an image in what is laid out so, wherever it is. @throws LxcriError `image-not-found`, ImageError */
export function findInDocuments(
  { name, index, tag }: LayoutSearch,
  platform: Platform,
  read: (digest: Digest) => Uint8Array,
  blob: (descriptor: Descriptor) => BlobSource,
): FoundImage {
  const top = parseManifest(index, `${name}, index.json`);
  if (top.kind !== "index") throw new ImageError("image-invalid", `${name}: index.json is no index`);
  let entry = chooseTag(top, tag, name);
  const target = entry.digest;
  const ownName = nameIn(entry);
  const documents: Uint8Array[] = [];
  for (let depth = 0; depth < 4; depth += 1) {
    const { digest } = entry;
    const bytes = read(digest);
    documents.push(bytes);
    const found = parseManifest(bytes, `${name}, manifest ${digest}`);
    if (found.kind === "manifest") {
      const image = { name, target, digest, manifest: found, documents, blob };
      return ownName === undefined ? image : { ...image, ownName };
    }
    entry = selectManifest(found, platform, name);
  }
  throw new ImageError("image-invalid", `${name}: indexes within indexes`);
}

/** Manifests of a layout that refer to another, as signatures and attestations do. @throws ImageError */
export function referrersInLayout(
  dir: string,
  subject: Digest,
): { readonly document: Uint8Array; readonly manifest: Manifest }[] {
  const top = parseManifest(readSmall(join(dir, "index.json"), `${dir}/index.json`), `${dir}/index.json`);
  if (top.kind !== "index") return [];
  return top.manifests.flatMap(({ digest }) => {
    const what = `oci:${dir}, manifest ${digest}`;
    const document = readSmall(join(dir, "blobs/sha256", hexOf(digest)), what);
    const said: { subject?: { digest?: string } } = JSON.parse(new TextDecoder().decode(document));
    if (said.subject?.digest !== subject) return [];
    const manifest = parseManifest(document, what);
    return manifest.kind === "manifest" ? [{ document, manifest }] : [];
  });
}
