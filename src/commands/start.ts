import { ContainerError } from "../containers/errors.ts";
import { startContainer } from "../containers/start.ts";
import type { Command, Invocation } from "./command.ts";

/** `start`: the user's program of a created container; a launched one that has stopped, once more. */
export const command: Command = {
  name: "start",
  summary: "start the program of a created container, or a launched container that has stopped",
  args: "ID",
  arity: [1, 1],
  flags: [],
  examples: ["start web1"],
  async run(invocation) {
    const { args, store, log } = invocation;
    const [id = ""] = args;
    try {
      await startContainer({ store, id, log });
    } catch (error) {
      const isOver =
        error instanceof ContainerError && ["container-not-found", "wrong-status"].includes(error.code);
      if (!isOver || !(await relaunch(id, invocation))) throw error;
    }
    return 0;
  },
};

/** false where it is no launched container, or has not stopped. */
async function relaunch(id: string, invocation: Invocation): Promise<boolean> {
  const { launchedContext } = await import("./launched.ts");
  const { stateOfLaunched } = await import("../containers/launched/status.ts");
  const context = launchedContext(invocation);
  const record = context.launched.find(id);
  if (record === undefined || record.root !== context.store.root) return false;
  if (stateOfLaunched(context.launched, record).status !== "stopped") return false;
  const { relaunchContainer } = await import("../containers/launched/launch.ts");
  await relaunchContainer(id, context);
  return true;
}
