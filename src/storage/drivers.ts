/** From a location to its driver. */
import { join } from "node:path";
import { BtrfsBackend } from "./clones/btrfs.ts";
import { CloneDriver } from "./clones/clone-driver.ts";
import { DirBackend } from "./clones/dir.ts";
import { ZfsBackend } from "./clones/zfs.ts";
import type { StorageDriver } from "./driver.ts";
import { parseLocation } from "./location.ts";
import { OverlayDriver } from "./overlay/overlay.ts";
import { PveDriver } from "./pve/pve-driver.ts";

/** @param location see location.ts. @throws LxcriError `location-invalid` */
export function openDriver(dataRoot: string, location: string): StorageDriver {
  const parsed = parseLocation(location);
  switch (parsed.driver) {
    case "overlay":
      return new OverlayDriver(dataRoot);
    case "zfs":
      return new CloneDriver(dataRoot, location, new ZfsBackend(parsed.dataset));
    case "btrfs":
      return new CloneDriver(dataRoot, location, new BtrfsBackend(parsed.path ?? join(dataRoot, "btrfs")));
    case "dir":
      return new CloneDriver(dataRoot, location, new DirBackend(parsed.path ?? join(dataRoot, "dir")));
    case "pve":
      return new PveDriver(dataRoot, location, parsed.place);
  }
}
