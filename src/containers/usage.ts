/** What running containers use, in the few figures that a person looks at. */
import { readStats } from "../cgroups/stats-read.ts";
import { notRunning } from "./errors.ts";
import { leafOf } from "./leaf.ts";
import { statusOf } from "./status.ts";
import type { ContainerStore } from "./store.ts";

/** Counters of one container at one moment. */
export interface UsageSample {
  /** ms, of a clock that only goes forward. */
  readonly at: number;
  /** CPU time since its creation, ns. */
  readonly cpuTime: number;
  /** Bytes, page cache that can be given back not counted. */
  readonly memory: number;
  /** Bytes; absent for no limit. */
  readonly memoryLimit?: number;
  readonly processes: number;
  /** absent for no limit. */
  readonly processLimit?: number;
  /** Bytes since its creation. */
  readonly blockRead: number;
  readonly blockWritten: number;
}

/** No limit is nearly 2^63 on v1, 2^64 - 1 on v2. */
const NO_LIMIT = 2 ** 62;

/** @throws ContainerError `container-not-found`, `container-not-running` */
export function sampleUsage(store: ContainerStore, id: string): UsageSample {
  const record = store.load(id);
  const leaf = leafOf(record);
  const status = statusOf(store, record);
  if (leaf === undefined || status === "stopped" || status === "creating") throw notRunning(id, status);
  const { cpu, memory, pids, blkio } = readStats(leaf);
  const inactive = memory.raw.total_inactive_file ?? memory.raw.inactive_file ?? 0n;
  const limit = Number(memory.usage.limit);
  const blocks = (operation: string): number =>
    (blkio.tables.ioServiceBytesRecursive ?? [])
      .filter(({ op }) => op.toLowerCase() === operation)
      .reduce((sum, { value }) => sum + Number(value), 0);
  return {
    at: performance.now(),
    cpuTime: Number(cpu.usage.total),
    memory: Math.max(0, Number(memory.usage.usage - inactive)),
    ...(limit < NO_LIMIT ? { memoryLimit: limit } : {}),
    processes: Number(pids.current),
    ...(pids.limit > 0n && Number(pids.limit) < NO_LIMIT ? { processLimit: Number(pids.limit) } : {}),
    blockRead: blocks("read"),
    blockWritten: blocks("write"),
  };
}

/** CPU time used between two samples, in percent of one CPU. */
export function cpuPercent(before: UsageSample, after: UsageSample): number {
  const elapsed = (after.at - before.at) * 1e6;
  return elapsed <= 0 ? 0 : Math.max(0, (100 * (after.cpuTime - before.cpuTime)) / elapsed);
}
