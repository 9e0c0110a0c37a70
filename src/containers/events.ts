/** What a container uses and suffers, as JSON lines in runc's form. */
import { readFileSync } from "node:fs";
import { waitEmpty } from "../cgroups/kill.ts";
import type { Leaf } from "../cgroups/leaf.ts";
import { watchOom } from "../cgroups/oom-watch.ts";
import type { RdtStats } from "../cgroups/rdt-stats.ts";
import { statsLine } from "../cgroups/stats-json.ts";
import { readStats } from "../cgroups/stats-read.ts";
import type { Config } from "../spec/config.ts";
import { notRunning } from "./errors.ts";
import { leafOf } from "./leaf.ts";
import { statusOf } from "./status.ts";
import type { ContainerStore } from "./store.ts";

/** setTimeout's longest, ms: a container may live that long. */
const forever = 2 ** 31 - 1;

/** Its figures now, one line without newline. @throws ContainerError `container-not-running` */
export async function statsOf(store: ContainerStore, id: string): Promise<string> {
  const leaf = liveLeaf(store, id);
  const cacheStats = await cacheReader(store, id);
  return statsLine(id, readStats(leaf), cacheStats());
}

/** Reads what resctrl tells of the container; nothing for one without a class of service. */
async function cacheReader(store: ContainerStore, id: string): Promise<() => RdtStats> {
  const { planRdt, resctrlRoot } = await import("../cgroups/rdt.ts");
  const root = resctrlRoot();
  if (root === undefined) return () => ({});
  const { linux } = JSON.parse(readFileSync(store.configPath(id), "utf8")) as Config;
  if (linux?.intelRdt === undefined) return () => ({});
  const { readRdt } = await import("../cgroups/rdt-stats.ts");
  const group = planRdt(linux.intelRdt, root, id);
  return () => readRdt(root, group.class, group.monitor);
}

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
  const cacheStats = await cacheReader(store, id);
  using oom = watchOom(leaf);
  const over = new AbortController();
  const stop = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
  const timer = setInterval(() => {
    if (leaf.exists()) emit(statsLine(id, readStats(leaf), cacheStats()));
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
