import { stateOf } from "../containers/state.ts";
import type { Command } from "./command.ts";

/** `state`: the OCI state as JSON. */
export const command: Command = {
  name: "state",
  summary: "print the state of a container",
  args: "ID",
  arity: [1, 1],
  flags: [],
  examples: ["state web1"],
  async run({ args, store, io }) {
    io.stdout(`${JSON.stringify(stateOf(store, args[0] ?? ""), undefined, 2)}\n`);
    return 0;
  },
};
