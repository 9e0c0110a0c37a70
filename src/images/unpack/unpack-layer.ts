/** One layer's blob becomes a folder: decompressed, checked against its diff id, bounded, confined. */
import { statfsSync } from "node:fs";
import { close, openDirectory } from "../../host/at.ts";
import { errnoOf } from "../../host/errors.ts";
import { bytesPassed } from "../../host/garbage.ts";
import { type Digest, Hasher } from "../../spec/digest.ts";
import { Budget, type LayerLimits } from "./budget.ts";
import { decompress } from "./decompress.ts";
import { Extractor, type Unresolved } from "./extractor.ts";
import { LayerError } from "./layer-error.ts";
import { TarReader } from "./tar-reader.ts";

/** What {@link unpackLayer} unpacks, and how. */
export interface LayerToUnpack {
  /** Its name in messages, a digest or a file's path. */
  readonly name: string;
  /** The blob, compressed or not. */
  readonly source: AsyncIterable<Uint8Array>;
  /** Digest that the unpacked archive must have; unchecked where undefined. */
  readonly diffId?: Digest;
  /** Turn OCI whiteouts into overlayfs's. */
  readonly whiteouts: boolean;
  readonly limits?: LayerLimits;
  readonly signal?: AbortSignal;
  /** Called now and then with the bytes of `source` that are done. */
  readonly progress?: (done: number) => void;
}

/** What came of it. */
export interface UnpackedLayer {
  /** Digest of the unpacked archive. */
  readonly diffId: Digest;
  /** Bytes of the unpacked archive. */
  readonly size: number;
  readonly unresolved: Unresolved;
}

/**
 * Unpacks into the existing, empty folder `folder`, which nobody else may write to. A folder left by a failure is
 * the caller's to remove.
 * @throws LayerError, TarError
 */
export async function unpackLayer(layer: LayerToUnpack, folder: string): Promise<UnpackedLayer> {
  const root = openDirectory(folder);
  const budget = new Budget(layer.name, layer.limits);
  const hasher = new Hasher();
  let compressed = 0;
  let size = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of layer.source) {
      compressed += piece.length;
      layer.progress?.(compressed);
      yield piece;
    }
  }
  try {
    await using extractor = new Extractor(root, { budget, whiteouts: layer.whiteouts });
    const reader = new TarReader(extractor);
    for await (const piece of decompress(counted())) {
      layer.signal?.throwIfAborted();
      size += piece.length;
      budget.expansion(compressed, size);
      hasher.update(piece);
      reader.push(piece);
      await extractor.settle();
      bytesPassed(piece.length);
    }
    // a digest proves more than an end marker
    reader.end(layer.diffId === undefined);
    const diffId = hasher.digest();
    if (layer.diffId !== undefined && layer.diffId !== diffId) {
      throw new LayerError(
        "layer-digest-mismatch",
        `layer ${layer.name}: unpacks to ${diffId}, the image says ${layer.diffId}`,
      );
    }
    return { diffId, size, unresolved: extractor.finish() };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== "ENOSPC" && errno !== "EDQUOT") throw error;
    const { bavail, bsize, ffree } = statfsSync(folder);
    throw new LayerError(
      "disk-full",
      `layer ${layer.name}: no space left in ${folder} after ${size} unpacked bytes ` +
        `(${bavail * bsize} bytes and ${ffree} inodes free)`,
      { cause: error, fix: "Free space there, or choose another data root." },
    );
  } finally {
    close(root);
  }
}
