import { runContainer } from "../containers/run.ts";
import type { Command } from "./command.ts";
import { createFlags, createOptions } from "./create-flags.ts";

/** `run`: create, start, wait, delete. */
export const command: Command = {
  name: "run",
  summary: "create and start a container; its exit code becomes ours",
  args: "ID",
  arity: [1, 1],
  flags: [
    ...createFlags,
    { name: "keep", kind: "boolean", summary: "do not delete the container after its end" },
  ],
  examples: ["run --bundle /srv/web web1", "run --detach --bundle /srv/web web1"],
  async run(invocation) {
    const { flags } = invocation;
    return await runContainer({
      ...createOptions(invocation),
      detach: flags.boolean("detach"),
      keep: flags.boolean("keep"),
      noSubreaper: flags.boolean("no-subreaper"),
    });
  },
};
