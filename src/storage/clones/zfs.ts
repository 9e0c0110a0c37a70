/**
 * Volumes that are ZFS datasets below one that the administrator made.
 *
 *     ROOT/{layers,shifted,containers}/<x>           datasets; sealed ones have a snapshot @sealed
 *     ROOT/containers/<x>@checkpoint-<n>             checkpoints
 *     ROOT/containers/<x>@was-<n>-<hash>             checkpoints of a removed container that this one is a clone of
 */
import { chmodSync } from "node:fs";
import { digestOf, hexOf } from "../../spec/digest.ts";
import type { Receiver, Usage } from "../driver.ts";
import { measureFolder, PRIVATE } from "../private-folder.ts";
import {
  checkpointName,
  listCheckpoints,
  receiveCommand,
  removeCheckpoint,
  rollbackTo,
  sendCommand,
  takeCheckpoint,
} from "../zfs/checkpoints.ts";
import { clonesOf, findProperty, getProperties, mountDataset, ZfsError, zfs } from "../zfs/zfs.ts";
import type { CloneBackend } from "./backend.ts";

const KINDS = ["layers", "shifted", "containers"];
const SEALED = "sealed";

export class ZfsBackend implements CloneBackend {
  readonly streamForm = "zfs";
  readonly #root: string;
  #opened: Promise<void> | undefined;

  /** @param root dataset that exists */
  constructor(root: string) {
    this.#root = root;
  }

  /** Makes the datasets that hold the volumes; others cannot pass through their folders. */
  open(): Promise<void> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async #open(): Promise<void> {
    const there = await getProperties(this.#root, ["type"], 1);
    for (const kind of KINDS) {
      const dataset = `${this.#root}/${kind}`;
      if (there.has(dataset)) continue;
      await createDataset(dataset);
      chmodSync(await mountDataset(dataset), PRIVATE);
    }
  }

  #nameOf(name: string): string {
    return `${this.#root}/${name}`;
  }

  async exists(name: string): Promise<boolean> {
    return (await findProperty(this.#nameOf(name), "type")) !== undefined;
  }

  create(name: string): Promise<void> {
    return createDataset(this.#nameOf(name));
  }

  async clone(from: string, to: string): Promise<void> {
    await zfs("clone", `${this.#nameOf(from)}@${SEALED}`, this.#nameOf(to));
  }

  async seal(name: string): Promise<void> {
    await zfs("snapshot", `${this.#nameOf(name)}@${SEALED}`);
  }

  folderOf(name: string): Promise<string> {
    return mountDataset(this.#nameOf(name));
  }

  /** Containers that were cloned from its checkpoints keep what they need. */
  async destroy(name: string): Promise<void> {
    const dataset = this.#nameOf(name);
    for (;;) {
      if ((await findProperty(dataset, "type")) === undefined) return;
      try {
        await zfs("destroy", "-r", dataset);
        return;
      } catch (error) {
        if (!(error instanceof ZfsError) || error.code !== "dataset-has-clones") throw error;
        await this.#giveAway(dataset);
      }
    }
  }

  /** Promotes a clone, so that the snapshots it needs are its own; under names that are no checkpoints of its. */
  async #giveAway(dataset: string): Promise<void> {
    const hash = hexOf(digestOf(dataset)).slice(0, 8);
    for (const number of await listCheckpoints(dataset)) {
      await renameSnapshot(`${dataset}@${checkpointName(number)}`, `${dataset}@was-${number}-${hash}`);
    }
    const [clone] = await clonesOf(dataset);
    if (clone !== undefined) await zfs("promote", clone);
  }

  async usage(name: string): Promise<Usage> {
    const bytes = Number((await findProperty(this.#nameOf(name), "used")) ?? 0);
    return { bytes, inodes: (await measureFolder(await this.folderOf(name))).inodes };
  }

  async list(kind: string): Promise<string[]> {
    const prefix = `${this.#root}/${kind}/`;
    const found = await getProperties(`${this.#root}/${kind}`, ["type"], 1);
    return [...found]
      .filter(([name, { type }]) => type === "filesystem" && name.startsWith(prefix))
      .map(([name]) => name.slice(prefix.length));
  }

  snapshot(name: string, number: number): Promise<void> {
    return takeCheckpoint(this.#nameOf(name), number);
  }

  snapshots(name: string): Promise<number[]> {
    return listCheckpoints(this.#nameOf(name));
  }

  removeSnapshot(name: string, number: number): Promise<void> {
    return removeCheckpoint(this.#nameOf(name), number);
  }

  rollback(name: string, number: number, dropNewer: boolean): Promise<void> {
    return rollbackTo(this.#nameOf(name), number, dropNewer);
  }

  async cloneSnapshot(name: string, number: number, to: string): Promise<void> {
    await zfs("clone", `${this.#nameOf(name)}@${checkpointName(number)}`, this.#nameOf(to));
  }

  sendCommand(name: string, number: number): readonly string[] {
    return sendCommand(this.#nameOf(name), number);
  }

  /** The stream makes the whole dataset, which must not be there. */
  async receive(name: string, number: number): Promise<Receiver> {
    const dataset = this.#nameOf(name);
    return {
      command: receiveCommand(dataset, number),
      finish: async () => {},
      discard: () => this.destroy(name),
    };
  }
}

/** zfs-fuse says at times that the old name is missing, when it has renamed it. */
async function renameSnapshot(from: string, to: string): Promise<void> {
  try {
    await zfs("rename", from, to);
  } catch (error) {
    if ((await findProperty(to, "type")) === undefined) throw error;
  }
}

/** An interrupted `zfs create` may have made it already. */
async function createDataset(dataset: string): Promise<void> {
  try {
    await zfs("create", dataset);
  } catch (error) {
    if ((await findProperty(dataset, "type")) === undefined) throw error;
  }
}
