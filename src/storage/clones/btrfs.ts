/**
 * Volumes that are btrfs subvolumes.
 *
 *     <root>/{layers,shifted,containers}/<x>   subvolumes; sealed ones are read-only
 *     <root>/checkpoints/<x>/<n>               read-only snapshots of containers/<x>
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, statfsSync } from "node:fs";
import { basename, join } from "node:path";
import { close, openDirectory, RENAME_EXCHANGE, renameAt } from "../../host/at.ts";
import { isMissing, LxcriError } from "../../host/errors.ts";
import type { Receiver, Usage } from "../driver.ts";
import { makeFolder, measureFolder, PRIVATE } from "../private-folder.ts";
import { runProgramChecked } from "../program.ts";
import type { CloneBackend } from "./backend.ts";

const KINDS = ["layers", "shifted", "containers", "checkpoints"];
/** statfs(2). */
const BTRFS_MAGIC = 0x9123683e;
const subvolume = (...args: readonly string[]) =>
  runProgramChecked(["btrfs", "subvolume", ...args], { timeout: 600_000 });

export class BtrfsBackend implements CloneBackend {
  readonly streamForm = "btrfs";
  readonly #root: string;

  /** @param root absolute; made when needed */
  constructor(root: string) {
    this.#root = root;
  }

  async open(): Promise<void> {
    mkdirSync(this.#root, { recursive: true, mode: PRIVATE });
    if (statfsSync(this.#root).type !== BTRFS_MAGIC) {
      throw new LxcriError("not-btrfs", `${this.#root}: is not on a btrfs file system`, {
        fix: "Choose another storage location, or mount a btrfs file system there.",
      });
    }
    for (const kind of KINDS) makeFolder(join(this.#root, kind), PRIVATE);
  }

  #pathOf(name: string): string {
    return join(this.#root, name);
  }

  #checkpointsOf(name: string): string {
    return join(this.#root, "checkpoints", basename(name));
  }

  #checkpointOf(name: string, number: number): string {
    return join(this.#checkpointsOf(name), String(number));
  }

  async exists(name: string): Promise<boolean> {
    return existsSync(this.#pathOf(name));
  }

  async create(name: string): Promise<void> {
    await subvolume("create", this.#pathOf(name));
  }

  async clone(from: string, to: string): Promise<void> {
    await subvolume("snapshot", this.#pathOf(from), this.#pathOf(to));
  }

  async seal(name: string): Promise<void> {
    await runProgramChecked(["btrfs", "property", "set", "-ts", this.#pathOf(name), "ro", "true"]);
  }

  async folderOf(name: string): Promise<string> {
    return this.#pathOf(name);
  }

  async destroy(name: string): Promise<void> {
    if (name.startsWith("containers/")) {
      for (const number of await this.snapshots(name)) await this.removeSnapshot(name, number);
      removeEmpty(this.#checkpointsOf(name));
      await this.#drop(`${this.#pathOf(name)}.restored`);
    }
    await this.#drop(this.#pathOf(name));
  }

  async #drop(path: string): Promise<void> {
    if (existsSync(path)) await subvolume("delete", path);
  }

  async usage(name: string): Promise<Usage> {
    const { stdout } = await runProgramChecked([
      "btrfs",
      "filesystem",
      "du",
      "-s",
      "--raw",
      this.#pathOf(name),
    ]);
    // Total, Exclusive, Set shared, Filename
    const bytes = Number(stdout.trim().split("\n").at(-1)?.trim().split(/\s+/)[1] ?? 0);
    return { bytes, inodes: (await measureFolder(this.#pathOf(name))).inodes };
  }

  async list(kind: string): Promise<string[]> {
    return readdirSync(this.#pathOf(kind)).filter((name) => !name.endsWith(".restored"));
  }

  async snapshot(name: string, number: number): Promise<void> {
    makeFolder(this.#checkpointsOf(name), PRIVATE);
    await subvolume("snapshot", "-r", this.#pathOf(name), this.#checkpointOf(name, number));
  }

  async snapshots(name: string): Promise<number[]> {
    try {
      return readdirSync(this.#checkpointsOf(name))
        .filter((each) => /^\d+$/.test(each))
        .map(Number)
        .sort((a, b) => a - b);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async removeSnapshot(name: string, number: number): Promise<void> {
    await this.#drop(this.#checkpointOf(name, number));
  }

  /** A writable snapshot of the checkpoint changes places with the volume, in one step. */
  async rollback(name: string, number: number): Promise<void> {
    const restored = `${this.#pathOf(name)}.restored`;
    await this.#drop(restored);
    await subvolume("snapshot", this.#checkpointOf(name, number), restored);
    const folder = openDirectory(join(this.#root, "containers"));
    try {
      renameAt(folder, basename(restored), folder, basename(name), RENAME_EXCHANGE);
    } finally {
      close(folder);
    }
    await this.#drop(restored);
  }

  async cloneSnapshot(name: string, number: number, to: string): Promise<void> {
    await subvolume("snapshot", this.#checkpointOf(name, number), this.#pathOf(to));
  }

  sendCommand(name: string, number: number): readonly string[] {
    return ["btrfs", "send", "-q", this.#checkpointOf(name, number)];
  }

  /** The stream names the subvolume that it makes: the checkpoint's number. */
  async receive(name: string, number: number): Promise<Receiver> {
    const folder = this.#checkpointsOf(name);
    const checkpoint = this.#checkpointOf(name, number);
    makeFolder(folder, PRIVATE);
    if (existsSync(checkpoint)) {
      throw new LxcriError("checkpoint-exists", `${folder}: has a checkpoint ${number} already`);
    }
    const before = readdirSync(folder);
    return {
      command: ["btrfs", "receive", "-q", "--chroot", folder],
      finish: async () => {
        if (!existsSync(checkpoint)) {
          throw new LxcriError("checkpoint-damaged", `the stream holds another checkpoint than ${number}`);
        }
        if (!existsSync(this.#pathOf(name))) await subvolume("snapshot", checkpoint, this.#pathOf(name));
      },
      discard: async () => {
        for (const each of readdirSync(folder)) {
          if (!before.includes(each)) await this.#drop(join(folder, each));
        }
        removeEmpty(folder);
      },
    };
  }
}

function removeEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
