/** Mount points: asked of the kernel by path, without reading the mount table. */
import { isMissing } from "./errors.ts";
import { call, umount } from "./libc.ts";

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const STATX_BASIC_STATS = 0x7ff;
/** stx_attributes; Linux 5.8. */
const STATX_ATTR_MOUNT_ROOT = 0x2000n;

/** Is something mounted exactly here? False where nothing is there at all. */
export function isMountPoint(path: string): boolean {
  // struct statx is 256 bytes, stx_attributes the 64 bits at 8
  const buffer = new BigUint64Array(32);
  try {
    call("statx", [AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, buffer], path);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  return ((buffer[1] ?? 0n) & STATX_ATTR_MOUNT_ROOT) !== 0n;
}

/** Takes away all that is mounted on the path, however often; users of it keep it until they end. */
export function unmountAll(path: string): void {
  while (isMountPoint(path)) umount(path);
}
