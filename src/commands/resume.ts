import { resumeContainer } from "../containers/pause.ts";
import { recordEvent } from "../telemetry/events.ts";
import type { Command } from "./command.ts";

/** `resume`. */
export const command: Command = {
  name: "resume",
  summary: "let the processes of a paused container go on",
  args: "ID",
  arity: [1, 1],
  flags: [],
  examples: ["resume web1"],
  async run({ args, store }) {
    const [id = ""] = args;
    await resumeContainer(store, id);
    recordEvent(store.eventsPath, { type: "resume", id });
    return 0;
  },
};
