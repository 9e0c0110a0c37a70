/** Which driver a data root uses: `storage/settings.json` says it, once chosen, so that it does not change by itself. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError } from "../host/errors.ts";
import { writeFileAtomic } from "../host/files.ts";
import { mountOf } from "../host/mount-table.ts";
import { parseLocation } from "./location.ts";

const settingsPath = (dataRoot: string): string => join(dataRoot, "storage/settings.json");

/** The location for what is new; chosen and written where the data root, which must exist, has none yet. */
export function chosenLocation(dataRoot: string): string {
  let text: string;
  try {
    text = readFileSync(settingsPath(dataRoot), "utf8");
  } catch (error) {
    if (!isMissing(error)) throw error;
    const location = suitableLocation(dataRoot);
    chooseLocation(dataRoot, location);
    return location;
  }
  try {
    const { location } = JSON.parse(text) as { location: string };
    parseLocation(location);
    return location;
  } catch (cause) {
    throw new LxcriError("storage-settings-damaged", `${settingsPath(dataRoot)}: names no storage location`, {
      cause,
      fix: 'Write {"location":"overlay"}, or where the layers and containers of this data root are.',
    });
  }
}

/** Makes it the location for what is new. @throws LxcriError `location-invalid` */
export function chooseLocation(dataRoot: string, location: string): void {
  parseLocation(location);
  writeFileAtomic(settingsPath(dataRoot), JSON.stringify({ location }), { durable: true });
}

/** statfs(2). */
const ZFS = 0x2fc12fc1;
const FUSE = 0x65735546;
const BTRFS = 0x9123683e;
/** Network file systems and overlayfs, which overlayfs cannot write to. */
const NO_UPPER = new Set([0x6969, 0xff534d42, 0xfe534d42, 0x517b, 0x794c7630, FUSE]);

/** What suits the file system that the data root is on. */
export function suitableLocation(dataRoot: string): string {
  if (existsSync(join(dataRoot, "overlay/layers"))) return "overlay";
  const { type } = statfsSync(dataRoot);
  if (type === BTRFS) return "btrfs";
  if (type === ZFS || type === FUSE) {
    const mount = mountOf(dataRoot);
    // only a dataset of its own: those below a system's root would be mounted over its folders
    if (mount.type.endsWith("zfs") && mount.point === dataRoot) return `zfs:${mount.source}`;
  }
  return NO_UPPER.has(type) ? "dir" : "overlay";
}
