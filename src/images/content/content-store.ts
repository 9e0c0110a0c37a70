/**
 * Blobs by digest. A blob is written to a temporary file beside, hashed as it comes, renamed when it is whole, and
 * synced. What a killed process left is taken up where it ended, or removed.
 *
 *     <data root>/content/blobs/sha256/<hex>
 *                         ingest/<hex>           being written, under flock
 */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  createReadStream,
  fstatSync,
  fsync,
  ftruncateSync,
  openSync,
  read,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { errnoOf, isMissing, LxcriError } from "../../host/errors.ts";
import { type FileLock, lockFile, tryLockFile } from "../../host/file-lock.ts";
import { bytesPassed } from "../../host/garbage.ts";
import { writeAt } from "../../host/write-at.ts";
import { type Digest, Hasher, hexOf, isDigest } from "../../spec/digest.ts";
import { makeDataRoot, makeFolder, PRIVATE } from "../../storage/private-folder.ts";

/** What is to be stored. */
export interface WantedBlob {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Where a blob comes from: its bytes from `offset` on. A source that cannot skip may ignore the offset, if it says so
 * by calling `restart` before its first piece.
 */
export type BlobSource = (
  offset: number,
  restart: () => void,
  signal?: AbortSignal,
) => AsyncIterable<Uint8Array>;

/** Bytes of the blob that are there; called often. */
export type BlobProgress = (done: number) => void;

/** Codes: `blob-size-mismatch`, `blob-digest-mismatch`, `blob-missing`, `disk-full`. */
export class ContentError extends LxcriError {}

const sync = promisify(fsync);
const readInto = promisify(read);
const PIECE = 1 << 20;

export class ContentStore {
  readonly #blobs: string;
  readonly #ingest: string;

