/** The end of a launched container: its OCI container, its file system, its volumes, its records. */
import { closeSync } from "node:fs";
import { errnoOf, LxcriError } from "../../host/errors.ts";
import { lockFile } from "../../host/file-lock.ts";
import { call, pidfdOpen } from "../../host/libc.ts";
import { processStat } from "../../host/process.ts";
import { openStorage } from "../../storage/storage.ts";
import type { Logger } from "../../telemetry/log.ts";
import { deleteContainer } from "../delete.ts";
import type { ProcessIdentity } from "../record.ts";
import { statusOf } from "../status.ts";
import { ContainerStore } from "../store.ts";
import { awaitCreation, conmonOf, waitForExit } from "./conmon.ts";
import { parseName } from "./name.ts";
import type { LaunchedRecord, LaunchedStore } from "./record.ts";
import { removeVolume } from "./volumes.ts";

/** What the operations of this folder work with. */
export interface LaunchedContext {
  readonly launched: LaunchedStore;
  /** The runtime's records under the `--root` that was given. */
  readonly store: ContainerStore;
  readonly log: Logger;
  /** Our own executable, for conmon to call. */
  readonly program: string;
}

/** How {@link removeLaunched} removes. */
export interface RemoveOptions {
  /** Kill it where it runs; a missing one is no error. */
  readonly force: boolean;
  /** Its unnamed volumes, too. */
  readonly volumes: boolean;
}

/** ms that conmon, or who reads the container's last words, may take. */
const LEAVE_TIMEOUT = 10_000;
const POLLIN = 1;

/**
 * Removes a container; whatever of it is left, after a kill for example.
 * @throws LxcriError `container-not-found`, `container-not-stopped`, `container-busy`
 */
export async function removeLaunched(
  context: LaunchedContext,
  name: string,
  options: RemoveOptions,
): Promise<void> {
  const { launched } = context;
  if (!launched.exists(name)) {
    if (options.force) return;
    launched.load(name);
  }
  const lock = await launched.lock(name);
  try {
    await removeLocked(context, name, options);
  } finally {
    lock.release();
  }
}

/** As {@link removeLaunched}, for who holds the lock. */
export async function removeLocked(
  { launched, store, log }: LaunchedContext,
  name: string,
  { force, volumes }: RemoveOptions,
): Promise<void> {
  const record = findOrLeftover(launched, name, force);
  const runtime = record === undefined ? store : ContainerStore.open(record.root);
  if (record !== undefined && !force) refuseWhileRunning(runtime, record);
  const bundle = launched.bundle(name);
  // Who began it was killed, but conmon may go on: what it creates later nobody would find.
  const settled = record?.phase !== "preparing" || (await awaitCreation(bundle, LEAVE_TIMEOUT));
  const conmon = conmonOf(bundle);
  if (!settled && conmon !== undefined) process.kill(conmon.pid, "SIGKILL");
  await deleteContainer({ store: runtime, id: name, log }, { force: true });
  if (conmon !== undefined) await awaitConmon(bundle, conmon, record?.remove === true);
  if (launched.exists(name)) await awaitAttendant(launched.attendedPath(name));
  await openStorage(launched.dataRoot).remove(parseName(name));
  if (volumes) for (const volume of record?.unnamedVolumes ?? []) removeVolume(launched.dataRoot, volume);
  launched.remove(name);
}

/** A damaged record, or none, is no reason to keep what is there. */
function findOrLeftover(launched: LaunchedStore, name: string, force: boolean): LaunchedRecord | undefined {
  try {
    return launched.find(name);
  } catch (error) {
    if (force) return undefined;
    throw error;
  }
}

function refuseWhileRunning(store: ContainerStore, { name }: LaunchedRecord): void {
  if (!store.exists(name)) return;
  const status = statusOf(store, store.load(name));
  if (status === "stopped" || status === "created") return;
  throw new LxcriError(
    "container-not-stopped",
    `cannot remove container ${JSON.stringify(name)} that is not stopped: ${status}`,
    { fix: `Stop it first (proxmox-lxcri stop ${name}), or remove it with --force.` },
  );
}

/** Its last file is the exit code; then it ends, or waits for an exit command, which waits for our lock. */
async function awaitConmon(bundle: string, conmon: ProcessIdentity, waitsForUs: boolean): Promise<void> {
  try {
    await waitForExit(bundle, conmon, AbortSignal.timeout(LEAVE_TIMEOUT));
  } catch (error) {
    // It hangs: it will find nothing left to look after.
    if (!(error instanceof DOMException)) throw error;
  }
  if (!waitsForUs) awaitEnd(conmon, LEAVE_TIMEOUT);
}

/** Waits until a process has ended, `timeout` ms at most; false where it has not. */
export function awaitEnd({ pid, startTime }: ProcessIdentity, timeout: number): boolean {
  let fd: number;
  try {
    fd = pidfdOpen(pid);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return true;
    throw error;
  }
  try {
    if (processStat(pid)?.startTime !== startTime) return true;
    return call("poll", [new Int32Array([fd, POLLIN]), 1, timeout]) > 0;
  } finally {
    closeSync(fd);
  }
}

/** A foreground `launch` gets the time to read the exit code. */
async function awaitAttendant(path: string): Promise<void> {
  try {
    (await lockFile(path, AbortSignal.timeout(LEAVE_TIMEOUT))).release();
  } catch (error) {
    // It does not let go: what it waits for is gone anyway.
    if (!(error instanceof DOMException)) throw error;
  }
}
