/**
 * Mounts that show a folder with shifted owners, without changing a file: open_tree(2), mount_setattr(2) with a user
 * namespace, move_mount(2). Linux 5.12; the folder's file system must support it.
 */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { LxcriError } from "./errors.ts";
import { setCloseOnExec, syscall } from "./libc.ts";

/** One line of a uid_map: ids from `containerID` on (as on disk) appear as those from `hostID` on. */
export interface IdLine {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

const OPEN_TREE = 428;
const MOVE_MOUNT = 429;
const MOUNT_SETATTR = 442;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_IDMAP = 0x00100000n;
const MS_PRIVATE = 1n << 18n;

/** How long the helper that lends its user namespace may take, ms. */
const HELPER_TIMEOUT = 10_000;

const mapText = (lines: readonly IdLine[]): string =>
  lines.map((line) => `${line.containerID} ${line.hostID} ${line.size}\n`).join("");

/**
 * A descriptor of a new user namespace with these maps, held by nothing else: a process must be in it once for it
 * to exist, so a short-lived `unshare -U cat` is. Close it.
 * @throws LxcriError `user-namespace-failed`
 */
export async function userNamespaceFd(uids: readonly IdLine[], gids: readonly IdLine[]): Promise<number> {
  const child = Bun.spawn(["unshare", "--user", "--", "cat"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    timeout: HELPER_TIMEOUT,
    killSignal: "SIGKILL",
  });
  try {
    child.stdin.write("\n");
    await child.stdin.flush();
    // its echo: `cat` runs, so the namespace is there
    const { value } = await child.stdout.getReader().read();
    if (value === undefined) {
      const said = (await new Response(child.stderr).text()).trim();
      throw new LxcriError("user-namespace-failed", `no user namespace for id-mapped mounts: ${said}`);
    }
    writeFileSync(`/proc/${child.pid}/uid_map`, mapText(uids));
    writeFileSync(`/proc/${child.pid}/gid_map`, mapText(gids));
    const fd = openSync(`/proc/${child.pid}/ns/user`, "r");
    setCloseOnExec(fd, true);
    return fd;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

/**
 * Mounts the folder `source` on `target` (without mounts beneath it) with owners shifted as the user namespace says.
 * @throws SystemError EINVAL where the file system cannot, ENOSYS on old kernels
 */
export function mountIdmapped(source: string, target: string, userNamespace: number): void {
  const tree = syscall(OPEN_TREE, [AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC], source);
  try {
    // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    const attributes = new BigUint64Array([MOUNT_ATTR_IDMAP, 0n, MS_PRIVATE, BigInt(userNamespace)]);
    syscall(MOUNT_SETATTR, [tree, "", AT_EMPTY_PATH, attributes, attributes.byteLength], source);
    syscall(MOVE_MOUNT, [tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH], target);
  } finally {
    closeSync(tree);
  }
}
