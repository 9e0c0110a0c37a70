import { LxcriError } from "../host/errors.ts";
import { criuFlags } from "./checkpoint-flags.ts";
import { meansFiles, modeFlag } from "./checkpoint-mode.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";

/** `checkpoint`: of the file system; of memory refused by name, as CRIU is not connected. */
export const command: Command = {
  name: "checkpoint",
  summary: "keep a container's file system as it is now",
  args: "ID",
  arity: [1, 1],
  flags: [
    modeFlag,
    ...criuFlags,
    { name: "parent-path", kind: "string", value: "DIR", summary: "folder of the pre-dump before" },
    { name: "leave-running", kind: "boolean", summary: "let the container go on" },
    { name: "pre-dump", kind: "boolean", summary: "dump the memory only and let the container go on" },
    { name: "status-fd", kind: "integer", value: "FD", summary: "told when lazy pages are ready" },
    { name: "page-server", kind: "string", value: "ADDRESS:PORT", summary: "page server" },
  ],
  examples: ["checkpoint web1"],
  async run(invocation) {
    const { args, flags, io, store } = invocation;
    const name = args[0] ?? "";
    const context = launchedContext(invocation);
    if (meansFiles(flags) && context.launched.find(name) !== undefined) {
      const { checkpointFiles } = await import("../containers/checkpoint/files.ts");
      io.stdout(`${name}@${await checkpointFiles(context, name)}\n`);
      return 0;
    }
    store.load(name);
    throw new LxcriError(
      "not-supported",
      `checkpoint of the memory of container ${JSON.stringify(name)}: not yet supported by this version`,
    );
  },
};
