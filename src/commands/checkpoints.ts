import type { CommandGroup } from "./command.ts";

/** `checkpoints`: those of containers' file systems. */
export const command: CommandGroup = {
  name: "checkpoints",
  summary: "list, remove, send and receive checkpoints of containers' file systems",
  subcommands: {
    ls: () => import("./checkpoints-ls.ts"),
    rm: () => import("./checkpoints-rm.ts"),
    prune: () => import("./checkpoints-prune.ts"),
    send: () => import("./checkpoints-send.ts"),
    receive: () => import("./checkpoints-receive.ts"),
  },
};
