/** The `[pve:pending]` section: changes that wait, and its `delete` list of keys that wait to be removed. */
import type { ConfigSection, ContainerConfig } from "./config-text.ts";
import { isTrue, splitList } from "./perl-values.ts";

/** Keys to be removed; `true` where a `!` demands it by force. */
export type DeleteQueue = Map<string, boolean>;

/** Reads a `delete` value such as `net1,!swap`. */
export function readDeleteQueue(pending: ConfigSection): DeleteQueue {
  const text = pending.values.get("delete");
  const entries = isTrue(text) ? splitList(text) : [];
  return new Map(entries.map((entry) => (entry.startsWith("!") ? [entry.slice(1), true] : [entry, false])));
}

/** Writes the queue back, keys in ASCII order; an empty queue leaves no `delete` key. */
export function writeDeleteQueue(pending: ConfigSection, queue: DeleteQueue): void {
  const text = [...queue.keys()].sort().map((key) => (queue.get(key) === true ? `!${key}` : key));
  if (text.length === 0) pending.values.delete("delete");
  else pending.values.set("delete", text.join(","));
}

/** Queues a key for removal. A change of it that waits goes on waiting, and applies after the removal. */
export function queueDelete(config: ContainerConfig, key: string): void {
  writeDeleteQueue(config.pending, readDeleteQueue(config.pending).set(key, false));
}

/** Takes a key out of the queue, where it is in it. */
export function unqueueDelete(config: ContainerConfig, key: string): void {
  const queue = readDeleteQueue(config.pending);
  if (queue.delete(key)) writeDeleteQueue(config.pending, queue);
}

/** Drops changes that would change nothing, and removals of keys that are not there. */
export function dropIdlePending(config: ContainerConfig): void {
  for (const [key, value] of config.pending.values) {
    if (key !== "delete" && config.values.get(key) === value) config.pending.values.delete(key);
  }
  const queue = readDeleteQueue(config.pending);
  for (const key of queue.keys()) if (!config.values.has(key)) queue.delete(key);
  writeDeleteQueue(config.pending, queue);
}
