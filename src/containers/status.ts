/** A container's status, asked of the kernel each time: runtime-spec runtime.md, "State". */
import { closeSync, constants, openSync } from "node:fs";
import { errnoOf, isMissing } from "../host/errors.ts";
import { processStat } from "../host/process.ts";
import type { Status } from "../spec/state.ts";
import { isPaused } from "./leaf.ts";
import type { ContainerRecord, ProcessIdentity } from "./record.ts";
import type { ContainerStore } from "./store.ts";

/** Whether this very process runs; a zombie does not. */
export function isAlive(process: ProcessIdentity): boolean {
  const stat = processStat(process.pid);
  return (
    stat !== undefined && stat.startTime === process.startTime && stat.state !== "Z" && stat.state !== "X"
  );
}

/** Whether a process still waits at the start FIFO. A probe disturbs it not: it holds both ends. */
export function awaitsStart(fifo: string): boolean {
  try {
    closeSync(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if (isMissing(error) || errnoOf(error) === "ENXIO") return false;
    throw error;
  }
}

/** The status of that moment. */
export function statusOf(store: ContainerStore, record: ContainerRecord): Status {
  if (record.phase === "creating") return isAlive(record.creator) ? "creating" : "stopped";
  if (record.init === undefined || !isAlive(record.init)) return "stopped";
  if (isPaused(record)) return "paused";
  return awaitsStart(store.startFifoPath(record.id)) ? "created" : "running";
}
