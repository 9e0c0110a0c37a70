/** `rootfs`, `mpN` and `unusedN`: volumes, devices and directories mounted into a container. */
import { MOUNT_POINT_FORMAT, numberedKey, ROOTFS_FORMAT, UNUSED_FORMAT } from "./container-schema.ts";
import { parseSize } from "./disk-size.ts";
import { PropertyStringError, printPropertyString, readPropertyString } from "./property-string.ts";
import type { PropertyFormat } from "./value-schema.ts";

/** What is mounted: a volume of a storage, a directory of the host, or a block device. */
export type MountPointType = "bind" | "device" | "volume";

/** A mount point with its properties; `size` is in bytes, `mp` is `/` for the root. */
export interface MountPoint {
  readonly type: MountPointType;
  /** Volume id, directory or device. */
  readonly volume: string;
  /** All properties by key, booleans as `0` or `1`. */
  readonly properties: ReadonlyMap<string, string>;
}

/** One range of a mount point's id mapping: kind, first id inside, first id on the host, how many. */
export type IdMapping = readonly [kind: string, inside: string, host: string, count: string];

function formatOf(key: string): PropertyFormat {
  if (key === "rootfs") return ROOTFS_FORMAT;
  return numberedKey(key)?.family === "unused" ? UNUSED_FORMAT : MOUNT_POINT_FORMAT;
}

/** What a volume text names. */
export function classifyVolume(volume: string): MountPointType {
  if (!volume.startsWith("/")) return "volume";
  return volume.startsWith("/dev/") ? "device" : "bind";
}

/** The mount point of a configuration value, or undefined where the value is not valid. */
export function readMountPoint(key: string, text: string): MountPoint | undefined {
  const { values, faults } = readPropertyString(formatOf(key), text);
  return faults === undefined ? fromValues(key, values) : undefined;
}

/**
 * The mount point of a configuration value; `key` is `rootfs`, `mpN` or `unusedN`.
 *
 * @throws {@link PropertyStringError} where the value is not valid
 */
export function parseMountPoint(key: string, text: string): MountPoint {
  const { values, faults } = readPropertyString(formatOf(key), text);
  if (faults !== undefined) throw new PropertyStringError(text, faults);
  return fromValues(key, values);
}

function fromValues(key: string, properties: Map<string, string>): MountPoint {
  const volume = properties.get("volume") ?? "";
  const size = parseSize(properties.get("size") ?? "");
  if (size !== undefined) properties.set("size", String(size));
  if (key === "rootfs") properties.set("mp", "/");
  return { type: classifyVolume(volume), volume, properties };
}

/** The configuration value of a mount point. */
export function printMountPoint(key: string, mountPoint: MountPoint): string {
  return printPropertyString(formatOf(key), mountPoint.properties);
}

/** True for `storage:size`, which asks for a new volume of so many GiB. */
export const asksForNewVolume = (volume: string): boolean => /^[^:\s]+:\d+(?:\.\d+)?$/.test(volume);

/** The ranges of a mount point's `idmap`; `passthrough` maps every id to itself. */
export function idMappings(mountPoint: MountPoint): "passthrough" | readonly IdMapping[] {
  const text = mountPoint.properties.get("idmap") ?? "";
  if (text === "passthrough") return text;
  return text.split(";").flatMap((part) => {
    const [kind, inside, host, count] = part.split(":");
    return kind && inside && host && count ? [[kind, inside, host, count] as const] : [];
  });
}
