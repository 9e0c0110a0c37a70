import { stopContainer } from "../containers/launched/stop.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";
import { UsageError } from "./usage-error.ts";

/** `stop`: ask, wait, kill. */
export const command: Command = {
  name: "stop",
  summary: "stop containers: the signal that their image names, then SIGKILL",
  args: "NAME...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [
    {
      name: "time",
      short: "t",
      kind: "integer",
      value: "SECONDS",
      summary: "how long to wait before SIGKILL (default 10)",
    },
  ],
  examples: ["stop web", "stop --time 60 db"],
  async run(invocation) {
    const { args, flags } = invocation;
    const seconds = flags.integer("time") ?? 10;
    if (seconds < 0 || seconds > 86_400) throw new UsageError(`--time ${seconds}: give 0 to 86400 seconds`);
    for (const name of args) await stopContainer(launchedContext(invocation), name, seconds * 1000);
    return 0;
  },
};
