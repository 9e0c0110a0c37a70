import { deleteContainer } from "../containers/delete.ts";
import type { Command } from "./command.ts";

/** `delete`: what is left of a stopped container; with --force of any. */
export const command: Command = {
  name: "delete",
  summary: "delete a container",
  args: "ID",
  arity: [1, 1],
  flags: [
    {
      name: "force",
      short: "f",
      kind: "boolean",
      summary: "kill it first where it runs; a missing one is no error",
    },
  ],
  examples: ["delete web1", "delete --force web1"],
  async run({ args, flags, store, log }) {
    await deleteContainer({ store, id: args[0] ?? "", log }, { force: flags.boolean("force") });
    return 0;
  },
};
