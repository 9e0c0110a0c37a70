/** `run`: create and start; in the foreground this process becomes the C program, which starts and waits. */
import { realpathSync } from "node:fs";
import { PR_SET_CHILD_SUBREAPER, packetPair, prctl, setCloseOnExec } from "../host/libc.ts";
import { becomeNative } from "../lxc/native.ts";
import { Plan } from "../lxc/plan.ts";
import { createContainer } from "./create.ts";
import { deleteContainer } from "./delete.ts";
import type { RunContainerOptions } from "./options.ts";
import { readStartPlan } from "./shortcuts.ts";
import { startContainer } from "./start.ts";

/**
 * Runs a container. Detached: 0 once the program runs. Else does not return: the process turns into a waiter of a
 * few hundred KiB that passes on streams, signals and the exit code, and deletes the container at its end.
 */
export async function runContainer(options: RunContainerOptions): Promise<number> {
  const { store, id, log } = options;
  const foreground = !options.detach;
  const [inner, outer] = foreground && options.consoleSocket === undefined ? packetPair() : [-1, -1];
  // The container's init must become this process' child for its exit code to be known.
  if (foreground) prctl(PR_SET_CHILD_SUBREAPER, 1);
  const { record, config } = await createContainer({
    ...options,
    ...(inner < 0 ? {} : { consoleFd: inner }),
  });
  if (!foreground) {
    try {
      await startContainer({ store, id, log });
    } catch (error) {
      await deleteContainer({ store, id, log }, { force: true });
      throw error;
    }
    return 0;
  }
  const plan = new Plan()
    .add("pid", record.init?.pid)
    .add("start", readStartPlan(store, id))
    .add("log", log.path)
    .add("log-format", log.format);
  if (config.process.terminal === true && outer >= 0) {
    setCloseOnExec(outer, false);
    plan.add("console-fd", outer);
  }
  if (!options.keep) {
    plan.addAll("cleanup", [realpathSync("/proc/self/exe"), "--root", store.root, "delete", "--force", id]);
  }
  becomeNative("wait", plan);
}
