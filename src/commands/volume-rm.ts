import { deleteVolume } from "../containers/launched/volume-catalog.ts";
import { LxcriError } from "../host/errors.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `volume rm`. */
export const command: Command = {
  name: "volume rm",
  summary: "remove volumes that no container mounts, with their content",
  args: "NAME...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [{ name: "force", short: "f", kind: "boolean", summary: "one that is not there is no error" }],
  examples: ["volume rm dbdata"],
  async run(invocation) {
    const { launched } = launchedContext(invocation);
    for (const name of invocation.args) {
      try {
        deleteVolume(launched, name);
      } catch (error) {
        const missing = error instanceof LxcriError && error.code === "volume-not-found";
        if (!missing || !invocation.flags.boolean("force")) throw error;
      }
      invocation.io.stdout(`${name}\n`);
    }
    return 0;
  },
};
