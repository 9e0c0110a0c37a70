/**
 * The overlay driver's layers: a folder each, named by the first digits of the chain id, and beside it a mark that
 * says it is complete.
 *
 *     layers/<short>        the unpacked layer
 *     layers/<short>.json   its mark; without it the folder is what a killed process left
 *     staging/<short>       being written, under the lock locks/<short>
 */
import { renameSync } from "node:fs";
import { join } from "node:path";
import { type FileLock, lockFile } from "../../host/file-lock.ts";
import type { Digest } from "../../spec/digest.ts";
import type { Layer, LayerDraft } from "../driver.ts";
import { LayerMarks, shortName } from "../layer-marks.ts";
import { makeFolder, PRIVATE, removeFolders } from "../private-folder.ts";
import { holding } from "../program.ts";

export class LayerStore {
  /** Holds the layers' folders. */
  readonly folder: string;
  readonly #staging: string;
  readonly #locks: string;
  readonly #marks: LayerMarks;

  /** @param root the driver's own folder; made by {@link open} */
  constructor(root: string) {
    this.folder = join(root, "layers");
    this.#staging = join(root, "staging");
    this.#locks = join(root, "locks");
    this.#marks = new LayerMarks(this.folder);
  }

  /** Makes the folders where they are missing. */
  open(): void {
    for (const path of [this.folder, this.#staging, this.#locks]) makeFolder(path, PRIVATE);
  }

  /** The layer's folder. */
  pathOf(chainId: Digest): string {
    return join(this.folder, shortName(chainId));
  }

  has(chainId: Digest): boolean {
    return this.#marks.find(chainId) !== undefined;
  }

  list(): Layer[] {
    return this.#marks.list();
  }

  /** The mark goes first: a kill then leaves what the next draft of the layer clears away. */
  async remove(chainId: Digest): Promise<void> {
    const lock = await lockFile(join(this.#locks, shortName(chainId)));
    try {
      if (this.has(chainId)) this.#marks.remove(chainId);
      await holding(lock, () => removeFolders(this.pathOf(chainId)));
    } finally {
      lock.release();
    }
  }

  /** See `SnapshotDriver.beginLayer`. */
  async begin(chain: readonly Digest[], signal?: AbortSignal): Promise<LayerDraft | undefined> {
    const chainId = chain.at(-1);
    if (chainId === undefined || this.has(chainId)) return undefined;
    const lock = await lockFile(join(this.#locks, shortName(chainId)), signal);
    try {
      if (this.has(chainId)) {
        lock.release();
        return undefined;
      }
      const staging = join(this.#staging, shortName(chainId));
      // what a killed process left, before or after its rename
      await holding(lock, () => removeFolders(staging, this.pathOf(chainId)));
      makeFolder(staging, 0o755);
      return this.#draft(chainId, chain, staging, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  #draft(chainId: Digest, chain: readonly Digest[], staging: string, lock: FileLock): LayerDraft {
    const below = chain.slice(0, -1);
    let open = true;
    return {
      folder: staging,
      overlayWhiteouts: true,
      lowers: () => below.map((id) => this.pathOf(id)).reverse(),
      commit: async (size) => {
        renameSync(staging, this.pathOf(chainId));
        const parent = below.at(-1);
        this.#marks.write({ chainId, size, ...(parent === undefined ? {} : { parent }) });
        open = false;
        lock.release();
      },
      discard: async () => {
        if (!open) return;
        open = false;
        try {
          await holding(lock, () => removeFolders(staging));
        } finally {
          lock.release();
        }
      },
    };
  }
}
