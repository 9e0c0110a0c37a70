import { parseContainerId } from "../spec/container-id.ts";
import { Checkpoints } from "../storage/checkpoints.ts";
import { openStorage } from "../storage/storage.ts";
import type { Command } from "./command.ts";
import { UsageError } from "./usage-error.ts";

/** `checkpoints prune`. */
export const command: Command = {
  name: "checkpoints prune",
  summary: "remove all but the latest checkpoints of a container",
  args: "CONTAINER",
  arity: [1, 1],
  flags: [{ name: "keep", kind: "integer", value: "N", summary: "how many stay; needed" }],
  examples: ["checkpoints prune --keep 3 web"],
  async run({ args, flags, globals, io }) {
    const keep = flags.integer("keep");
    if (keep === undefined || keep < 0) throw new UsageError("checkpoints prune: --keep N is missing");
    const id = parseContainerId(args[0] ?? "");
    const removed = await new Checkpoints(openStorage(globals.dataRoot)).prune(id, keep);
    for (const number of removed) io.stdout(`${id}@${number}\n`);
    return 0;
  },
};
