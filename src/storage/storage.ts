/** The door of the storage room: the driver for a data root. */
import type { SnapshotDriver } from "./driver.ts";
import { OverlayDriver } from "./overlay/overlay.ts";

/** Opens the storage at an absolute path, making it where it is missing. */
export const openStorage = (dataRoot: string): SnapshotDriver => new OverlayDriver(dataRoot);
