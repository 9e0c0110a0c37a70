import { LxcriError } from "../../host/errors.ts";

/**
 * A layer that must not or cannot be unpacked. Codes: `layer-path-invalid`, `layer-whiteout-invalid`,
 * `layer-too-large`, `layer-bomb`, `layer-link-missing`, `layer-digest-mismatch`, `layer-compression`,
 * `disk-full`.
 */
export class LayerError extends LxcriError {}

/** A name for messages, cut to a sane length and safe to print. */
export const shown = (path: string): string =>
  JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
