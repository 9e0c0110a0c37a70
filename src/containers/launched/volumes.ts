/**
 * Volumes: folders of the data root that outlive containers. A new one begins with what the image has at its place.
 * Owners on disk are those of the container that first used it.
 */
import { chmodSync, chownSync, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { close, O_PATH, openBeneath, openDirectory } from "../../host/at.ts";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { runChecked } from "../../host/process.ts";
import { toHostId } from "../../security/userns.ts";
import type { IdMaps } from "../../storage/driver.ts";
import { makeFolder, PASSABLE } from "../../storage/private-folder.ts";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}$/;

/** Whether a text may name a volume. */
export const isVolumeName = (text: string): boolean => NAME.test(text);

/** The folder of a volume. @throws LxcriError `volume-name-invalid` */
export function volumeFolder(dataRoot: string, name: string): string {
  if (isVolumeName(name)) return join(dataRoot, "volumes", name);
  throw new LxcriError("volume-name-invalid", `volume name ${JSON.stringify(name)}: is not allowed`, {
    fix: "Use letters, digits, _, . and -; a path of the host begins with / or ./",
  });
}

/** What a new volume is made from. */
export interface VolumeModel {
  /** Root file system of the container, mounted. */
  readonly rootfs: string;
  /** Where in it the volume goes. */
  readonly destination: string;
  readonly idMaps?: IdMaps;
}

/**
 * Makes the volume where it is missing; a kill half-way leaves none. Returns its folder.
 * @param model absent: it begins empty and is root's, for a mount that shifts owners
 */
export async function prepareVolume(dataRoot: string, name: string, model?: VolumeModel): Promise<string> {
  const folder = volumeFolder(dataRoot, name);
  makeFolder(join(dataRoot, "volumes"), PASSABLE);
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${process.pid}.draft`;
  rmSync(draft, { recursive: true, force: true });
  makeFolder(draft, 0o755);
  try {
    const { uidMappings = [], gidMappings = [] } = model?.idMaps ?? {};
    chownSync(draft, toHostId(uidMappings, 0) ?? 0, toHostId(gidMappings, 0) ?? 0);
    if (model !== undefined) await copyContent(model, draft);
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return folder;
}

/** The container does not run yet, so nobody moves things while they are copied; links are copied as links. */
async function copyContent({ rootfs, destination }: VolumeModel, target: string): Promise<void> {
  const root = openDirectory(rootfs);
  try {
    const source = openBeneath(root, destination, O_PATH);
    try {
      const path = `/proc/${process.pid}/fd/${source}`;
      const info = statSync(path);
      if (!info.isDirectory()) return;
      await runChecked(["cp", "--archive", "--no-target-directory", `${path}/.`, target], {
        timeout: 600_000,
      });
      chownSync(target, info.uid, info.gid);
      chmodSync(target, info.mode & 0o7777);
    } finally {
      close(source);
    }
  } catch (error) {
    // The image has nothing there.
    if (!isMissing(error)) throw error;
  } finally {
    close(root);
  }
}

/** Removes a volume with its content. */
export const removeVolume = (dataRoot: string, name: string): void =>
  rmSync(volumeFolder(dataRoot, name), { recursive: true, force: true });
