/** Volumes that a container owns without mounting them: its `unusedN` entries. */
import { LxcriError } from "../host/errors.ts";
import { type ConfigSection, type ContainerConfig, mountedVolumes } from "./config-text.ts";
import { readMountPoint } from "./mount-point.ts";

const MOST_UNUSED = 256;

/** True where the container, a waiting change or a snapshot mounts the volume. */
export function isVolumeInUse(config: ContainerConfig, volume: string): boolean {
  const sections: ConfigSection[] = [config, config.pending, ...config.snapshots.values()];
  return sections.some((section) => mountedVolumes(section).some(([, mounted]) => mounted === volume));
}

/**
 * Keeps the volume of a mount point that goes away: notes it under the lowest free `unusedN`, unless it is noted
 * already, or another mount point of the container has it. Directories and devices are not owned.
 *
 * @param value the mount point's configuration value as it was
 * @throws {@link LxcriError} `pve-too-many-unused` where every `unusedN` is taken
 */
export function keepVolume(config: ContainerConfig, key: string, value: string): void {
  const { type, volume } = readMountPoint(key, value) ?? {};
  if (type !== "volume" || volume === undefined) return;
  if (mountedVolumes(config).some(([other, mounted]) => other !== key && mounted === volume)) return;
  const indices = Array.from({ length: MOST_UNUSED }, (_, index) => index);
  if (indices.some((index) => config.values.get(`unused${index}`) === volume)) return;
  const free = indices.find((index) => !config.values.has(`unused${index}`));
  if (free === undefined)
    throw new LxcriError(
      "pve-too-many-unused",
      `cannot keep volume ${volume}: all unused entries are taken`,
      {
        fix: "Delete unused volumes of this container first.",
      },
    );
  config.values.set(`unused${free}`, volume);
}
