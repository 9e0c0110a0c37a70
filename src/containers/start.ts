/** `start`: lets a created container's init run the user's program. The launcher has a shorter way (native/shortcut.c). */
import { runNative } from "../lxc/native.ts";
import { notFound, wrongStatus } from "./errors.ts";
import type { ContainerTarget } from "./options.ts";
import type { ContainerRecord } from "./record.ts";
import { readStartPlan } from "./shortcuts.ts";
import { statusOf } from "./status.ts";

/**
 * Starts a created container (runtime.md, "Start"): startContainer hooks, the program, poststart hooks.
 * @throws ContainerError `container-not-found`, `wrong-status`
 * @throws NativeError `native-failed` with the stage's own words
 */
export async function startContainer(target: ContainerTarget): Promise<ContainerRecord> {
  const { store, id, log } = target;
  // Before the lock: asking for what is not there must leave no lock file.
  if (!store.exists(id)) throw notFound(id);
  using _lock = await store.lock(id);
  const record = store.load(id);
  const status = statusOf(store, record);
  if (status !== "created") throw wrongStatus(id, "start", status);
  for (const warning of runNative("start", readStartPlan(store, id)).warnings) log.warning(warning);
  return record;
}
