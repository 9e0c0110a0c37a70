/** Two containers may name the same cgroup, one after the other; the older one must not harm the younger. */
import { ContainerError } from "./errors.ts";
import { leafOf } from "./leaf.ts";
import type { ContainerRecord } from "./record.ts";
import { isAlive } from "./status.ts";
import type { ContainerStore } from "./store.ts";

/**
 * Whether the processes in this container's groups are another's: its own init has gone, its groups were empty
 * then, and `create` of the other one took them over.
 */
export function isTakenOver(store: ContainerStore, record: ContainerRecord): boolean {
  if (record.init !== undefined && isAlive(record.init)) return false;
  if (leafOf(record)?.isPopulated() !== true) return false;
  return store.list().some((id) => id !== record.id && livesIn(store, id, record.cgroup?.path));
}

function livesIn(store: ContainerStore, id: string, path: string | undefined): boolean {
  let other: ContainerRecord;
  try {
    other = store.load(id);
  } catch (error) {
    if (error instanceof ContainerError) return false;
    throw error;
  }
  const alive = other.init === undefined ? isAlive(other.creator) : isAlive(other.init);
  return alive && other.cgroup?.path === path;
}
