/** What a container uses and suffers, as JSON lines in runc's form. */
import { waitEmpty } from "../cgroups/kill.ts";
import type { Leaf } from "../cgroups/leaf.ts";
import { watchOom } from "../cgroups/oom-watch.ts";
import { statsLine } from "../cgroups/stats-json.ts";
import { readStats } from "../cgroups/stats-read.ts";
import { notRunning } from "./errors.ts";
import { leafOf } from "./leaf.ts";
import { statusOf } from "./status.ts";
import type { ContainerStore } from "./store.ts";

/** setTimeout's longest, ms: a container may live that long. */
const forever = 2 ** 31 - 1;

/** Its figures now, one line without newline. @throws ContainerError `container-not-running` */
export const statsOf = (store: ContainerStore, id: string): string =>
  statsLine(id, readStats(liveLeaf(store, id)));

/**
 * Emits the figures every `interval` ms and each OOM kill as it happens, until the container has ended or `signal`
 * aborts.
 * @throws ContainerError `container-not-running`
 */
export async function watchEvents(
  store: ContainerStore,
  id: string,
  interval: number,
  emit: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const leaf = liveLeaf(store, id);
  using oom = watchOom(leaf);
  const over = new AbortController();
  const stop = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const timer = setInterval(() => {
    if (leaf.exists()) emit(statsLine(id, readStats(leaf)));
  }, interval);
  try {
    const ended = waitEmpty(leaf, forever, stop).finally(() => over.abort());
    while ((await oom.next(stop)) !== undefined) emit(JSON.stringify({ type: "oom", id }));
    await ended;
  } finally {
    over.abort();
    clearInterval(timer);
  }
}

function liveLeaf(store: ContainerStore, id: string): Leaf {
  const record = store.load(id);
  const status = statusOf(store, record);
  const leaf = leafOf(record);
  if (status === "stopped" || status === "creating" || leaf === undefined) throw notRunning(id, status);
  return leaf;
}
