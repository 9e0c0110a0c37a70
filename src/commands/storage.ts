import type { CommandGroup } from "./command.ts";

/** `storage`: where layers and containers are kept. */
export const command: CommandGroup = {
  name: "storage",
  summary: "list, measure, move and repair where containers are kept",
  subcommands: {
    ls: () => import("./storage-ls.ts"),
    usage: () => import("./storage-usage.ts"),
    migrate: () => import("./storage-migrate.ts"),
    repair: () => import("./storage-repair.ts"),
  },
};
