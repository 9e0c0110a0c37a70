import { renameLaunched } from "../containers/launched/rename.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `rename`: another name for a stopped container. */
export const command: Command = {
  name: "rename",
  summary: "give a launched container that has stopped another name",
  args: "NAME NEW-NAME",
  arity: [2, 2],
  flags: [],
  examples: ["rename web web-old"],
  async run(invocation) {
    const [from = "", to = ""] = invocation.args;
    await renameLaunched(launchedContext(invocation), from, to);
    return 0;
  },
};
