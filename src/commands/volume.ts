import type { CommandGroup } from "./command.ts";

/** `volume`: folders that outlive containers. */
export const command: CommandGroup = {
  name: "volume",
  summary: "make, list and remove named volumes",
  subcommands: {
    create: () => import("./volume-create.ts"),
    ls: () => import("./volume-ls.ts"),
    inspect: () => import("./volume-inspect.ts"),
    rm: () => import("./volume-rm.ts"),
  },
};
