/**
 * What is being worked with and must not be collected, though no name stands for it yet. A lease is a file that its
 * process holds locked: with the process it ends.
 *
 *     <data root>/images/leases/<uuid>     digests, one a line, under flock
 *     <data root>/images/collecting        the lock between leases that grow and the collection
 */
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isMissing } from "../host/errors.ts";
import { type FileLock, lockFile, tryLockFile } from "../host/file-lock.ts";
import { type Digest, isDigest } from "../spec/digest.ts";
import { makeDataRoot, makeFolder, PRIVATE } from "../storage/private-folder.ts";

/** Keeps blobs and layers, whether they are here already or come later. */
export class Lease implements Disposable {
  readonly #dataRoot: string;
  readonly #lock: FileLock;
  readonly #digests = new Set<Digest>();

  constructor(dataRoot: string) {
    this.#dataRoot = dataRoot;
    const folder = leasesFolder(dataRoot);
    let lock: FileLock | undefined;
    while (lock === undefined) lock = tryLockFile(join(folder, randomUUID()));
    this.#lock = lock;
  }

  /** Once this returns, the blobs and layers (by chain id) that are here stay. */
  async protect(digests: readonly Digest[], signal?: AbortSignal): Promise<void> {
    const fresh = digests.filter((digest) => !this.#digests.has(digest));
    if (fresh.length === 0) return;
    const collecting = await lockCollection(this.#dataRoot, signal);
    try {
      writeSync(this.#lock.fd, fresh.map((digest) => `${digest}\n`).join(""));
      for (const digest of fresh) this.#digests.add(digest);
    } finally {
      collecting.release();
    }
  }

  /** Harmless when repeated. */
  [Symbol.dispose](): void {
    this.#lock.release();
  }
}

/** Held while it is decided what goes, and while it goes; briefly, as pulls wait for it. */
export function lockCollection(dataRoot: string, signal?: AbortSignal): Promise<FileLock> {
  leasesFolder(dataRoot);
  return lockFile(join(dataRoot, "images/collecting"), signal);
}

/** All that living processes keep; the leases of dead ones are removed. */
export function leasedDigests(dataRoot: string): Set<Digest> {
  const folder = leasesFolder(dataRoot);
  const leased = new Set<Digest>();
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const dead = tryLockFile(path);
    if (dead !== undefined) {
      dead.release();
      continue;
    }
    try {
      for (const line of readFileSync(path, "utf8").split("\n")) if (isDigest(line)) leased.add(line);
    } catch (error) {
      // released in this moment
      if (!isMissing(error)) throw error;
    }
  }
  return leased;
}

function leasesFolder(dataRoot: string): string {
  const folder = join(dataRoot, "images/leases");
  makeDataRoot(dataRoot);
  makeFolder(join(dataRoot, "images"), PRIVATE);
  makeFolder(folder, PRIVATE);
  return folder;
}
