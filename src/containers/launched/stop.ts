/** `stop`: the signal that the container's program takes for its end, some time, then SIGKILL. */
import { LxcriError } from "../../host/errors.ts";
import { killContainer } from "../kill.ts";
import { parseSignal } from "../signals.ts";
import { statusOf } from "../status.ts";
import { ContainerStore } from "../store.ts";
import { conmonOf, waitForExit } from "./conmon.ts";
import { awaitEnd, type LaunchedContext } from "./remove.ts";

const SIGKILL = 9;
/** ms from SIGKILL to the end. */
const KILL_TIMEOUT = 30_000;

/**
 * Stops a container, launched or not; one that has stopped is fine.
 * @param grace ms between signal and SIGKILL
 * @throws LxcriError `container-not-found`, `stop-failed`
 */
export async function stopContainer(
  { launched, store }: LaunchedContext,
  name: string,
  grace: number,
): Promise<void> {
  const record = launched.find(name);
  const runtime = record === undefined ? store : ContainerStore.open(record.root);
  if (record !== undefined && !runtime.exists(name)) return;
  const { init } = runtime.load(name);
  const status = statusOf(runtime, runtime.load(name));
  if (init === undefined || status === "stopped" || status === "creating") return;
  const conmon = record === undefined ? undefined : conmonOf(launched.bundle(name));
  // A created container's program cannot hear it, a paused one not yet.
  const signal = status === "running" ? parseSignal(record?.stopSignal ?? "SIGTERM") : SIGKILL;
  await ignoreEnded(killContainer(runtime, name, signal, false));
  if (!awaitEnd(init, signal === SIGKILL ? KILL_TIMEOUT : grace)) {
    await ignoreEnded(killContainer(runtime, name, SIGKILL, false));
    if (!awaitEnd(init, KILL_TIMEOUT)) {
      throw new LxcriError(
        "stop-failed",
        `container ${JSON.stringify(name)}: still runs ${KILL_TIMEOUT} ms after SIGKILL`,
      );
    }
  }
  if (conmon !== undefined)
    await waitForExit(launched.bundle(name), conmon, AbortSignal.timeout(KILL_TIMEOUT));
}

/** It may end, or be deleted, before the signal is sent. */
async function ignoreEnded(killing: Promise<void>): Promise<void> {
  try {
    await killing;
  } catch (error) {
    const ended = ["container-not-running", "container-not-found"];
    if (!(error instanceof LxcriError && ended.includes(error.code))) throw error;
  }
}
