/** OCI whiteouts (`.wh.x`, `.wh..wh..opq`) and what overlayfs has for them; image spec, layer.md. */
import { constants, fstatSync } from "node:fs";
import { close, mknodAt, O_PATH, openAt, setXattrAt } from "../../host/at.ts";
import { errnoOf } from "../../host/errors.ts";
import { LayerError, shown } from "./layer-error.ts";

const PREFIX = ".wh.";
const META = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";
const OVERLAY_OPAQUE = "trusted.overlay.opaque";
const S_IFCHR = 0o020000;
const S_IFMT = 0o170000;

/** What an entry's path means. `ignored`: book-keeping of AUFS. */
export type PathMeaning =
  | { readonly kind: "node" }
  | { readonly kind: "ignored" }
  /** Hides everything that lower layers have in the entry's folder. */
  | { readonly kind: "opaque" }
  /** Hides `name` of lower layers in the entry's folder. */
  | { readonly kind: "whiteout"; readonly name: string };

/** @throws LayerError `layer-whiteout-invalid` */
export function meaningOf(parts: readonly string[]): PathMeaning {
  const name = parts.at(-1) ?? "";
  const folders = parts.slice(0, -1);
  if (folders.some((part) => part.startsWith(META))) return { kind: "ignored" };
  if (folders.some((part) => part.startsWith(PREFIX))) throw invalid(parts);
  if (name === OPAQUE) return { kind: "opaque" };
  if (name.startsWith(META)) return { kind: "ignored" };
  if (!name.startsWith(PREFIX)) return { kind: "node" };
  const hidden = name.slice(PREFIX.length);
  if (hidden === "" || hidden === "." || hidden === "..") throw invalid(parts);
  return { kind: "whiteout", name: hidden };
}

const invalid = (parts: readonly string[]): LayerError =>
  new LayerError(
    "layer-whiteout-invalid",
    `layer entry ${shown(parts.join("/"))}: not a valid whiteout; refused`,
  );

/** Hides `name`: a 0/0 character device. @throws SystemError EEXIST where the layer itself has the name */
export const putWhiteout = (dir: number, name: string): void => mknodAt(dir, name, S_IFCHR, 0);

/** Is `name` hidden by this layer? */
export function isWhiteout(dir: number, name: string): boolean {
  let fd: number;
  try {
    fd = openAt(dir, name, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    return (stat.mode & S_IFMT) === S_IFCHR && stat.rdev === 0;
  } finally {
    close(fd);
  }
}

/** Hides what lower layers have in the folder `name` of `dir`, or in `dir` itself where empty. */
export const putOpaque = (dir: number, name: string): void => {
  setXattrAt(dir, name, OVERLAY_OPAQUE, Buffer.from("y"));
};
