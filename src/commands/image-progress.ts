/** How far an image is: a bar a layer on a terminal, a line a layer elsewhere. */
import type { ImageProgress } from "../images/unpack/unpack-image.ts";

/** Something that comes, is unpacked or goes. */
export type ProgressEvent = ImageProgress | (Omit<ImageProgress, "kind"> & { readonly kind: "push" });

const BAR = 24;
/** ms between two pictures. */
const REDRAW_MS = 80;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

const shortDigest = (digest: string): string => digest.slice("sha256:".length, "sha256:".length + 12);
const WORDS = { blob: "fetching", layer: "unpacking", push: "pushing" } as const;

/** One layer's line on a terminal. */
export function progressLine({ kind, digest, done, total }: ProgressEvent): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const bar = "=".repeat(Math.round(share * BAR)).padEnd(BAR);
  const word = kind !== "blob" && share === 1 ? "ready" : WORDS[kind];
  return `${shortDigest(digest)} ${word.padEnd(9)} [${bar}] ${formatBytes(total)}`;
}

/** Shows progress until closed. */
export class ProgressView implements Disposable {
  readonly #write: (text: string) => void;
  readonly #terminal: boolean;
  readonly #layers = new Map<string, ProgressEvent>();
  #drawn = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(write: (text: string) => void, terminal: boolean) {
    this.#write = write;
    this.#terminal = terminal;
  }

  readonly report = (event: ProgressEvent): void => {
    const before = this.#layers.get(event.digest);
    this.#layers.set(event.digest, event);
    // What was there all along is not worth a word.
    if (before === undefined && event.kind !== "blob" && event.done >= event.total) {
      this.#layers.delete(event.digest);
      return;
    }
    if (this.#terminal) this.#draw(false);
    else if (before?.kind !== event.kind) {
      this.#write(`${WORDS[event.kind]} ${shortDigest(event.digest)} (${formatBytes(event.total)})\n`);
    }
  };

  #draw(now: boolean): void {
    if (this.#layers.size === 0 || (!now && performance.now() - this.#drawnAt < REDRAW_MS)) return;
    this.#drawnAt = performance.now();
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : "";
    this.#write(up + [...this.#layers.values()].map((layer) => `\x1b[2K${progressLine(layer)}\n`).join(""));
    this.#drawn = this.#layers.size;
  }

  [Symbol.dispose](): void {
    if (this.#terminal) this.#draw(true);
  }
}
