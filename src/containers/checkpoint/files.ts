/**
 * Checkpoints of launched containers' file systems. Calls the storage room, which keeps them; this folder sees to it
 * that the container stands still meanwhile. A kill between freezing and thawing leaves a paused container, which
 * `resume` lets go on.
 */
import { LxcriError } from "../../host/errors.ts";
import { parseContainerId } from "../../spec/container-id.ts";
import type { Status } from "../../spec/state.ts";
import { Checkpoints } from "../../storage/checkpoints.ts";
import { openStorage } from "../../storage/storage.ts";
import type { LaunchedContext } from "../launched/remove.ts";
import { freezerOf } from "../leaf.ts";
import { statusOf } from "../status.ts";
import { ContainerStore } from "../store.ts";

/** The runtime's records of a launched container, or those of the `--root` that was given. */
function runtimeOf({ launched, store }: LaunchedContext, name: string): ContainerStore {
  const record = launched.find(name);
  return record === undefined ? store : ContainerStore.open(record.root);
}

/** `stopped` also where the runtime knows nothing of it. */
function statusIn(runtime: ContainerStore, name: string): Status {
  return runtime.exists(name) ? statusOf(runtime, runtime.load(name)) : "stopped";
}

/**
 * Keeps the container's file system as it is now; a running one stands still for that moment.
 * @returns the checkpoint's number
 * @throws LxcriError `snapshot-not-found`, `container-not-steady`, `no-cgroup`
 */
export async function checkpointFiles(context: LaunchedContext, name: string): Promise<number> {
  const id = parseContainerId(name);
  const checkpoints = new Checkpoints(openStorage(context.launched.dataRoot));
  checkpoints.open(id);
  const lock = await context.launched.lock(name);
  try {
    const runtime = runtimeOf(context, name);
    const status = statusIn(runtime, name);
    if (status === "stopped" || status === "paused") return await checkpoints.take(id);
    if (status === "creating") {
      throw new LxcriError(
        "container-not-steady",
        `container ${JSON.stringify(name)} is just being created`,
        {
          fix: "Try again when it runs.",
        },
      );
    }
    using _runtimeLock = await runtime.lock(name);
    const freezer = freezerOf(runtime.load(name));
    if (freezer === undefined) {
      throw new LxcriError("no-cgroup", `container ${JSON.stringify(name)} has no cgroup to be frozen by`);
    }
    await freezer.freeze();
    try {
      return await checkpoints.take(id);
    } finally {
      await freezer.thaw();
    }
  } finally {
    lock.release();
  }
}

/** How {@link restoreFiles} restores. */
export interface RestoreFilesOptions {
  /** The latest where none is said. */
  readonly number?: number;
  /** Lose newer snapshots where the storage can only go back so. */
  readonly discardNewer: boolean;
}

/**
 * Puts a stopped container's file system back to a checkpoint, and looks that it is there.
 * @returns the checkpoint's number
 * @throws LxcriError `container-not-stopped`, `checkpoint-not-found`, `snapshots-newer`, `restore-failed`
 */
export async function restoreFiles(
  context: LaunchedContext,
  name: string,
  options: RestoreFilesOptions,
): Promise<number> {
  const id = parseContainerId(name);
  const checkpoints = new Checkpoints(openStorage(context.launched.dataRoot));
  checkpoints.open(id);
  const lock = await context.launched.lock(name);
  try {
    refuseRunning(context, name, "restore");
    const { number, snapshot } = await checkpoints.restore(id, options);
    if (snapshot.mounted && (await checkpoints.list(id)).includes(number)) return number;
    throw new LxcriError(
      "restore-failed",
      `container ${JSON.stringify(name)}: is not at checkpoint ${number} after its restore`,
    );
  } finally {
    lock.release();
  }
}

/** @throws LxcriError `container-not-stopped` */
export function refuseRunning(context: LaunchedContext, name: string, operation: string): void {
  const status = statusIn(runtimeOf(context, name), name);
  if (status === "stopped") return;
  throw new LxcriError(
    "container-not-stopped",
    `cannot ${operation} container ${JSON.stringify(name)} that is not stopped: ${status}`,
    { fix: `Stop it first: proxmox-lxcri stop ${name}` },
  );
}
