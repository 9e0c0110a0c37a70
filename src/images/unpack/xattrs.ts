/** Which extended attributes of a layer are restored. */
import { setXattrAt } from "../../host/at.ts";
import { errnoOf } from "../../host/errors.ts";

const CAPABILITY = "security.capability";

/**
 * `user.*`, file capabilities and POSIX ACLs. Not `trusted.*` (an image could redirect an overlay directory to
 * another place) and no labels of security modules, which are the host's to give.
 */
const isRestored = (key: string): boolean =>
  key === CAPABILITY ||
  key.startsWith("user.") ||
  key === "system.posix_acl_access" ||
  key === "system.posix_acl_default";

/** Sets what may be set on `name` of `dir` (on `dir` where empty). Only a lost file capability is an error. */
export function restoreXattrs(dir: number, name: string, xattrs: ReadonlyMap<string, Uint8Array>): void {
  for (const [key, value] of xattrs) {
    if (!isRestored(key)) continue;
    try {
      setXattrAt(dir, name, key, value);
    } catch (error) {
      const errno = errnoOf(error);
      // user.* on links and devices; file systems without ACLs
      if (key === CAPABILITY || (errno !== "EPERM" && errno !== "ENOTSUP" && errno !== "EOPNOTSUPP"))
        throw error;
    }
  }
}
