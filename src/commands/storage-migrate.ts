import { refuseRunning } from "../containers/checkpoint/files.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { parseLocation } from "../storage/location.ts";
import { migrateAllLayers, migrateContainer } from "../storage/migrate.ts";
import { locationsOf } from "../storage/repair.ts";
import { chooseLocation } from "../storage/settings.ts";
import { openStorage } from "../storage/storage.ts";
import type { Command } from "./command.ts";
import { launchedContext } from "./launched.ts";
import { UsageError } from "./usage-error.ts";

/** `storage migrate`. */
export const command: Command = {
  name: "storage migrate",
  summary: "move stopped containers to another storage",
  description: `Without names, all containers and layers move, and new ones go there from then on. Each is copied,
compared file by file, and only then removed from where it was; a kill at any moment loses nothing.

Locations: overlay, dir[:/FOLDER], btrfs[:/FOLDER], zfs:POOL/DATASET, pve:STORAGE[,vmid=N][,size=GIB].`,
  args: "[CONTAINER...]",
  arity: [0, Number.POSITIVE_INFINITY],
  flags: [{ name: "to", kind: "string", value: "LOCATION", summary: "where to; needed" }],
  examples: ["storage migrate --to zfs:tank/lxcri", "storage migrate --to overlay web"],
  async run(invocation) {
    const { args, flags, globals, io } = invocation;
    const to = flags.string("to");
    if (to === undefined) throw new UsageError("storage migrate: --to LOCATION is missing");
    parseLocation(to);
    const storage = openStorage(globals.dataRoot);
    const context = launchedContext(invocation);
    const report = (text: string): void => io.stdout(`${text}\n`);
    const ids = args.length === 0 ? storage.list().map(({ id }) => id) : args.map(parseContainerId);
    // all are looked at before the first is touched
    for (const id of ids) {
      storage.records.load(id);
      refuseRunning(context, id, "migrate");
    }
    const before = locationsOf(storage);
    for (const id of ids) {
      const lock = await context.launched.lock(id);
      try {
        refuseRunning(context, id, "migrate");
        await migrateContainer(storage, id, to, report);
      } finally {
        lock.release();
      }
    }
    if (args.length > 0) return 0;
    chooseLocation(globals.dataRoot, to);
    for (const location of before) {
      if (location !== to) await migrateAllLayers(storage, location, to, report);
    }
    return 0;
  },
};
