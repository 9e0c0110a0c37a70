import { locationsOf } from "../storage/repair.ts";
import { openStorage } from "../storage/storage.ts";
import type { Command } from "./command.ts";
import { formatBytes } from "./image-progress.ts";
import { jsonFlag } from "./launched.ts";
import { table } from "./table.ts";

/** `storage usage`. */
export const command: Command = {
  name: "storage usage",
  summary: "show what containers and layers take on disk",
  description:
    "Of a container what it changed, of a layer what it adds to the one below where the storage knows.",
  args: "",
  arity: [0, 0],
  flags: [jsonFlag],
  examples: ["storage usage"],
  async run({ flags, globals, io }) {
    const storage = openStorage(globals.dataRoot);
    const found: { kind: string; name: string; location: string; bytes: number; inodes: number }[] = [];
    for (const { id, location } of storage.list()) {
      found.push({ kind: "container", name: id, location, ...(await storage.usage(id)) });
    }
    for (const location of locationsOf(storage)) {
      const driver = storage.driver(location);
      for (const { chainId } of driver.layers()) {
        found.push({ kind: "layer", name: chainId, location, ...(await driver.layerUsage(chainId)) });
      }
    }
    if (flags.boolean("json")) io.stdout(`${JSON.stringify(found)}\n`);
    else {
      const rows = found.map((each) => [
        each.kind,
        each.name.replace(/^sha256:(.{12}).*/, "$1"),
        each.location,
        formatBytes(each.bytes),
        String(each.inodes),
      ]);
      io.stdout(table([["KIND", "NAME", "LOCATION", "SIZE", "FILES"], ...rows]));
    }
    return 0;
  },
};
