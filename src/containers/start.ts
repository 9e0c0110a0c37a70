/** `start`: lets a created container's init run the user's program. */
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { errnoOf, isMissing } from "../host/errors.ts";
import { setBlocking } from "../host/libc.ts";
import type { Config } from "../spec/config.ts";
import { recordEvent } from "../telemetry/events.ts";
import { ContainerError, wrongStatus } from "./errors.ts";
import { runHooks } from "./hooks.ts";
import type { ContainerTarget } from "./options.ts";
import type { ContainerRecord } from "./record.ts";
import { describe } from "./state.ts";
import { statusOf } from "./status.ts";

/**
 * Starts a created container (runtime.md, "Start"): startContainer hooks, the program, poststart hooks.
 * @throws ContainerError `container-not-found`, `wrong-status`, `start-failed` with the stage's own words
 */
export async function startContainer(target: ContainerTarget): Promise<ContainerRecord> {
  const { store, id, log } = target;
  // Before the lock: asking for what is not there must leave no lock file.
  store.load(id);
  using _lock = await store.lock(id);
  const record = store.load(id);
  const status = statusOf(store, record);
  if (status !== "created") throw wrongStatus(id, "start", status);
  const failure = release(store.startFifoPath(id), `${store.directory(id)}/result.fifo`);
  if (failure !== undefined) throw new ContainerError("start-failed", failure);
  recordEvent(store.eventsPath, { type: "start", id });
  const config = JSON.parse(readFileSync(store.configPath(id), "utf8")) as Config;
  runHooks("poststart", config.hooks?.poststart, describe(record, "running"), log);
  return record;
}

/** Wakes the stage and hears its last words: nothing once the program runs, else why it does not. */
function release(startFifo: string, resultFifo: string): string | undefined {
  // The stage holds both FIFOs open for both ways: neither open waits, and its end or exec is the end of file.
  const result = openSync(resultFifo, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    setBlocking(result);
    const start = openStart(startFifo);
    writeSync(start, "s");
    closeSync(start);
    const said = readToEnd(result);
    return said.startsWith("E") ? (said.slice(1).split("\n")[0] ?? said) : undefined;
  } finally {
    closeSync(result);
  }
}

function openStart(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) !== "ENXIO" && !isMissing(error)) throw error;
    throw new ContainerError("start-failed", "the container's init has ended");
  }
}

function readToEnd(fd: number): string {
  const chunks: Buffer[] = [];
  const buffer = Buffer.alloc(4096);
  for (;;) {
    const size = readSync(fd, buffer, 0, buffer.length, null);
    if (size === 0) return Buffer.concat(chunks).toString();
    chunks.push(Buffer.from(buffer.subarray(0, size)));
  }
}
