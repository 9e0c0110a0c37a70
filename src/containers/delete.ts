/** The end of a container: its processes, its cgroups, the poststop hooks, its folder. */
import { existsSync, readFileSync } from "node:fs";
import { isMissing } from "../host/errors.ts";
import type { Config, IntelRdt } from "../spec/config.ts";
import type { Status } from "../spec/state.ts";
import { recordEvent } from "../telemetry/events.ts";
import { ContainerError, isNotFound, notFound } from "./errors.ts";
import { signalProcess } from "./kill.ts";
import { removeGroups } from "./leaf.ts";
import type { ContainerTarget } from "./options.ts";
import type { ContainerRecord } from "./record.ts";
import { isTakenOver } from "./shared-group.ts";
import { describe } from "./state.ts";
import { statusOf } from "./status.ts";
import type { ContainerStore } from "./store.ts";

const SIGKILL = 9;

/**
 * Deletes a container (runtime.md, "Delete"). A created one is killed first, as runc does; with `force` a running or
 * half-made one too, and a missing one is no error. Removes only what `create` made. Safe to repeat after a kill.
 * @throws ContainerError `container-not-found`, `container-not-stopped`, `container-damaged`, `container-busy`
 */
export async function deleteContainer(
  target: ContainerTarget,
  options: { readonly force: boolean },
): Promise<void> {
  const { store, id, log } = target;
  // Looked at before the lock: asking for what is not there must leave no lock file, and takes one that a kill left.
  if (!store.exists(id) && !existsSync(store.lockPath(id))) {
    if (options.force) return;
    throw notFound(id);
  }
  using lock = await store.lock(id);
  const record = loadOr(store, id, options.force);
  if (record === "gone") {
    store.remove(id);
    lock.releaseAndRemove();
    if (options.force) return;
    throw notFound(id);
  }
  if (record !== undefined) {
    refuseWhileRunning(record, statusOf(store, record), options.force);
    if (record.init !== undefined) signalProcess(record.init, SIGKILL);
    if (!isTakenOver(store, record)) await removeGroups(record);
  }
  // Before the record goes: a kill in a hook leaves a container whose next delete runs the hooks again.
  const config = readConfig(store, id);
  if (config?.linux?.intelRdt !== undefined) await removeCacheClass(config.linux.intelRdt, id);
  if (record !== undefined && config?.hooks?.poststop !== undefined) {
    const { runPoststop } = await import("./hooks.ts");
    runPoststop(config.hooks.poststop, describe(record, "stopped"), log);
  }
  store.remove(id);
  recordEvent(store.eventsPath, { type: "delete", id });
  lock.releaseAndRemove();
}

/** The record; undefined for a damaged one that is to go all the same. */
function loadOr(store: ContainerStore, id: string, force: boolean): ContainerRecord | undefined | "gone" {
  try {
    return store.load(id);
  } catch (error) {
    if (isNotFound(error)) return "gone";
    if (force && error instanceof ContainerError && error.code === "container-damaged") return undefined;
    throw error;
  }
}

function refuseWhileRunning(record: ContainerRecord, status: Status, force: boolean): void {
  if (force || status === "stopped" || status === "created") return;
  throw new ContainerError(
    "container-not-stopped",
    `cannot delete container ${JSON.stringify(record.id)} that is not stopped: ${status}`,
    { fix: "Stop it first, or delete it with --force." },
  );
}

/** The class of service that `create` made for this container alone. */
async function removeCacheClass(rdt: IntelRdt, id: string): Promise<void> {
  const { planRdt, removeRdt, resctrlRoot } = await import("../cgroups/rdt.ts");
  const root = resctrlRoot();
  if (root !== undefined) removeRdt(planRdt(rdt, root, id));
}

/** The config as `create` kept it; undefined where a kill came before it was written. */
function readConfig(store: ContainerStore, id: string): Config | undefined {
  try {
    return JSON.parse(readFileSync(store.configPath(id), "utf8")) as Config;
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
