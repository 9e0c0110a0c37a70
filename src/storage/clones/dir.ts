/** Volumes that are plain folders, cloned by copying; files share their blocks where the file system can (reflink). */
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Receiver, Usage } from "../driver.ts";
import { FolderCheckpoints } from "../folder-checkpoints.ts";
import { copyFolder, makeFolder, measureFolder, PRIVATE, removeFolders } from "../private-folder.ts";
import type { CloneBackend } from "./backend.ts";

const KINDS = ["layers", "shifted", "containers", "drafts"];

export class DirBackend implements CloneBackend {
  readonly streamForm = "tree";
  readonly #root: string;

  /** @param root absolute; made when needed */
  constructor(root: string) {
    this.#root = root;
  }

  async open(): Promise<void> {
    mkdirSync(this.#root, { recursive: true, mode: PRIVATE });
    for (const kind of KINDS) makeFolder(join(this.#root, kind), PRIVATE);
  }

  #pathOf(name: string): string {
    return join(this.#root, name);
  }

  #draftOf(name: string): string {
    return join(this.#root, "drafts", name.replace("/", "."));
  }

  #checkpoints(name: string): FolderCheckpoints {
    return new FolderCheckpoints(this.#pathOf(name), "tree");
  }

  async exists(name: string): Promise<boolean> {
    return existsSync(this.#pathOf(name));
  }

  async create(name: string): Promise<void> {
    makeFolder(this.#pathOf(name), PRIVATE);
  }

  async clone(from: string, to: string): Promise<void> {
    await removeFolders(this.#draftOf(to));
    await copyFolder(this.#pathOf(from), this.#draftOf(to));
    renameSync(this.#draftOf(to), this.#pathOf(to));
  }

  async seal(): Promise<void> {}

  async folderOf(name: string): Promise<string> {
    return this.#pathOf(name);
  }

  /** Moved away first, so that half of it is never taken for the volume. */
  async destroy(name: string): Promise<void> {
    await removeFolders(this.#draftOf(name));
    if (!existsSync(this.#pathOf(name))) return;
    renameSync(this.#pathOf(name), this.#draftOf(name));
    await removeFolders(this.#draftOf(name));
  }

  usage(name: string): Promise<Usage> {
    return measureFolder(this.#pathOf(name));
  }

  async list(kind: string): Promise<string[]> {
    return readdirSync(this.#pathOf(kind));
  }

  snapshot(name: string, number: number): Promise<void> {
    return this.#checkpoints(name).make(number);
  }

  async snapshots(name: string): Promise<number[]> {
    return this.#checkpoints(name).list();
  }

  removeSnapshot(name: string, number: number): Promise<void> {
    return this.#checkpoints(name).remove(number);
  }

  rollback(name: string, number: number): Promise<void> {
    return this.#checkpoints(name).restore(number);
  }

  async cloneSnapshot(name: string, number: number, to: string): Promise<void> {
    await removeFolders(this.#draftOf(to));
    makeFolder(this.#draftOf(to), PRIVATE);
    await this.#checkpoints(name).copyTo(number, this.#draftOf(to));
    renameSync(this.#draftOf(to), this.#pathOf(to));
  }

  sendCommand(name: string, number: number): readonly string[] {
    return this.#checkpoints(name).sendCommand(number);
  }

  async receive(name: string, number: number): Promise<Receiver> {
    makeFolder(this.#pathOf(name), PRIVATE);
    return this.#checkpoints(name).receive(number);
  }
}
