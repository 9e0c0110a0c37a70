/** The overlay mount of one container: its options, planned; and the mount itself, owners shifted if asked. */
import { accessSync, closeSync, constants, rmdirSync } from "node:fs";
import { join } from "node:path";
import { close, openDirectory } from "../../host/at.ts";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { mountIdmapped, userNamespaceFd } from "../../host/idmapped-mount.ts";
import { MS_NODEV, mount } from "../../host/libc.ts";
import { unmountAll } from "../../host/mount-point.ts";
import type { IdMaps } from "../driver.ts";
import { makeFolder, PRIVATE } from "../private-folder.ts";

/** mount(2) copies one page of options. */
const MAX_OPTIONS = 4095;

/**
 * Explicit, whatever the kernel was built with: a layer must not redirect a folder to another place, and a file
 * must be readable without its lower half.
 */
const FIXED = "index=off,redirect_dir=nofollow,metacopy=off,nfs_export=off";

/** A backslash, comma or colon would end a path in the options. */
const quoted = (path: string): string => path.replace(/[\\:,]/g, "\\$&");

/** The option string. `layers`: paths, topmost first; `changes` holds `upper` and `work`. */
export function overlayOptions(layers: readonly string[], changes: string): string {
  const lower = layers.map(quoted).join(":");
  return `lowerdir=${lower},upperdir=${quoted(`${changes}/upper`)},workdir=${quoted(`${changes}/work`)},${FIXED}`;
}

/** What to mount. */
export interface OverlayMount {
  readonly target: string;
  /** Folder that holds the layers. */
  readonly layersFolder: string;
  /** Names in it, topmost first. */
  readonly layers: readonly string[];
  /** Folder with `upper` and `work`. */
  readonly changes: string;
}

function mountPlain(plan: OverlayMount, flags: number): void {
  const options = overlayOptions(
    plan.layers.map((name) => join(plan.layersFolder, name)),
    plan.changes,
  );
  if (options.length <= MAX_OPTIONS) {
    mount("overlay", plan.target, "overlay", flags, options);
    return;
  }
  // many layers: the shortest way to say where they are
  const fd = openDirectory(plan.layersFolder);
  try {
    const short = plan.layers.map((name) => `/proc/self/fd/${fd}/${name}`);
    const shorter = overlayOptions(short, plan.changes);
    if (shorter.length > MAX_OPTIONS) {
      throw new LxcriError(
        "layers-too-many",
        `${plan.target}: ${plan.layers.length} layers are more than one overlay mount takes`,
      );
    }
    mount("overlay", plan.target, "overlay", flags, shorter);
  } finally {
    close(fd);
  }
}

/** Mounts with owners as on disk. */
export const mountOverlay = (plan: OverlayMount): void => mountChecked(plan, 0);

/** Mounts with owners as on disk, for layers whose copies have the container's; devices cannot be opened. */
export const mountOverlayUnprivileged = (plan: OverlayMount): void => mountChecked(plan, MS_NODEV);

/**
 * Mounts with the layers' owners shifted, by a mount of them that is needed only for a moment. The changes are not
 * shifted, they have the container's host ids on disk: overlayfs works there as the host's root, which a shifted
 * mount does not know (it would become read-only).
 * @param scratch existing folder for that mount's mount point, private to the container
 * @throws SystemError where kernel or file system cannot (Linux 5.19 is the first that can)
 */
export async function mountOverlayShifted(
  plan: OverlayMount,
  idMaps: IdMaps,
  scratch: string,
): Promise<void> {
  const shifted = join(scratch, "layers");
  const userNamespace = await userNamespaceFd(idMaps.uidMappings, idMaps.gidMappings);
  try {
    clearScratch(scratch);
    makeFolder(shifted, PRIVATE);
    mountIdmapped(plan.layersFolder, shifted, userNamespace);
    mountChecked({ ...plan, layersFolder: shifted }, MS_NODEV);
  } finally {
    closeSync(userNamespace);
    clearScratch(scratch);
  }
}

/** Takes away the mount and mount point of {@link mountOverlayShifted}, also a killed process's. */
export function clearScratch(scratch: string): void {
  const shifted = join(scratch, "layers");
  unmountAll(shifted);
  try {
    rmdirSync(shifted);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** overlayfs turns read-only, with success, where it cannot use its work folder. */
function mountChecked(plan: OverlayMount, flags: number): void {
  mountPlain(plan, flags);
  try {
    accessSync(plan.target, constants.W_OK);
  } catch (cause) {
    unmountAll(plan.target);
    throw new LxcriError("overlay-read-only", `${plan.target}: the overlay cannot be written to`, {
      cause,
      fix: "The kernel's log says why. The data root must be on a file system that overlayfs can write to.",
    });
  }
}
