/**
 * Images that are looked at as file systems, without a container. `image-<digits>` are mounted until a person unmounts
 * them; `image-scratch-<uuid>` serve one piece of work and go with the process that holds their lock.
 *
 *     <data root>/images/mounts/image-scratch-<uuid>     under flock
 */
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { tryLockFile } from "../host/file-lock.ts";
import { type ContainerId, parseContainerId } from "../spec/container-id.ts";
import { type Digest, hexOf } from "../spec/digest.ts";
import { makeFolder, PRIVATE } from "../storage/private-folder.ts";
import { openStorage } from "../storage/storage.ts";
import { Lease } from "./lease.ts";
import { ImageNames, type NamedImage } from "./names.ts";

const SCRATCH = "image-scratch-";

function mountsFolder(dataRoot: string): string {
  const folder = join(dataRoot, "images/mounts");
  makeFolder(join(dataRoot, "images"), PRIVATE);
  makeFolder(folder, PRIVATE);
  return folder;
}

const idOf = ({ id }: NamedImage): ContainerId => parseContainerId(`image-${hexOf(id).slice(0, 12)}`);

function findOne(dataRoot: string, image: string): NamedImage {
  const [found] = new ImageNames(dataRoot).find(image);
  if (found === undefined) throw new RangeError(image);
  return found;
}

/**
 * Mounts an image; again, it is found mounted. What is written there stays until the unmount, and is no part of the
 * image. Returns the folder.
 * @throws LxcriError `image-not-found`, `layer-missing`
 */
export async function mountImage(dataRoot: string, image: string): Promise<string> {
  const found = findOne(dataRoot, image);
  using lease = new Lease(dataRoot);
  await lease.protect(found.layers);
  return (await openStorage(dataRoot).prepare(idOf(found), found.layers)).rootfs;
}

/** Harmless where it is not mounted. @throws LxcriError `image-not-found` */
export async function unmountImage(dataRoot: string, image: string): Promise<void> {
  await openStorage(dataRoot).remove(idOf(findOne(dataRoot, image)));
}

/** Does something with the mounted image. */
export async function withMountedImage<T>(
  dataRoot: string,
  layers: readonly Digest[],
  work: (rootfs: string) => Promise<T>,
): Promise<T> {
  const id = parseContainerId(`${SCRATCH}${randomUUID()}`);
  const lock = tryLockFile(join(mountsFolder(dataRoot), id));
  const driver = openStorage(dataRoot);
  using lease = new Lease(dataRoot);
  try {
    await lease.protect(layers);
    return await work((await driver.prepare(id, layers)).rootfs);
  } finally {
    await driver.remove(id);
    lock?.release();
  }
}

/** Removes what killed processes left mounted. */
export async function removeAbandonedMounts(dataRoot: string): Promise<void> {
  const driver = openStorage(dataRoot);
  const folder = mountsFolder(dataRoot);
  // The lock comes before the mount and goes after it: a kill may have left it alone.
  const names = new Set([...driver.list().map(({ id }) => id as string), ...readdirSync(folder)]);
  for (const name of names) {
    if (!name.startsWith(SCRATCH)) continue;
    const id = parseContainerId(name);
    const lock = tryLockFile(join(folder, id));
    if (lock === undefined) continue;
    try {
      await driver.remove(id);
    } finally {
      lock.release();
    }
  }
}
