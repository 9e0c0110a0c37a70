/** Names in a layer: split into components once, hostile ones refused before any system call sees them. */
import { LayerError, shown } from "./layer-error.ts";

/** Deepest folder; also bounds what removing a tree needs. */
export const MAX_DEPTH = 256;
/** Longest path in bytes, so that the kernel can take it whole with the layer's own path before it. */
export const MAX_PATH = 3500;

/**
 * The components of a path relative to the layer's root; empty for the root itself. A leading slash is dropped.
 * @throws LayerError `layer-path-invalid` for `..`, NUL and what is too long or too deep
 */
export function splitPath(path: string): string[] {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw invalid(path, "leads out through ..");
  if (path.includes("\0")) throw invalid(path, "holds a NUL byte");
  if (parts.length > MAX_DEPTH || path.length > MAX_PATH) throw invalid(path, "is too long");
  return parts;
}

export const invalid = (path: string, why: string): LayerError =>
  new LayerError("layer-path-invalid", `layer entry ${shown(path)}: its path ${why}; refused`);
