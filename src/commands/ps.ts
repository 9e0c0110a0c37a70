import { processTable } from "../containers/processes.ts";
import type { Command } from "./command.ts";

/** `ps`: the container's processes as the system's ps(1) shows them, or their pids as JSON. */
export const command: Command = {
  name: "ps",
  summary: "show the processes of a container",
  args: "ID [PS OPTION...]",
  arity: [1, Number.POSITIVE_INFINITY],
  inOrder: true,
  flags: [
    {
      name: "format",
      short: "f",
      kind: "string",
      value: "FORMAT",
      summary: "form of the list",
      choices: ["table", "json"],
    },
  ],
  examples: ["ps web1", "ps web1 -o pid,comm", "ps --format json web1"],
  async run({ args, flags, store, io }) {
    const [id = "", ...options] = args;
    const { pids, table } = processTable(store, id);
    io.stdout(flags.string("format") === "json" ? `${JSON.stringify(pids)}\n` : await table(options));
    return 0;
  },
};
