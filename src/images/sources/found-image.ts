/** What every kind of source comes down to. */
import type { Digest } from "../../spec/digest.ts";
import type { BlobSource } from "../content/content-store.ts";
import type { Descriptor, Manifest } from "../manifest.ts";

/** An image that was found at its source; its blobs are still there. */
export interface FoundImage {
  /** For people: a full reference, or the source as it was typed. */
  readonly name: string;
  /** Of the manifest. */
  readonly digest: Digest;
  readonly manifest: Manifest;
  blob(descriptor: Descriptor): BlobSource;
}
