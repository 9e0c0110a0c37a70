/** `rename` of a launched container that does not run: its name is in the kernel's objects while it does. */
import { renameSync } from "node:fs";
import { join } from "node:path";
import { LxcriError } from "../../host/errors.ts";
import { unmountAll } from "../../host/mount-point.ts";
import { openStorage } from "../../storage/storage.ts";
import { deleteContainer } from "../delete.ts";
import { alreadyExists } from "../errors.ts";
import { ContainerStore } from "../store.ts";
import { parseName } from "./name.ts";
import type { LaunchedContext } from "./remove.ts";
import { stateOfLaunched } from "./status.ts";

/**
 * Gives a stopped container another name. A kill half-way leaves the old or the new one.
 * @throws LxcriError `container-not-found`, `container-not-stopped`, `container-exists`, `name-invalid`
 */
export async function renameLaunched(
  { launched, store, log }: LaunchedContext,
  from: string,
  to: string,
): Promise<void> {
  const name = parseName(to);
  launched.load(from);
  const locks = [];
  try {
    // In one order, so that two renames cannot wait for each other.
    for (const each of [from, name].sort()) locks.push(await launched.lock(each));
    const record = launched.load(from);
    if (launched.exists(name) || store.exists(name)) throw alreadyExists(name);
    const { status } = stateOfLaunched(launched, record);
    if (status !== "stopped") {
      throw new LxcriError(
        "container-not-stopped",
        `cannot rename container ${JSON.stringify(from)} that is not stopped: ${status}`,
        { fix: `Stop it first: proxmox-lxcri stop ${from}` },
      );
    }
    const runtime = ContainerStore.open(record.root);
    await deleteContainer({ store: runtime, id: from, log }, { force: true });
    const folder = launched.folder(from);
    await openStorage(launched.dataRoot).exclusive(record.name, async () => {
      unmountAll(join(folder, "rootfs"));
      // One step: the records go by their folder's name, and the config names files relative to the bundle.
      renameSync(folder, launched.folder(name));
    });
  } finally {
    for (const lock of locks) lock.release();
  }
}
