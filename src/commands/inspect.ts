import { readFileSync } from "node:fs";
import { stateOfLaunched } from "../containers/launched/status.ts";
import { stateOf } from "../containers/state.ts";
import { isMissing } from "../host/errors.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `inspect`: all that is known. */
export const command: Command = {
  name: "inspect",
  summary: "print all that is known of containers, as JSON",
  description: "A list with an object for each: its state, and its OCI configuration in `config`.",
  args: "NAME...",
  arity: [1, Number.POSITIVE_INFINITY],
  flags: [],
  examples: ["inspect web"],
  async run(invocation) {
    const { args, io, store } = invocation;
    const { launched } = launchedContext(invocation);
    const found = args.map((name) => {
      const record = launched.find(name);
      const state = record === undefined ? stateOf(store, name) : stateOfLaunched(launched, record);
      return { ...state, config: readConfig(`${state.bundle}/config.json`) };
    });
    io.stdout(`${JSON.stringify(found, undefined, 2)}\n`);
    return 0;
  },
};

/** null where a launch has not come so far, or the bundle has gone. */
function readConfig(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
