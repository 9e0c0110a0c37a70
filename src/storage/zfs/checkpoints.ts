/**
 * Checkpoints of a dataset: snapshots named `DATASET@checkpoint-<number>`, where the number is the time in seconds
 * since 1970, or the next free one. These functions work on any dataset, also on an OCI bundle's own.
 */
import { LxcriError } from "../../host/errors.ts";
import { getProperties, ZfsError, zfs } from "./zfs.ts";

const PREFIX = "checkpoint-";

/** The part after `@`. */
export const checkpointName = (number: number): string => `${PREFIX}${number}`;

/** The number in a snapshot's name; undefined where it is no checkpoint's. */
export function checkpointNumber(name: string): number | undefined {
  const found = /^checkpoint-(\d{1,15})$/.exec(name);
  return found === null ? undefined : Number(found[1]);
}

/** @throws ZfsError `zfs-failed` where it is there already */
export async function takeCheckpoint(dataset: string, number: number): Promise<void> {
  await zfs("snapshot", `${dataset}@${checkpointName(number)}`);
}

/** Numbers, ascending: by number, not by text or time. @throws ZfsError `dataset-missing` */
export async function listCheckpoints(dataset: string): Promise<number[]> {
  const found = await getProperties(dataset, ["type"], 1);
  const numbers: number[] = [];
  for (const name of found.keys()) {
    if (!name.startsWith(`${dataset}@`)) continue;
    const number = checkpointNumber(name.slice(dataset.length + 1));
    if (number !== undefined) numbers.push(number);
  }
  return numbers.sort((a, b) => a - b);
}

/** @throws LxcriError `checkpoint-in-use` where a container was cloned from it */
export async function removeCheckpoint(dataset: string, number: number): Promise<void> {
  try {
    await zfs("destroy", `${dataset}@${checkpointName(number)}`);
  } catch (error) {
    throw inUse(error, `checkpoint ${number} of ${dataset}`);
  }
}

/**
 * Puts the dataset back. ZFS can do so only when newer snapshots, anybody's, are destroyed.
 * @param dropNewer destroy them
 * @throws LxcriError `snapshots-newer`, `checkpoint-in-use` where one of them has clones
 */
export async function rollbackTo(dataset: string, number: number, dropNewer: boolean): Promise<void> {
  const snapshot = `${dataset}@${checkpointName(number)}`;
  try {
    await zfs("rollback", ...(dropNewer ? ["-r"] : []), snapshot);
  } catch (error) {
    if (error instanceof ZfsError && /more recent snapshots/.test(error.message)) {
      const newer = await newerSnapshots(dataset, snapshot);
      throw new LxcriError(
        "snapshots-newer",
        `${snapshot}: going back to it would destroy newer snapshots: ${newer.join(", ")}`,
        {
          cause: error,
          fix: "Say that they may go with --discard-newer, or make a clone of the checkpoint.",
        },
      );
    }
    throw inUse(error, `a checkpoint of ${dataset} that is newer than ${number}`);
  }
}

/** Names, as `zfs` orders them: by the time they were made. */
async function newerSnapshots(dataset: string, snapshot: string): Promise<string[]> {
  const names = [...(await getProperties(dataset, ["type"], 1)).keys()];
  const snapshots = names.filter((name) => name.startsWith(`${dataset}@`));
  return snapshots.slice(snapshots.indexOf(snapshot) + 1);
}

function inUse(error: unknown, what: string): unknown {
  if (!(error instanceof ZfsError) || error.code !== "dataset-has-clones") return error;
  return new LxcriError("checkpoint-in-use", `${what}: a container was made from it`, {
    cause: error,
    fix: "Remove the containers that were made from it first.",
  });
}

/** The program whose standard output is the checkpoint. */
export const sendCommand = (dataset: string, number: number): readonly string[] => [
  "zfs",
  "send",
  `${dataset}@${checkpointName(number)}`,
];

/** The program that makes the dataset, with its checkpoint, from such a stream. */
export const receiveCommand = (dataset: string, number: number): readonly string[] => [
  "zfs",
  "receive",
  `${dataset}@${checkpointName(number)}`,
];
