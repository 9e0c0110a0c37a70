/** Named volumes as things of their own: made ahead, listed, removed. See volumes.ts for how containers get them. */
import { chownSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { runChecked } from "../../host/process.ts";
import { defaultIdMap, toHostId } from "../../security/userns.ts";
import { makeDataRoot, makeFolder, PASSABLE } from "../../storage/private-folder.ts";
import type { LaunchedStore } from "./record.ts";
import { isVolumeName, removeVolume, volumeFolder } from "./volumes.ts";

/** A volume. */
export interface VolumeEntry {
  readonly name: string;
  /** Its folder on the host. */
  readonly path: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** Host ids of the folder's owner. */
  readonly uid: number;
  readonly gid: number;
  /** Launched containers that mount it. */
  readonly containers: readonly string[];
}

/** All volumes, by name. */
export function listVolumes(launched: LaunchedStore): VolumeEntry[] {
  let names: string[];
  try {
    names = readdirSync(join(launched.dataRoot, "volumes"));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const users = usersBySource(launched);
  return names
    .filter((name) => isVolumeName(name) && !name.endsWith(".draft"))
    .sort()
    .flatMap((name) => describe(launched.dataRoot, name, users) ?? []);
}

/** @throws LxcriError `volume-not-found`, `volume-name-invalid` */
export function findVolume(launched: LaunchedStore, name: string): VolumeEntry {
  const found = describe(launched.dataRoot, name, usersBySource(launched));
  if (found !== undefined) return found;
  throw new LxcriError("volume-not-found", `volume ${JSON.stringify(name)} does not exist`, {
    fix: "`proxmox-lxcri volume ls` shows those that do.",
  });
}

function describe(
  dataRoot: string,
  name: string,
  users: ReadonlyMap<string, readonly string[]>,
): VolumeEntry | undefined {
  const path = volumeFolder(dataRoot, name);
  try {
    const { birthtime, uid, gid } = statSync(path);
    return { name, path, created: birthtime.toISOString(), uid, gid, containers: users.get(path) ?? [] };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Makes an empty volume, owned by the root of an unprivileged container (or the host's). One that is there is left
 * alone.
 * @throws LxcriError `volume-name-invalid`
 */
export function createVolume(launched: LaunchedStore, name: string, privileged: boolean): VolumeEntry {
  const { dataRoot } = launched;
  const folder = volumeFolder(dataRoot, name);
  makeDataRoot(dataRoot);
  makeFolder(join(dataRoot, "volumes"), PASSABLE);
  const draft = `${folder}.${process.pid}.draft`;
  makeFolder(draft, 0o755);
  try {
    if (!privileged) {
      const { uidMappings, gidMappings } = defaultIdMap();
      chownSync(draft, toHostId(uidMappings, 0) ?? 0, toHostId(gidMappings, 0) ?? 0);
    }
    // nothing is replaced but an empty folder
    renameSync(draft, folder);
  } catch (error) {
    if (describe(dataRoot, name, new Map()) === undefined) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return findVolume(launched, name);
}

/** @throws LxcriError `volume-not-found`, `volume-in-use` */
export function deleteVolume(launched: LaunchedStore, name: string): void {
  const { containers } = findVolume(launched, name);
  if (containers.length > 0) {
    throw new LxcriError(
      "volume-in-use",
      `volume ${JSON.stringify(name)}: ${containers.join(", ")} mounts it`,
      {
        fix: `Remove the container first: proxmox-lxcri rm ${containers[0]}`,
      },
    );
  }
  removeVolume(launched.dataRoot, name);
}

/** Bytes on disk. */
export async function volumeBytes({ path }: VolumeEntry): Promise<number> {
  const { stdout } = await runChecked(["du", "-s", "-x", "-B1", "--", path], { timeout: 600_000 });
  return Number.parseInt(stdout, 10);
}

/** Source of a bind mount → containers that have it. */
function usersBySource(launched: LaunchedStore): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { name } of launched.list()) {
    for (const source of sourcesOf(join(launched.bundle(name), "config.json"))) {
      const known = users.get(source);
      if (known === undefined) users.set(source, [name]);
      else known.push(name);
    }
  }
  return users;
}

function sourcesOf(path: string): string[] {
  try {
    const { mounts } = JSON.parse(readFileSync(path, "utf8")) as { mounts?: { source?: string }[] };
    return (mounts ?? []).flatMap(({ source }) => source ?? []);
  } catch (error) {
    // a launch that has not come so far
    if (isMissing(error)) return [];
    throw error;
  }
}
