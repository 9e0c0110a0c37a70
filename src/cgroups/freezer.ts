/** Freezing and thawing a container's groups. */
import { IN_MODIFY, Watch } from "../host/inotify.ts";
import { CgroupError } from "./hierarchy.ts";
import { keyed, type Leaf, readFile, writeControl } from "./leaf.ts";

/** ms that all tasks get to stop. */
const DEFAULT_TIMEOUT = 5_000;

/** True while all its processes are stopped by its own freezer or by one above. */
export function isFrozen(leaf: Leaf): boolean {
  if (leaf.version("freezer") === 1) return leaf.read("freezer", "freezer.state") === "FROZEN";
  return keyed(leaf.read("freezer", "cgroup.events"), "frozen") === "1";
}

/**
 * Stops all processes of the container and waits until they stand. On failure it is thawed again.
 * @throws CgroupError `cgroup-freeze-timeout`, `cgroup-freezer-missing`
 */
export const freeze = (leaf: Leaf, timeout = DEFAULT_TIMEOUT, signal?: AbortSignal): Promise<void> =>
  setFrozen(leaf, true, timeout, signal);

/** Lets the processes go on. @throws CgroupError `cgroup-freeze-timeout`, `cgroup-freezer-missing` */
export const thaw = (leaf: Leaf, timeout = DEFAULT_TIMEOUT, signal?: AbortSignal): Promise<void> =>
  setFrozen(leaf, false, timeout, signal);

async function setFrozen(leaf: Leaf, frozen: boolean, timeout: number, signal?: AbortSignal): Promise<void> {
  const folder = leaf.folderOf("freezer");
  const version = leaf.version("freezer");
  if (folder === undefined || (version === 2 && !leaf.has("freezer", "cgroup.freeze"))) {
    throw new CgroupError("cgroup-freezer-missing", "freeze: this machine has no cgroup freezer", {
      fix: "Use cgroup v2 on Linux 5.2 or later, or mount the v1 freezer controller.",
    });
  }
  const deadline = performance.now() + timeout;
  const done =
    version === 1
      ? await setV1(folder, frozen, deadline, signal)
      : await setV2(folder, frozen, deadline, signal);
  if (done) return;
  if (frozen) {
    if (version === 1) writeControl(folder, "freezer.state", "THAWED");
    else writeControl(folder, "cgroup.freeze", "0");
  }
  signal?.throwIfAborted();
  const verb = frozen ? "freeze" : "thaw";
  throw new CgroupError("cgroup-freeze-timeout", `${verb} ${folder}: not all tasks did within ${timeout} ms`);
}

async function setV2(
  folder: string,
  frozen: boolean,
  deadline: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const want = frozen ? "1" : "0";
  const reached = () => keyed(readFile(`${folder}/cgroup.events`), "frozen") === want;
  using watch = new Watch(`${folder}/cgroup.events`, IN_MODIFY);
  writeControl(folder, "cgroup.freeze", want);
  while (!reached()) {
    const left = deadline - performance.now();
    if (left <= 0 || !(await watch.next(left, signal))) return reached();
  }
  return true;
}

/**
 * v1 notifies nobody: look again, ever more slowly. Writing FROZEN again catches tasks that were forking; a thaw
 * in between lets a task finish what kept it from stopping (as runc does).
 */
async function setV1(
  folder: string,
  frozen: boolean,
  deadline: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const want = frozen ? "FROZEN" : "THAWED";
  for (let round = 0; ; round += 1) {
    if (frozen && round > 0 && round % 25 === 0) writeControl(folder, "freezer.state", "THAWED");
    writeControl(folder, "freezer.state", want);
    if (readFile(`${folder}/freezer.state`) === want) return true;
    if (performance.now() >= deadline || signal?.aborted === true) return false;
    await Bun.sleep(Math.min(1 + round, 20));
  }
}
