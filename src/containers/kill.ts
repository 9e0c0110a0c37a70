/** Signals to a container: to its init, or to all that is in its cgroup. */
import { closeSync, readlinkSync } from "node:fs";
import { errnoOf, isMissing } from "../host/errors.ts";
import { pidfdOpen, pidfdSendSignal } from "../host/libc.ts";
import { notRunning } from "./errors.ts";
import { freezerOf, killGroups } from "./leaf.ts";
import type { ProcessIdentity } from "./record.ts";
import { isTakenOver } from "./shared-group.ts";
import { isAlive, statusOf } from "./status.ts";
import type { ContainerStore } from "./store.ts";

const SIGKILL = 9;

/**
 * Signals a container (runtime.md, "Kill"). Takes no lock: a kill must get through while another operation hangs.
 * @param all every process of the container; fine also where init has gone already
 * @throws ContainerError `container-not-found`, `container-not-running`
 */
export async function killContainer(
  store: ContainerStore,
  id: string,
  signal: number,
  all: boolean,
): Promise<void> {
  const record = store.load(id);
  const status = statusOf(store, record);
  if (all) {
    if (!isTakenOver(store, record)) await killGroups(record, signal);
    return;
  }
  const init = record.init;
  if (init === undefined || status === "stopped" || status === "creating") throw notRunning(id, status);
  // Without a PID namespace of its own, the kernel ends nobody with init.
  if (signal === SIGKILL && sharesPidNamespace(init.pid)) {
    await killGroups(record, signal);
    return;
  }
  if (!signalProcess(init, signal)) throw notRunning(id, "stopped");
  // A frozen process on cgroup v1 dies when it is thawed.
  if (signal === SIGKILL && status === "paused") await freezerOf(record)?.thaw();
}

/** Signals exactly this process, be its pid used again or not; false where it has gone. */
export function signalProcess(target: ProcessIdentity, signal: number): boolean {
  let fd: number;
  try {
    fd = pidfdOpen(target.pid);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
    throw error;
  }
  try {
    // Looked at after opening: from here on the descriptor means this process.
    if (!isAlive(target)) return false;
    pidfdSendSignal(fd, signal);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}

function sharesPidNamespace(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync("/proc/self/ns/pid");
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
