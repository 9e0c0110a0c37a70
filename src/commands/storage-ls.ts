import { openStorage } from "../storage/storage.ts";
import type { Command } from "./command.ts";
import { jsonFlag } from "./launched.ts";
import { table } from "./table.ts";

/** `storage ls`. */
export const command: Command = {
  name: "storage ls",
  summary: "list containers' file systems and where they are",
  args: "",
  arity: [0, 0],
  flags: [jsonFlag],
  examples: ["storage ls"],
  async run({ flags, globals, io }) {
    const storage = openStorage(globals.dataRoot);
    const containers = storage.list();
    if (flags.boolean("json")) {
      io.stdout(`${JSON.stringify({ location: storage.location, containers })}\n`);
      return 0;
    }
    const rows = containers.map(({ id, location, layers, mounted }) => [
      id,
      location,
      String(layers.length),
      mounted ? "yes" : "no",
    ]);
    io.stdout(table([["CONTAINER", "LOCATION", "LAYERS", "MOUNTED"], ...rows]));
    io.stdout(`New containers go to ${storage.location}.\n`);
    return 0;
  },
};
