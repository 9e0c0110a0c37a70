import { processTable } from "../containers/processes.ts";
import type { Command } from "./command.ts";

/** `top`: a container's processes for a person. */
export const command: Command = {
  name: "top",
  summary: "show what runs in a container: pids and users as the host sees them",
  args: "NAME [PS OPTION...]",
  arity: [1, Number.POSITIVE_INFINITY],
  inOrder: true,
  flags: [],
  examples: ["top web", "top web -o pid,rss,args"],
  async run({ args, store, io }) {
    const [id = "", ...options] = args;
    const shown = options.length > 0 ? options : ["-o", "pid,ppid,user,stat,pcpu,rss,time,args"];
    // Of all processes, wherever their terminal is.
    io.stdout(await processTable(store, id).table(["-e", ...shown]));
    return 0;
  },
};
