/** What every kind of source comes down to. */
import type { Digest } from "../../spec/digest.ts";
import type { BlobSource } from "../content/content-store.ts";
import type { Descriptor, Manifest } from "../manifest.ts";

/** An image that was found at its source; its blobs are still there. */
export interface FoundImage {
  /** For people: a full reference, or the source as it was typed. */
  readonly name: string;
  /** The reference that the source itself gives the image. */
  readonly ownName?: string;
  /** What the name stands for at the source: an index or the manifest. */
  readonly target: Digest;
  /** Of the manifest. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  /** Indexes and manifest, the target first. */
  readonly documents: readonly Uint8Array[];
  blob(descriptor: Descriptor): BlobSource;
}
