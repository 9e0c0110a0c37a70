/**
 * Checkpoints of a folder as copies of it (sharing blocks where the file system can), for storage that has no
 * snapshots of its own:
 *
 *     <place>/<name>               the folder
 *     <place>/checkpoints/<n>      the copies
 *     <place>/checkpoints/*.draft  what a killed process left
 */
import { existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { close, openDirectory, RENAME_EXCHANGE, renameAt } from "../host/at.ts";
import { isMissing, LxcriError } from "../host/errors.ts";
import type { Receiver } from "./driver.ts";
import { copyFolder, makeFolder, PRIVATE, removeFolders } from "./private-folder.ts";

export class FolderCheckpoints {
  readonly #place: string;
  readonly #name: string;
  readonly #folder: string;

  constructor(place: string, name: string) {
    this.#place = place;
    this.#name = name;
    this.#folder = join(place, "checkpoints");
  }

  #pathOf(number: number): string {
    return join(this.#folder, String(number));
  }

  async make(number: number): Promise<void> {
    makeFolder(this.#folder, PRIVATE);
    const draft = `${this.#pathOf(number)}.draft`;
    await removeFolders(draft);
    await copyFolder(join(this.#place, this.#name), draft);
    renameSync(draft, this.#pathOf(number));
  }

  /** Ascending. */
  list(): number[] {
    try {
      const names = readdirSync(this.#folder).filter((name) => /^\d+$/.test(name));
      return names.map(Number).sort((a, b) => a - b);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Renamed first: what is left of it after a kill is no checkpoint any more. */
  async remove(number: number): Promise<void> {
    const gone = `${this.#pathOf(number)}.draft`;
    await removeFolders(gone);
    if (existsSync(this.#pathOf(number))) renameSync(this.#pathOf(number), gone);
    await removeFolders(gone);
  }

  /** Puts a copy in the folder's place, in one step. */
  async restore(number: number): Promise<void> {
    const name = `${this.#name}.restored`;
    await removeFolders(join(this.#place, name));
    await copyFolder(this.#pathOf(number), join(this.#place, name));
    const place = openDirectory(this.#place);
    try {
      renameAt(place, name, place, this.#name, RENAME_EXCHANGE);
    } finally {
      close(place);
    }
    await removeFolders(join(this.#place, name));
  }

  /** A copy under the same name in another place. */
  async copyTo(number: number, place: string): Promise<void> {
    const draft = join(place, `${this.#name}.copy`);
    await removeFolders(draft);
    await copyFolder(this.#pathOf(number), draft);
    renameSync(draft, join(place, this.#name));
  }

  /** A tar archive: owners as numbers, extended attributes, sparse files. */
  sendCommand(number: number): readonly string[] {
    return ["tar", ...TAR, "--sparse", "-C", this.#pathOf(number), "-cf", "-", "."];
  }

  /** What arrives becomes a checkpoint, and, where there is no folder yet, the folder. */
  async receive(number: number): Promise<Receiver> {
    makeFolder(this.#folder, PRIVATE);
    const draft = `${this.#pathOf(number)}.draft`;
    await removeFolders(draft);
    makeFolder(draft, PRIVATE);
    return {
      command: ["tar", ...TAR, "-xpf", "-"],
      cwd: draft,
      finish: async () => {
        if (existsSync(this.#pathOf(number))) {
          throw new LxcriError("checkpoint-exists", `${this.#place}: has a checkpoint ${number} already`);
        }
        renameSync(draft, this.#pathOf(number));
        if (!existsSync(join(this.#place, this.#name))) await this.copyTo(number, this.#place);
      },
      discard: () => removeFolders(draft),
    };
  }
}

const TAR = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls"] as const;
