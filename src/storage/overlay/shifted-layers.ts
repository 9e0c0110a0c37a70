/**
 * Copies of layers with shifted owners, one per layer and map, for kernels and file systems without id-mapped mounts.
 * Costs the layers' space once for each map; containers share them.
 */
import { existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { isMissing } from "../../host/errors.ts";
import { lockFile } from "../../host/file-lock.ts";
import type { Digest } from "../../spec/digest.ts";
import type { IdMaps } from "../driver.ts";
import { shortName } from "../layer-marks.ts";
import { copyFolder, makeFolder, PRIVATE, removeFolders } from "../private-folder.ts";
import { holding } from "../program.ts";
import { mapName, shiftOwners } from "../tree/shift.ts";
import type { LayerStore } from "./layer-store.ts";

export class ShiftedLayers {
  readonly #root: string;
  readonly #layers: LayerStore;

  /** @param root folder for the copies; made when needed */
  constructor(root: string, layers: LayerStore) {
    this.#root = root;
    this.#layers = layers;
  }

  /** The folder that holds copies of these layers, under the layers' names; made where they are missing. */
  async copies(layers: readonly Digest[], idMaps: IdMaps): Promise<string> {
    const folder = join(this.#root, mapName(idMaps));
    makeFolder(this.#root, PRIVATE);
    makeFolder(folder, PRIVATE);
    const empty = join(folder, "empty");
    if (layers.length === 0 && !existsSync(empty)) makeFolder(empty, 0o755);
    for (const chainId of layers) await this.#copy(chainId, folder, idMaps);
    return folder;
  }

  /** Removes the copies of a layer. */
  async remove(chainId: Digest): Promise<void> {
    let maps: string[];
    try {
      maps = readdirSync(this.#root);
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    await removeFolders(...maps.map((map) => join(this.#root, map, shortName(chainId))));
  }

  async #copy(chainId: Digest, folder: string, idMaps: IdMaps): Promise<void> {
    const target = join(folder, shortName(chainId));
    if (existsSync(target)) return;
    const lock = await lockFile(`${target}.lock`);
    try {
      if (existsSync(target)) return;
      const draft = `${target}.draft`;
      await holding(lock, async () => {
        await removeFolders(draft);
        await copyFolder(this.#layers.pathOf(chainId), draft);
      });
      shiftOwners(folder, `${shortName(chainId)}.draft`, idMaps);
      renameSync(draft, target);
    } finally {
      lock.release();
    }
  }
}
