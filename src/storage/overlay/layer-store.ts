/**
 * The overlay driver's layers: a folder each, named by the first 12 digits of the chain id (mount(2) takes one page
 * of options, and 127 layers must fit), and beside it a mark that says it is complete.
 *
 *     layers/<short>        the unpacked layer
 *     layers/<short>.json   its mark; without it the folder is what a killed process left
 *     staging/<short>       being written, under the lock locks/<short>
 */
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { type FileLock, lockFile } from "../../host/file-lock.ts";
import { writeFileAtomic } from "../../host/files.ts";
import { runChecked } from "../../host/process.ts";
import { type Digest, hexOf } from "../../spec/digest.ts";
import type { LayerDraft } from "../driver.ts";
import { makeFolder, PRIVATE } from "../private-folder.ts";

/** What a layer's mark says. */
interface LayerMark {
  readonly chainId: Digest;
  /** Chain id of the layer below. */
  readonly parent?: Digest;
  /** Bytes of the layer's archive. */
  readonly size: number;
}

const SHORT = 12;
export const shortName = (chainId: Digest): string => hexOf(chainId).slice(0, SHORT);

/** Removes trees of any depth, but nothing that is mounted in them; missing ones are no error. */
export async function removeFolders(...paths: readonly string[]): Promise<void> {
  const there = paths.filter((path) => existsSync(path));
  if (there.length === 0) return;
  await runChecked(["rm", "-rf", "--one-file-system", "--", ...there], { timeout: 600_000 });
}

export class LayerStore {
  /** Holds the layers' folders. */
  readonly folder: string;
  readonly #staging: string;
  readonly #locks: string;

  /** @param root the driver's own folder; made by {@link open} */
  constructor(root: string) {
    this.folder = join(root, "layers");
    this.#staging = join(root, "staging");
    this.#locks = join(root, "locks");
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
    let text: string;
    try {
      text = readFileSync(this.#markOf(chainId), "utf8");
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
    const mark = JSON.parse(text) as LayerMark;
    if (mark.chainId === chainId) return true;
    throw new LxcriError(
      "layer-name-collision",
      `layers ${chainId} and ${mark.chainId} begin with the same ${SHORT} digits; they cannot be kept both`,
    );
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
      await removeFolders(staging, this.pathOf(chainId));
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
      commit: (size) => {
        renameSync(staging, this.pathOf(chainId));
        const parent = below.at(-1);
        const mark: LayerMark = { chainId, size, ...(parent === undefined ? {} : { parent }) };
        writeFileAtomic(this.#markOf(chainId), JSON.stringify(mark));
        open = false;
        lock.release();
      },
      discard: async () => {
        if (!open) return;
        open = false;
        try {
          await removeFolders(staging);
        } finally {
          lock.release();
        }
      },
    };
  }

  #markOf(chainId: Digest): string {
    return `${this.pathOf(chainId)}.json`;
  }
}
