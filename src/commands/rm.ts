import { removeLaunched } from "../containers/launched/remove.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `rm`: a launched container with all that is its own. */
export const command: Command = {
  name: "rm",
  summary: "remove launched containers with their file systems and logs",
  description: "Named volumes stay. Also removes what a killed launch left behind.",
  args: "NAME...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [
    { name: "force", short: "f", kind: "boolean", summary: "kill what runs; a missing one is no error" },
    { name: "volumes", short: "v", kind: "boolean", summary: "remove their unnamed volumes, too" },
  ],
  examples: ["rm web", "rm --force --volumes web db"],
  async run(invocation) {
    const { args, flags } = invocation;
    const options = { force: flags.boolean("force"), volumes: flags.boolean("volumes") };
    for (const name of args) await removeLaunched(launchedContext(invocation), name, options);
    return 0;
  },
};
