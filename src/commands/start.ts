import { startContainer } from "../containers/start.ts";
import type { Command } from "./command.ts";

/** `start`: the user's program of a created container. */
export const command: Command = {
  name: "start",
  summary: "start the program of a created container",
  args: "ID",
  arity: [1, 1],
  flags: [],
  examples: ["start web1"],
  async run({ args, store, log }) {
    await startContainer({ store, id: args[0] ?? "", log });
    return 0;
  },
};
