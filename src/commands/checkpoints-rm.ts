import { Checkpoints } from "../storage/checkpoints.ts";
import { openStorage } from "../storage/storage.ts";
import { parseCheckpointReference } from "./checkpoint-reference.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./usage-error.ts";

/** `checkpoints rm`. */
export const command: Command = {
  name: "checkpoints rm",
  summary: "remove checkpoints",
  args: "CONTAINER@CHECKPOINT...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [],
  examples: ["checkpoints rm web@1767225600"],
  async run({ args, globals }) {
    const checkpoints = new Checkpoints(openStorage(globals.dataRoot));
    for (const text of args) {
      const { id, number } = parseCheckpointReference(text);
      if (number === undefined)
        throw new UsageError(`${JSON.stringify(text)} names no checkpoint: CONTAINER@NUMBER`);
      await checkpoints.remove(id, number);
    }
    return 0;
  },
};
