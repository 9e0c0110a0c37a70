import { LxcriError } from "../host/errors.ts";
import { criuFlags } from "./checkpoint-flags.ts";
import type { Command } from "./command.ts";

/** `checkpoint`: refused by name, as CRIU is not connected. */
export const command: Command = {
  name: "checkpoint",
  summary: "checkpoint a running container (not yet supported)",
  args: "ID",
  arity: [1, 1],
  flags: [
    ...criuFlags,
    { name: "parent-path", kind: "string", value: "DIR", summary: "folder of the pre-dump before" },
    { name: "leave-running", kind: "boolean", summary: "let the container go on" },
    { name: "pre-dump", kind: "boolean", summary: "dump the memory only and let the container go on" },
    { name: "status-fd", kind: "integer", value: "FD", summary: "told when lazy pages are ready" },
    { name: "page-server", kind: "string", value: "ADDRESS:PORT", summary: "page server" },
  ],
  examples: ["checkpoint --image-path /var/lib/cp web1"],
  async run({ args, store }) {
    store.load(args[0] ?? "");
    throw new LxcriError(
      "not-supported",
      `checkpoint of container ${JSON.stringify(args[0])}: not yet supported by this version`,
    );
  },
};
