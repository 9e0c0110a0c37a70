import { conmonOf, waitForExit } from "../containers/launched/conmon.ts";
import { LxcriError } from "../host/errors.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `wait`: the exit codes of launched containers. */
export const command: Command = {
  name: "wait",
  summary: "wait until launched containers have ended, and print their exit codes",
  args: "NAME...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [],
  examples: ["wait web"],
  async run(invocation) {
    const { args, io } = invocation;
    const { launched } = launchedContext(invocation);
    for (const name of args) {
      launched.load(name);
      const bundle = launched.bundle(name);
      const code = await waitForExit(bundle, conmonOf(bundle), io.signal);
      if (code === undefined) {
        throw new LxcriError(
          "exit-code-unknown",
          `container ${JSON.stringify(name)}: nobody knows its exit code`,
          {
            fix: "It was removed, or a reboot or a kill of conmon ended it.",
          },
        );
      }
      io.stdout(`${code}\n`);
    }
    return 0;
  },
};
