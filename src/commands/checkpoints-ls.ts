import { parseContainerId } from "../spec/container-id.ts";
import { Checkpoints } from "../storage/checkpoints.ts";
import { openStorage } from "../storage/storage.ts";
import type { Command } from "./command.ts";
import { jsonFlag } from "./launched.ts";
import { table } from "./table.ts";

/** `checkpoints ls`. */
export const command: Command = {
  name: "checkpoints ls",
  summary: "list checkpoints, of all containers or of one",
  args: "[CONTAINER]",
  arity: [0, 1],
  flags: [jsonFlag],
  examples: ["checkpoints ls", "checkpoints ls web"],
  async run({ args, flags, globals, io }) {
    const storage = openStorage(globals.dataRoot);
    const checkpoints = new Checkpoints(storage);
    const ids = args[0] === undefined ? storage.list().map(({ id }) => id) : [parseContainerId(args[0])];
    const found = [];
    for (const id of ids) {
      for (const number of await checkpoints.list(id)) {
        found.push({ container: id, number, created: new Date(number * 1000).toISOString() });
      }
    }
    if (flags.boolean("json")) io.stdout(`${JSON.stringify(found)}\n`);
    else {
      const rows = found.map((each) => [`${each.container}@${each.number}`, each.created]);
      io.stdout(table([["CHECKPOINT", "CREATED"], ...rows]));
    }
    return 0;
  },
};
