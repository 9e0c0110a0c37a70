/** The cgroups of a record: the one place of this room that finds, freezes, kills and removes them. */
import { freeze, isFrozen, thaw } from "../cgroups/freezer.ts";
import { Leaf } from "../cgroups/leaf.ts";
import type { ContainerRecord } from "./record.ts";

const SIGKILL = 9;
/** ms that killed processes get to leave. */
const exitTimeout = 10_000;

/** The container's leaf; undefined where it has no cgroups, or they are gone. */
export function leafOf(record: ContainerRecord): Leaf | undefined {
  if (record.cgroup === undefined) return undefined;
  const leaf = new Leaf(record.cgroup.leaves);
  return leaf.exists() ? leaf : undefined;
}

/** Whether all its processes are stopped by a freezer. */
export function isPaused(record: ContainerRecord): boolean {
  const leaf = leafOf(record);
  return leaf !== undefined && isFrozen(leaf);
}

/** Pids (host's view) of all its processes, in order. */
export function processesOf(record: ContainerRecord): number[] {
  return (leafOf(record)?.processes() ?? []).sort((a, b) => a - b);
}

/** Stops and lets go on all processes of a container. */
export interface LeafFreezer {
  freeze(): Promise<void>;
  thaw(): Promise<void>;
}

/** The freezer of a container; undefined where it has no cgroups. */
export function freezerOf(record: ContainerRecord): LeafFreezer | undefined {
  const leaf = leafOf(record);
  return leaf === undefined ? undefined : { freeze: () => freeze(leaf), thaw: () => thaw(leaf) };
}

/** The file that says whether {@link isPaused}: `FROZEN` in it (v1), or `frozen 1` (v2). */
export function freezerFile(record: ContainerRecord): string | undefined {
  const leaf = record.cgroup === undefined ? undefined : new Leaf(record.cgroup.leaves);
  const folder = leaf?.folderOf("freezer");
  if (folder === undefined) return undefined;
  return leaf?.version("freezer") === 1 ? `${folder}/freezer.state` : `${folder}/cgroup.events`;
}

/** Signals every process in the leaf. */
export async function killGroups(record: ContainerRecord, signal: number): Promise<void> {
  const leaf = leafOf(record);
  if (leaf?.isPopulated() !== true) return;
  const { killAll } = await import("../cgroups/kill.ts");
  await killAll(leaf, signal);
}

/**
 * Kills whatever is in the container's groups (the leaf's, the monitor's that a kill left behind), and removes them; systemd's scope too.
 * @throws CgroupError `cgroup-remove-failed` where a process does not leave
 */
export async function removeGroups(record: ContainerRecord): Promise<void> {
  if (record.cgroup === undefined) return;
  const { removeLeaf } = await import("../cgroups/leaf-lifecycle.ts");
  for (const folders of [record.cgroup.leaves, record.cgroup.monitors]) {
    const leaf = new Leaf(folders);
    if (!leaf.exists()) continue;
    if (leaf.isPopulated()) {
      const { killAll, waitEmpty } = await import("../cgroups/kill.ts");
      await killAll(leaf, SIGKILL);
      await waitEmpty(leaf, exitTimeout);
    }
    await removeLeaf(leaf);
  }
  if (record.cgroup.scope === undefined) return;
  const { stopScope, systemdRuns } = await import("../cgroups/systemd.ts");
  if (systemdRuns()) await stopScope(record.cgroup.scope);
}
