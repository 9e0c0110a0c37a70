/** OCI image layout folders, as skopeo, umoci and buildah write them; image spec, image-layout.md. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { type Digest, digestOf, hexOf } from "../../spec/digest.ts";
import { fileSource } from "../content/content-store.ts";
import {
  type Descriptor,
  ImageError,
  type Index,
  MAX_MANIFEST,
  parseManifest,
  selectManifest,
} from "../manifest.ts";
import type { Platform } from "../platform.ts";
import type { FoundImage } from "./found-image.ts";

const REF_NAME = "org.opencontainers.image.ref.name";

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
  const top = parseManifest(readSmall(join(dir, "index.json"), `${dir}/index.json`), `${dir}/index.json`);
  if (top.kind !== "index") throw new ImageError("image-invalid", `${dir}/index.json: is no index`);
  let entry = chooseTag(top, tag, name);
  for (let depth = 0; depth < 4; depth += 1) {
    const what = `${name}, manifest ${entry.digest}`;
    const bytes = readSmall(pathOf(entry.digest), what);
    if (digestOf(bytes) !== entry.digest) throw new ImageError("image-invalid", `${what}: is damaged`);
    const found = parseManifest(bytes, what);
    if (found.kind === "manifest") {
      const { digest } = entry;
      return { name, digest, manifest: found, blob: (blob) => fileSource(pathOf(blob.digest)) };
    }
    entry = selectManifest(found, platform, name);
  }
  throw new ImageError("image-invalid", `${name}: indexes within indexes`);
}
