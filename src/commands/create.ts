import { createContainer } from "../containers/create.ts";
import type { Command } from "./command.ts";
import { createFlags, createOptions } from "./create-flags.ts";

/** `create`: everything but the user's program. */
export const command: Command = {
  name: "create",
  summary: "create a container from a bundle",
  description:
    "The bundle is a folder with config.json and the root file system. The container then waits for `start`.",
  args: "ID",
  arity: [1, 1],
  flags: createFlags,
  examples: ["create --bundle /srv/web web1"],
  async run(invocation) {
    await createContainer(createOptions(invocation));
    return 0;
  },
};
