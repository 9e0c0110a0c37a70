/**
 * The marks of complete layers: `<short>.json` in a folder, where short is the first 12 digits of the chain id
 * (mount(2) takes one page of options, and 127 layers must fit). Without its mark, a layer is what a killed process
 * left.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError } from "../host/errors.ts";
import { writeFileAtomic } from "../host/files.ts";
import { type Digest, hexOf } from "../spec/digest.ts";
import type { Layer } from "./driver.ts";

const SHORT = 12;
/** A layer's name on disk. */
export const shortName = (chainId: Digest): string => hexOf(chainId).slice(0, SHORT);

export const layerMissing = (chainId: Digest, where: string): LxcriError =>
  new LxcriError("layer-missing", `layer ${chainId} is not in ${where}`, { fix: "Pull the image again." });

export class LayerMarks {
  readonly #folder: string;

  /** @param folder must exist before anything is written */
  constructor(folder: string) {
    this.#folder = folder;
  }

  #pathOf(chainId: Digest): string {
    return join(this.#folder, `${shortName(chainId)}.json`);
  }

  /** undefined where the layer is not complete. @throws LxcriError `layer-name-collision` */
  find(chainId: Digest): Layer | undefined {
    const mark = readMark(this.#pathOf(chainId));
    if (mark === undefined || mark.chainId === chainId) return mark;
    throw new LxcriError(
      "layer-name-collision",
      `layers ${chainId} and ${mark.chainId} begin with the same ${SHORT} digits; they cannot be kept both`,
    );
  }

  write(mark: Layer): void {
    writeFileAtomic(this.#pathOf(mark.chainId), JSON.stringify(mark));
  }

  remove(chainId: Digest): void {
    rmSync(this.#pathOf(chainId), { force: true });
  }

  list(): Layer[] {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith(".json"));
    return names.flatMap((name) => readMark(join(this.#folder, name)) ?? []);
  }
}

function readMark(path: string): Layer | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Layer;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
