import { killContainer } from "../containers/kill.ts";
import { parseSignal } from "../containers/signals.ts";
import { recordEvent } from "../telemetry/events.ts";
import type { Command } from "./command.ts";

/** `kill`: a signal to init, or to all processes. */
export const command: Command = {
  name: "kill",
  summary: "send a signal to a container's init process",
  args: "ID [SIGNAL]",
  arity: [1, 2],
  flags: [{ name: "all", short: "a", kind: "boolean", summary: "signal all processes of the container" }],
  examples: ["kill web1", "kill web1 KILL", "kill --all web1 9"],
  async run({ args, flags, store }) {
    const [id = "", name = "TERM"] = args;
    const signal = parseSignal(name);
    await killContainer(store, id, signal, flags.boolean("all"));
    recordEvent(store.eventsPath, { type: "kill", id, signal });
    return 0;
  },
};
