/** Signals to every process of a container, and waiting until none is left. */
import { errnoOf } from "../host/errors.ts";
import { IN_MODIFY, Watch } from "../host/inotify.ts";
import { freeze, isFrozen, thaw } from "./freezer.ts";
import { type Leaf, writeControl } from "./leaf.ts";

const SIGKILL = 9;
/** Rounds over the members where no freezer holds them still. */
const ROUNDS = 50;

/**
 * Sends `signal` to every process in the leaf and below. SIGKILL through v2's `cgroup.kill` where it is, which
 * no fork escapes; else the group is frozen meanwhile; without a freezer the members are gone through until no
 * new one turns up. A leaf that is gone has nobody. A frozen container stays frozen but for SIGKILL, which v1 delivers only to thawed tasks.
 */
export async function killAll(leaf: Leaf, signal: number, timeout = 5_000): Promise<void> {
  if (!leaf.exists()) return;
  const unified = leaf.unified;
  const wasFrozen = isFrozen(leaf);
  if (signal === SIGKILL && unified !== undefined && leaf.has("cgroup", "cgroup.kill")) {
    writeControl(unified, "cgroup.kill", "1");
    if (wasFrozen && leaf.version("freezer") === 1) await thaw(leaf, timeout);
    return;
  }
  const freezable = leaf.has("freezer", leaf.version("freezer") === 1 ? "freezer.state" : "cgroup.freeze");
  if (freezable && !wasFrozen) await freeze(leaf, timeout);
  try {
    signalMembers(leaf, signal);
  } finally {
    if (freezable && (!wasFrozen || signal === SIGKILL)) await thaw(leaf, timeout);
  }
}

function signalMembers(leaf: Leaf, signal: number): void {
  const sent = new Set<number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const fresh = leaf.processes().filter((pid) => !sent.has(pid));
    if (fresh.length === 0) return;
    for (const pid of fresh) {
      sent.add(pid);
      try {
        process.kill(pid, signal);
      } catch (error) {
        if (errnoOf(error) !== "ESRCH") throw error;
      }
    }
  }
}

/**
 * Waits until no process is alive in the leaf: true, or false after `timeout` ms or when `signal` aborts. The
 * kernel tells it where there is a v2 hierarchy (hybrid too); v1 alone is looked at ever more slowly.
 */
export async function waitEmpty(leaf: Leaf, timeout: number, signal?: AbortSignal): Promise<boolean> {
  if (!leaf.isPopulated()) return true;
  const deadline = performance.now() + timeout;
  if (leaf.unified === undefined || !leaf.has("cgroup", "cgroup.events")) {
    for (let pause = 1; leaf.isPopulated(); pause = Math.min(pause * 2, 50)) {
      if (performance.now() >= deadline || signal?.aborted === true) return false;
      await Bun.sleep(pause);
    }
    return true;
  }
  using watch = new Watch(`${leaf.unified}/cgroup.events`, IN_MODIFY);
  while (leaf.isPopulated()) {
    const left = deadline - performance.now();
    if (left <= 0 || !(await watch.next(left, signal))) return !leaf.isPopulated();
  }
  return true;
}
