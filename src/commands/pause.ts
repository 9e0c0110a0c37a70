import { pauseContainer } from "../containers/pause.ts";
import { recordEvent } from "../telemetry/events.ts";
import type { Command } from "./command.ts";

/** `pause`. */
export const command: Command = {
  name: "pause",
  summary: "suspend all processes of a container",
  args: "ID",
  arity: [1, 1],
  flags: [],
  examples: ["pause web1"],
  async run({ args, store }) {
    const [id = ""] = args;
    await pauseContainer(store, id);
    recordEvent(store.eventsPath, { type: "pause", id });
    return 0;
  },
};
