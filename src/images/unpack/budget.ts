/** Bounds on what one layer may become, against archives made to fill a disk. */
import { LayerError } from "./layer-error.ts";

/** What a layer may become. */
export interface LayerLimits {
  /** Files, links, directories …; whiteouts too. */
  readonly entries: number;
  /** Bytes, holes of sparse files counted. */
  readonly bytes: number;
  /** Unpacked ÷ compressed bytes, looked at beyond {@link RATIO_FROM} unpacked bytes. */
  readonly ratio: number;
}

/** Generous: the largest images in the field (machine learning) have layers of some 20 GiB. */
export const DEFAULT_LIMITS: LayerLimits = { entries: 2_000_000, bytes: 256 * 2 ** 30, ratio: 1000 };

const RATIO_FROM = 64 * 2 ** 20;

/** Counts against {@link LayerLimits}; each method throws LayerError where one is passed. */
export class Budget {
  readonly #limits: LayerLimits;
  readonly #layer: string;
  #entries = 0;
  #bytes = 0;

  /** @param layer its name in messages */
  constructor(layer: string, limits: LayerLimits = DEFAULT_LIMITS) {
    this.#layer = layer;
    this.#limits = limits;
  }

  /** One more entry of `size` bytes. */
  entry(size: number): void {
    this.#entries += 1;
    this.#bytes += size;
    if (this.#entries > this.#limits.entries) {
      throw new LayerError(
        "layer-too-large",
        `layer ${this.#layer}: more than ${this.#limits.entries} files; refused`,
      );
    }
    if (this.#bytes > this.#limits.bytes) {
      throw new LayerError(
        "layer-too-large",
        `layer ${this.#layer}: unpacks to more than ${this.#limits.bytes} bytes; refused`,
      );
    }
  }

  /** `unpacked` bytes came out of `compressed` ones so far. */
  expansion(compressed: number, unpacked: number): void {
    if (unpacked > this.#limits.bytes) {
      throw new LayerError(
        "layer-too-large",
        `layer ${this.#layer}: unpacks to more than ${this.#limits.bytes} bytes; refused`,
      );
    }
    if (unpacked > RATIO_FROM && unpacked > compressed * this.#limits.ratio) {
      throw new LayerError(
        "layer-bomb",
        `layer ${this.#layer}: expands more than ${this.#limits.ratio}-fold, as decompression bombs do; refused`,
      );
    }
  }
}