  /** Makes its folders where they are missing. @param dataRoot absolute */
  constructor(dataRoot: string) {
    const root = join(dataRoot, "content");
    this.#blobs = join(root, "blobs/sha256");
    this.#ingest = join(root, "ingest");
    makeDataRoot(dataRoot);
    for (const path of [root, join(root, "blobs"), this.#blobs, this.#ingest]) makeFolder(path, PRIVATE);
  }

  /** Where the blob is once it is here. */
  pathOf(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  /** Is it here, with the right size? Its content is checked where it is used. */
  has({ digest, size }: WantedBlob): boolean {
    try {
      return statSync(this.pathOf(digest)).size === size;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** All blobs, with the bytes they take on disk. */
  list(): { readonly digest: Digest; readonly bytes: number }[] {
    return readdirSync(this.#blobs).flatMap((name) => {
      const digest = `sha256:${name}`;
      const bytes = this.#diskBytes(name);
      return isDigest(digest) && bytes !== undefined ? [{ digest, bytes }] : [];
    });
  }

  #diskBytes(name: string): number | undefined {
    try {
      return statSync(join(this.#blobs, name)).blocks * 512;
    } catch (error) {
      // removed in this moment
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** The blob's bytes, unchecked. */
  read(digest: Digest): AsyncIterable<Uint8Array> {
    return createReadStream(this.pathOf(digest), { highWaterMark: PIECE });
  }

  /**
   * The blob's bytes; one that is missing, or not what it should be (noticed at the end), fails.
   * @throws ContentError `blob-missing`, `blob-digest-mismatch`
   */
  async *verified({ digest, size }: WantedBlob): AsyncGenerator<Uint8Array> {
    const fix = "Pull the image again.";
    if (!this.has({ digest, size })) {
      throw new ContentError("blob-missing", `blob ${digest}: is not in this data root`, { fix });
    }
    const hasher = new Hasher();
    for await (const piece of this.read(digest)) {
      hasher.update(piece);
      yield piece;
    }
    if (hasher.digest() === digest) return;
    this.drop(digest);
    throw new ContentError("blob-digest-mismatch", `blob ${digest}: is damaged on disk`, { fix });
  }

  /** Forgets a blob whose content turned out to be damaged. */
  drop(digest: Digest): void {
    rmSync(this.pathOf(digest), { force: true });
  }

  /** Reads it all and compares. */
  async isIntact({ digest, size }: WantedBlob): Promise<boolean> {
    if (!this.has({ digest, size })) return false;
    const hasher = new Hasher();
    for await (const piece of this.read(digest)) hasher.update(piece);
    return hasher.digest() === digest;
  }

  /**
   * Makes sure that the blob is here and will survive a power failure.
   * @throws as {@link receive}
   */
  async ensure(
    blob: WantedBlob,
    source: BlobSource,
    progress?: BlobProgress,
    signal?: AbortSignal,
  ): Promise<void> {
    const { durable } = await this.receive(blob, source, progress, signal);
    await durable;
  }

  /**
   * Makes sure that the blob is here. Where another process writes it, waits for that one; where one was killed,
   * goes on after its last byte. The disk is not waited for: that is `durable`, to be awaited in any case.
   * @throws ContentError; what the source throws, after which the part that came is kept for the next try
   */
  async receive(
    blob: WantedBlob,
    source: BlobSource,
    progress: BlobProgress = () => {},
    signal?: AbortSignal,
  ): Promise<{ readonly durable: Promise<void> }> {
    const found = (): { durable: Promise<void> } => {
      progress(blob.size);
      return { durable: Promise.resolve() };
    };
    if (this.has(blob)) return found();
    const lock = await lockFile(join(this.#ingest, hexOf(blob.digest)), signal);
    try {
      if (this.has(blob)) {
        lock.release();
        return found();
      }
      const begun = fstatSync(lock.fd).size > 0;
      try {
        await this.#ingestBlob(blob, source, lock, progress, signal);
      } catch (error) {
        if (!begun || !(error instanceof ContentError) || error.code !== "blob-digest-mismatch") throw error;
        // the part that an earlier try left may have been wrong
        ftruncateSync(lock.fd);
        await this.#ingestBlob(blob, source, lock, progress, signal);
      }
      renameSync(join(this.#ingest, hexOf(blob.digest)), this.pathOf(blob.digest));
    } catch (error) {
      lock.release(!(error instanceof ContentError));
      throw error;
    }
    progress(blob.size);
    return { durable: this.#makeDurable(blob, lock) };
  }

  /** Writes content and name to the disk. What a power failure damages before that is noticed when it is read. */
  async #makeDurable(blob: WantedBlob, lock: FileLock): Promise<void> {
    try {
      await sync(lock.fd);
      const folder = openSync(this.#blobs, "r");
      await sync(folder).finally(() => closeSync(folder));
    } catch (error) {
      // a full disk may show only now
      this.drop(blob.digest);
      throw this.#full(error, blob, 0);
    } finally {
      lock.release();
    }
  }

  /** A temporary file for what has no digest yet; release it when done. A killed process's goes with the stale ones. */
  scratch(): { readonly path: string; readonly lock: FileLock } {
    for (;;) {
      const path = join(this.#ingest, `scratch-${randomUUID()}`);
      const lock = tryLockFile(path);
      if (lock !== undefined) return { path, lock };
    }
  }

  /** Removes what killed processes left behind; what is being written stays. */
  removeStale(): void {
    for (const name of readdirSync(this.#ingest)) tryLockFile(join(this.#ingest, name))?.release();
  }

  async #ingestBlob(
    blob: WantedBlob,
    source: BlobSource,
    { fd }: FileLock,
    progress: BlobProgress,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let { hasher, length } = await this.#takeUp(blob, fd);
    const restart = (): void => {
      ftruncateSync(fd);
      hasher = new Hasher();
      length = 0;
    };
    this.#checkSpace(blob, length);
    try {
      if (length < blob.size) {
        for await (const piece of source(length, restart, signal)) {
          signal?.throwIfAborted();
          if (length + piece.length > blob.size) {
            throw new ContentError(
              "blob-size-mismatch",
              `blob ${blob.digest}: longer than its ${blob.size} bytes`,
            );
          }
          await writeAt(fd, piece, length);
          hasher.update(piece);
          length += piece.length;
          bytesPassed(piece.length);
          progress(length);
        }
      }
      if (length !== blob.size) {
        throw new ContentError(
          "blob-size-mismatch",
          `blob ${blob.digest}: ${length} bytes instead of ${blob.size}`,
        );
      }
      const digest = hasher.digest();
      if (digest !== blob.digest) {
        throw new ContentError(
          "blob-digest-mismatch",
          `blob ${blob.digest}: the content has digest ${digest}`,
        );
      }
    } catch (error) {
      throw this.#full(error, blob, length);
    }
  }

  /** Hashes what an earlier try left in the file. */
  async #takeUp(blob: WantedBlob, fd: number): Promise<{ hasher: Hasher; length: number }> {
    const { size } = fstatSync(fd);
    if (size > blob.size) {
      ftruncateSync(fd);
      return { hasher: new Hasher(), length: 0 };
    }
    const hasher = new Hasher();
    const piece = Buffer.allocUnsafe(Math.min(size, PIECE));
    let length = 0;
    while (length < size) {
      const { bytesRead } = await readInto(fd, piece, 0, piece.length, length);
      if (bytesRead === 0) break;
      hasher.update(piece.subarray(0, bytesRead));
      length += bytesRead;
    }
    return { hasher, length };
  }

  /** Better refused now than after an hour. */
  #checkSpace(blob: WantedBlob, length: number): void {
    const { bavail, bsize } = statfsSync(this.#ingest);
    const missing = blob.size - length - bavail * bsize;
    if (missing > 0) throw this.#noSpace(blob, missing);
  }

  #full(error: unknown, blob: WantedBlob, length: number): unknown {
    const errno = errnoOf(error);
    if (errno !== "ENOSPC" && errno !== "EDQUOT") return error;
    const { bavail, bsize } = statfsSync(this.#ingest);
    return this.#noSpace(blob, Math.max(blob.size - length - bavail * bsize, 1), error);
  }

  #noSpace(blob: WantedBlob, missing: number, cause?: unknown): ContentError {
    return new ContentError(
      "disk-full",
      `blob ${blob.digest}: no space left in ${this.#ingest}; ${missing} bytes are missing`,
      { cause, fix: "Free space there, or choose another data root." },
    );
  }
}

/** A source that reads part of a file, for images that are on disk already. */
export function fileSource(path: string, start = 0, size = Number.POSITIVE_INFINITY): BlobSource {
  return (offset) =>
    createReadStream(path, {
      start: start + offset,
      end: start + size - 1,
      highWaterMark: PIECE,
    });
}
