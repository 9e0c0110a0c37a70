/**
 * A checkpoint as a stream, to travel: one line of JSON that says what it is, then, in frames, what the storage's own
 * program writes (`zfs send`, `btrfs send`, tar).
 */

import { join } from "node:path";
import { LxcriError, messageOf } from "../host/errors.ts";
import { unmountAll } from "../host/mount-point.ts";
import type { ContainerId } from "../spec/container-id.ts";
import { type Digest, isDigest } from "../spec/digest.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { IdMaps, Receiver, Snapshot, StorageDriver } from "./driver.ts";
import { StreamReader, writeFrames } from "./framed-stream.ts";
import { heldLocks } from "./program.ts";
import { type SnapshotRecord, volumeOf } from "./snapshot-records.ts";
import type { Storage } from "./storage.ts";

/** The first line. */
export interface StreamHeader {
  readonly format: "proxmox-lxcri checkpoint 1";
  readonly form: StorageDriver["streamForm"];
  readonly number: number;
  readonly layers: readonly Digest[];
  readonly idMaps?: IdMaps;
  /** What other rooms want to know of the container at the other end. */
  readonly container: unknown;
}

const FORMAT = "proxmox-lxcri checkpoint 1";
const MAX_HEADER = 1 << 20;

/**
 * Sends a checkpoint.
 * @param container goes along in the header
 * @param write takes the pieces in order
 * @throws LxcriError `checkpoint-not-found`, `checkpoint-send-failed`
 */
export async function sendCheckpoint(
  checkpoints: Checkpoints,
  id: ContainerId,
  asked: { readonly number?: number; readonly container: unknown },
  write: (bytes: Uint8Array) => Promise<void> | void,
): Promise<number> {
  const { driver, volume, record } = checkpoints.open(id);
  const number = await checkpoints.find(id, asked.number);
  const header: StreamHeader = {
    format: FORMAT,
    form: driver.streamForm,
    number,
    layers: record.layers,
    ...(record.idMaps === undefined ? {} : { idMaps: record.idMaps }),
    container: asked.container,
  };
  const child = Bun.spawn([...(await driver.sendCommand(volume, number))], {
    stdio: ["ignore", "pipe", "pipe", ...heldLocks()],
  });
  try {
    await write(Buffer.from(`${JSON.stringify(header)}\n`));
    const said = new Response(child.stderr).text();
    await writeFrames(child.stdout, write);
    if ((await child.exited) !== 0) {
      throw new LxcriError(
        "checkpoint-send-failed",
        `checkpoint ${number} of container ${id}: ${(await said).trim()}`,
      );
    }
    return number;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

/**
 * Makes a container's file system, with the checkpoint, of a stream; it is mounted then.
 * @throws LxcriError `checkpoint-damaged`, `checkpoint-form`, `layer-missing`, `snapshot-exists`
 */
export async function receiveCheckpoint(
  storage: Storage,
  id: ContainerId,
  source: AsyncIterable<Uint8Array>,
): Promise<{ readonly header: StreamHeader; readonly snapshot: Snapshot }> {
  const reader = new StreamReader(source);
  const header = parseHeader(await reader.line(MAX_HEADER));
  const driver = storage.driver();
  if (driver.streamForm !== header.form) {
    throw new LxcriError(
      "checkpoint-form",
      `the checkpoint was sent by a storage of the kind ${header.form}; ${driver.location} takes ${driver.streamForm}`,
      { fix: "Choose a data root of that kind; `storage migrate` moves the container afterwards." },
    );
  }
  if (header.form === "changes") {
    const missing = header.layers.find((each) => !driver.hasLayer(each));
    if (missing !== undefined) {
      throw new LxcriError("layer-missing", `container ${id}: layer ${missing} is not in this data root`, {
        fix: "Pull the container's image first.",
      });
    }
  }
  return storage.exclusive(id, async () => {
    const { records } = storage;
    if (records.find(id) !== undefined) {
      throw new LxcriError("snapshot-exists", `container ${id}: has a file system already`);
    }
    const record: SnapshotRecord = {
      location: driver.location,
      volume: storage.newVolumeName(id),
      // a whole tree needs no layers; those that are here it goes on counting as its base
      layers: header.layers.every((each) => driver.hasLayer(each)) ? header.layers : [],
      ...(header.idMaps === undefined ? {} : { idMaps: header.idMaps }),
    };
    records.write(id, { ...record, unfinished: true });
    const volume = volumeOf(records.folderOf(id), record);
    try {
      const receiver = await driver.receive(volume, header.number);
      await feed(receiver, reader.frames());
      records.write(id, record);
      return { header, snapshot: await storage.mountLocked(id, record) };
    } catch (error) {
      unmountAll(join(volume.folder, "rootfs"));
      await driver.destroy(volume);
      records.remove(id);
      throw error;
    }
  });
}

function parseHeader(text: string): StreamHeader {
  let header: StreamHeader;
  try {
    header = JSON.parse(text) as StreamHeader;
  } catch (error) {
    throw damaged(messageOf(error));
  }
  const { format, number, layers, idMaps } = header ?? {};
  if (format !== FORMAT) throw damaged(`its header does not say ${FORMAT}`);
  if (!Number.isSafeInteger(number) || number < 0) throw damaged("its number is none");
  if (!Array.isArray(layers) || !layers.every(isDigest)) throw damaged("its layers are no digests");
  const lines: unknown = idMaps === undefined ? [] : [idMaps.uidMappings, idMaps.gidMappings].flat();
  if (!Array.isArray(lines) || !lines.every(isMapping)) throw damaged("its id maps are none");
  return header;
}

const isMapping = (line: unknown): boolean =>
  typeof line === "object" &&
  line !== null &&
  ["containerID", "hostID", "size"].every((key) => {
    const value: unknown = Reflect.get(line, key);
    return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= 0xffffffff;
  });

const damaged = (why: string): LxcriError =>
  new LxcriError("checkpoint-damaged", `this is no checkpoint that can be received: ${why}`);

async function feed(receiver: Receiver, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const child = Bun.spawn([...receiver.command], {
    stdio: ["pipe", "ignore", "pipe", ...heldLocks()],
    ...(receiver.cwd === undefined ? {} : { cwd: receiver.cwd }),
  });
  try {
    const said = new Response(child.stderr).text();
    for await (const piece of pieces) {
      child.stdin.write(piece);
      await child.stdin.flush();
    }
    await child.stdin.end();
    if ((await child.exited) !== 0) throw damaged((await said).trim().split("\n").at(-1) ?? "");
    await receiver.finish();
  } catch (error) {
    child.kill("SIGKILL");
    await child.exited;
    await receiver.discard();
    throw error;
  }
}
