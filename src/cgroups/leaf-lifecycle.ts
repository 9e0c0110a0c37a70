/** Before and after a leaf's life: room for LXC to make it, its owner, its removal. */
import { chownSync, existsSync, mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf, isMissing, messageOf } from "../host/errors.ts";
import { prepareCpuset } from "./cpuset.ts";
import { CgroupError, type CgroupLayout } from "./hierarchy.ts";
import { waitEmpty } from "./kill.ts";
import { childrenOf, type Leaf, processesBelow, readFile, writeControl } from "./leaf.ts";

/**
 * Makes way for LXC, which fails where the leaf exists and says little where v2 will not delegate: removes an
 * existing empty leaf and, on v2, makes the parents with all controllers enabled.
 * @throws CgroupError `cgroup-not-empty`, `cgroup-not-a-folder`, `cgroup-delegation-failed`
 */
export function prepareLeaf(layout: CgroupLayout, leaf: Leaf): void {
  for (const folder of Object.values(leaf.folders)) {
    if (!existsSync(folder)) continue;
    if (!statSync(folder).isDirectory()) {
      throw new CgroupError("cgroup-not-a-folder", `${folder}: is a control file, not a group`);
    }
    const pids = processesBelow(folder);
    if (pids.length > 0) {
      throw new CgroupError(
        "cgroup-not-empty",
        `container's cgroup is not empty: ${pids.length} process(es) found in ${folder}`,
        { fix: "Choose another linux.cgroupsPath, or end these processes." },
      );
    }
  }
  for (const folder of Object.values(leaf.folders)) {
    const left = removeTree(folder);
    if (left !== undefined) throw left;
  }
  const cpuset = layout.hierarchies.find((h) => h.version === 1 && h.controllers.includes("cpuset"));
  const cpusetLeaf = leaf.folderOf("cpuset");
  if (cpuset !== undefined && cpusetLeaf !== undefined) prepareCpuset(cpuset.mountPoint, dirname(cpusetLeaf));
  const unified = layout.hierarchies.find((h) => h.version === 2);
  if (unified !== undefined && leaf.unified !== undefined) {
    enableBelow(unified.root, dirname(leaf.unified), unified.controllers);
  }
}

/** Makes each group from `root` down to `parent` and enables the controllers for its children. */
export function enableBelow(root: string, parent: string, controllers: readonly string[]): void {
  const steps = parent === root ? [] : parent.slice(root.length + 1).split("/");
  let folder = root;
  enable(folder, controllers);
  for (const step of steps) {
    folder = `${folder}/${step}`;
    try {
      mkdirSync(folder);
    } catch (cause) {
      if (errnoOf(cause) !== "EEXIST") throw delegationError(folder, "make the group", cause);
    }
    enable(folder, controllers);
  }
}

function enable(folder: string, controllers: readonly string[]): void {
  if (controllers.length === 0) return;
  const enabled = new Set(readFile(`${folder}/cgroup.subtree_control`)?.split(" "));
  const missing = controllers.filter((name) => !enabled.has(name));
  if (missing.length === 0) return;
  try {
    writeControl(folder, "cgroup.subtree_control", missing.map((name) => `+${name}`).join(" "));
  } catch (error) {
    const cause = error instanceof CgroupError ? error.cause : error;
    throw delegationError(folder, `enable ${missing.join(", ")} for its children`, cause);
  }
}

function delegationError(folder: string, what: string, cause: unknown): CgroupError {
  const errno = errnoOf(cause);
  const error = (why: string, fix?: string) =>
    new CgroupError("cgroup-delegation-failed", `${folder}: cannot ${what}: ${why}`, {
      cause,
      ...(fix === undefined ? {} : { fix }),
    });
  if (errno === "EBUSY") {
    const pids = (readFile(`${folder}/cgroup.procs`) ?? "").split("\n").filter(Boolean);
    return error(
      `it holds processes itself (${pids.length}, the first is ${pids[0] ?? "gone"}), and cgroup v2 lets a group have either processes or controllers for children`,
      "Move these processes into a child group first, or choose another linux.cgroupsPath.",
    );
  }
  if (errno === "ENOTSUP") {
    const type = readFile(`${folder}/cgroup.type`) ?? "threaded";
    return error(
      `its type is "${type}"; containers need a domain group`,
      "Choose a linux.cgroupsPath elsewhere.",
    );
  }
  if (errno === "EAGAIN") return error("cgroup.max.descendants or cgroup.max.depth is reached");
  return error(messageOf(cause));
}

/**
 * Gives a v2 leaf to the user that is root in the container: the folder and the files that the kernel lists for
 * delegation (OCI config-linux, "Cgroup ownership"). v1 groups stay the host's, as with runc.
 */
export function delegateLeaf(leaf: Leaf, uid: number, gid: number): void {
  const folder = leaf.unified;
  if (folder === undefined || Object.keys(leaf.folders).length > 1) return;
  const listed = readFile("/sys/kernel/cgroup/delegate")?.split("\n");
  chownSync(folder, uid, gid);
  for (const file of listed ?? ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]) {
    try {
      chownSync(`${folder}/${file}`, uid, gid);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

/** Removes a group and those below it; the error where one stays. */
function removeTree(folder: string): CgroupError | undefined {
  for (const child of childrenOf(folder)) {
    const left = removeTree(child);
    if (left !== undefined) return left;
  }
  try {
    rmdirSync(folder);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    const pids = processesBelow(folder);
    const why =
      pids.length > 0 ? `${pids.length} process(es) are in it: ${pids.slice(0, 5).join()}` : messageOf(cause);
    return new CgroupError("cgroup-remove-failed", `remove ${folder}: ${why}`, { cause });
  }
  return undefined;
}

/**
 * Removes the leaf in every hierarchy, children first; one that is gone already is fine. Processes that are on
 * their way out get `timeout` ms; it kills nobody.
 * @throws CgroupError `cgroup-remove-failed`
 */
export async function removeLeaf(leaf: Leaf, timeout = 2_000, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + timeout;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    const [left] = Object.values(leaf.folders).flatMap((folder) => removeTree(folder) ?? []);
    if (left === undefined) return;
    const time = deadline - performance.now();
    if (time <= 0 || signal?.aborted === true || errnoOf(left.cause) !== "EBUSY") throw left;
    // Empty, yet busy: the last task is half-way through its exit, of which no event tells.
    if (!leaf.isPopulated()) await Bun.sleep(pause);
    else if (!(await waitEmpty(leaf, time, signal))) throw left;
  }
}
