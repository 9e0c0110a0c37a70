/** OCI image layouts as tar files, as `skopeo copy … oci-archive:` writes them. */
import { type Digest, digestOf, hexOf } from "../../spec/digest.ts";
import { type BlobSource, type ContentStore, fileSource } from "../content/content-store.ts";
import { type Descriptor, ImageError, MAX_MANIFEST } from "../manifest.ts";
import type { Platform } from "../platform.ts";
import { type OpenArchive, openArchive } from "./archive-file.ts";
import { findInDocuments } from "./layout.ts";

/**
 * Finds an image in an archive; a compressed one is unpacked into the content store's scratch space first.
 * @throws LxcriError `image-not-found`, ImageError, TarError, LayerError
 */
export async function openOciArchive(
  path: string,
  tag: string | undefined,
  platform: Platform,
  store: ContentStore,
): Promise<OpenArchive> {
  const what = `oci-archive:${path}`;
  const archive = await openArchive(path, store);
  try {
    const blob = (digest: Digest): BlobSource => {
      const { start, size } = archive.member(`blobs/sha256/${hexOf(digest)}`, what);
      return fileSource(archive.file, start, size);
    };
    const read = (name: string): Uint8Array => archive.read(name, MAX_MANIFEST, what);
    const image = findInDocuments(
      { name: `${what}${tag === undefined ? "" : `:${tag}`}`, index: read("index.json"), tag },
      platform,
      (digest) => {
        const bytes = read(`blobs/sha256/${hexOf(digest)}`);
        if (digestOf(bytes) !== digest)
          throw new ImageError("image-invalid", `${what}: ${digest} is damaged`);
        return bytes;
      },
      (wanted: Descriptor) => blob(wanted.digest),
    );
    return { image, close: archive.close };
  } catch (error) {
    archive.close();
    throw error;
  }
}
