import { statsOf, watchEvents } from "../containers/events.ts";
import type { Command } from "./command.ts";
import { parseDuration } from "./duration.ts";

/** `events`: figures and OOM kills as JSON lines. */
export const command: Command = {
  name: "events",
  summary: "print statistics and OOM kills of a container as JSON lines",
  description: "Without --stats it goes on until the container has ended.",
  args: "ID",
  arity: [1, 1],
  flags: [
    { name: "stats", kind: "boolean", summary: "print the statistics once" },
    { name: "interval", kind: "string", value: "TIME", summary: "time between statistics (default 5s)" },
  ],
  examples: ["events --stats web1", "events --interval 1s web1"],
  async run({ args, flags, store, io }) {
    const [id = ""] = args;
    const interval = parseDuration(flags.string("interval") ?? "5s");
    const print = (line: string): void => io.stdout(`${line}\n`);
    if (flags.boolean("stats")) print(await statsOf(store, id));
    else await watchEvents(store, id, interval, print, io.signal);
    return 0;
  },
};
