/**
 * Writes a layer's entries into a folder. All work is relative to descriptors beneath the layer's root and follows
 * no link in a last component, so nothing in the archive can name a place outside. Synchronous but for long writes:
 * each call is a few microseconds, and the bytes come from an asynchronous source.
 */
import { constants } from "node:fs";
import {
  chmodAt,
  chmodFd,
  chownAt,
  close,
  linkAt,
  makeDevice,
  mkdirAt,
  mknodAt,
  O_PATH,
  openAt,
  openBeneath,
  symlinkAt,
  utimesAt,
} from "../../host/at.ts";
import { errnoOf } from "../../host/errors.ts";
import { removeTree } from "../../host/remove-tree.ts";
import type { Budget } from "./budget.ts";
import { Directories, type Folder } from "./directories.ts";
import { LayerFile } from "./layer-file.ts";
import { invalid, splitPath } from "./layer-path.ts";
import type { TarEntry, TarHandler } from "./tar-entry.ts";
import { isWhiteout, meaningOf, putOpaque, putWhiteout } from "./whiteout.ts";
import { restoreXattrs } from "./xattrs.ts";

const NODE_TYPES = { char: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

/** A hard link whose target this layer does not have: a lower one must. */
export interface ForeignLink {
  readonly target: readonly string[];
  /** Path relative to the layer's root. */
  readonly folder: string;
  readonly name: string;
}

/** What only the lower layers know. */
export interface Unresolved {
  /** Folders that the archive uses but does not list, by path relative to the root. */
  readonly folders: ReadonlySet<string>;
  readonly links: readonly ForeignLink[];
}

/** How {@link Extractor} treats an archive. */
export interface ExtractorOptions {
  readonly budget: Budget;
  /** Turn OCI whiteouts into overlayfs's; else such names are plain files. */
  readonly whiteouts: boolean;
}

/** Feed it from a TarReader with {@link settle} after each piece, then {@link finish}; dispose of it in any case. */
export class Extractor implements TarHandler {
  readonly #options: ExtractorOptions;
  readonly #directories: Directories;
  readonly #folderTimes = new Map<string, bigint>();
  readonly #folders = new Set<string>();
  readonly #links: ForeignLink[] = [];
  #rootListed = false;
  /** Something was removed: open folders may no longer be what their path means. */
  #stale = false;
  #file: LayerFile | undefined;
  /** Complete but for writes under way. */
  readonly #ended: LayerFile[] = [];

  /** @param root descriptor of the folder to fill; stays the caller's */
  constructor(root: number, options: ExtractorOptions) {
    this.#options = options;
    this.#directories = new Directories(root, {
      made: (path) => this.#folders.add(path),
      replace: (parent, name) => this.#unhide(parent, name),
    });
  }

  entry(entry: TarEntry): void {
    this.#options.budget.entry(entry.size);
    if (this.#stale) this.#directories.forget();
    this.#stale = false;
    const parts = splitPath(entry.path);
    const meaning = this.#options.whiteouts ? meaningOf(parts) : ({ kind: "node" } as const);
    if (meaning.kind === "ignored") return;
    const name = parts.at(-1);
    if (name === undefined) {
      if (entry.type === "directory") this.#describeRoot(entry);
      return;
    }
    const folder = this.#directories.ensure(parts.slice(0, -1));
    if (meaning.kind === "opaque") putOpaque(folder.fd, "");
    else if (meaning.kind === "whiteout") this.#whiteout(folder, meaning.name);
    else this.#node(entry, folder, name);
  }

  data(bytes: Uint8Array, offset: number): void {
    this.#file?.write(bytes, offset);
  }

  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    if (file.busy) this.#ended.push(file);
    else file.finish();
  }

  /** Waits for the writes under way; until then the bytes given to {@link data} are in use. */
  async settle(): Promise<void> {
    await this.#file?.written();
    for (let file = this.#ended[0]; file !== undefined; file = this.#ended[0]) {
      await file.written();
      this.#ended.shift();
      file.finish();
    }
  }

  /** Sets the folders' times, which making their content changed; tells what the lower layers must add. */
  finish(): Unresolved {
    for (const [path, mtime] of this.#folderTimes) {
      let fd: number;
      try {
        fd = openBeneath(this.#directories.root, path, O_PATH | constants.O_DIRECTORY, false);
      } catch (error) {
        // replaced by something else since
        if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR" || errnoOf(error) === "ELOOP")
          continue;
        throw error;
      }
      utimesAt(fd, "", mtime);
      close(fd);
    }
    if (!this.#rootListed) this.#folders.add("");
    return { folders: this.#folders, links: this.#links };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.#file === undefined ? this.#ended : [...this.#ended, this.#file];
    // a descriptor must not be closed, and its number given to another file, while it is written to
    for (const file of open) await file.written().catch(() => {});
    for (const file of open) file.abandon();
    this.#file = undefined;
    this.#ended.length = 0;
    this.#directories.forget();
  }

  #node(entry: TarEntry, folder: Folder, name: string): void {
    switch (entry.type) {
      case "directory":
        this.#folder(entry, folder, name);
        return;
      case "file": {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
        const fd = this.#make(folder, name, () => openAt(folder.fd, name, flags, 0o600));
        this.#file = new LayerFile(fd, entry);
        return;
      }
      case "hardlink":
        this.#link(entry, folder, name);
        return;
      case "symlink":
        this.#make(folder, name, () => symlinkAt(entry.link, folder.fd, name));
        break;
      default: {
        const mode = NODE_TYPES[entry.type] | 0o600;
        const device = entry.type === "fifo" ? 0 : makeDevice(entry.major, entry.minor);
        this.#make(folder, name, () => mknodAt(folder.fd, name, mode, device));
      }
    }
    this.#describe(entry, folder, name);
    utimesAt(folder.fd, name, entry.mtime);
  }

  #describe(entry: TarEntry, folder: Folder, name: string): void {
    chownAt(folder.fd, name, entry.uid, entry.gid);
    if (entry.type !== "symlink") chmodAt(folder.fd, name, entry.mode);
    restoreXattrs(folder.fd, name, entry.xattrs);
  }

  #describeRoot(entry: TarEntry): void {
    const fd = openBeneath(this.#directories.root, "", constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      chownAt(fd, "", entry.uid, entry.gid);
      chmodFd(fd, entry.mode, "/");
      restoreXattrs(fd, "", entry.xattrs);
    } finally {
      close(fd);
    }
    this.#folderTimes.set("", entry.mtime);
    this.#rootListed = true;
  }

  /** A folder that is there already keeps its content and gets the new description. */
  #folder(entry: TarEntry, folder: Folder, name: string): void {
    try {
      mkdirAt(folder.fd, name, 0o700);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      if (!isFolder(folder.fd, name)) {
        const hidden = this.#options.whiteouts && isWhiteout(folder.fd, name);
        this.#remove(folder, name);
        mkdirAt(folder.fd, name, 0o700);
        // deleted and made anew: nothing of the lower layers' folder may shine through
        if (hidden) putOpaque(folder.fd, name);
      }
    }
    this.#describe(entry, folder, name);
    const path = within(folder, name);
    this.#folderTimes.set(path, entry.mtime);
    this.#folders.delete(path);
  }

  #link(entry: TarEntry, folder: Folder, name: string): void {
    const target = splitPath(entry.link);
    const targetName = target.at(-1);
    if (targetName === undefined) throw invalid(entry.link, "is a hard link to the root");
    const from = this.#directories.find(target.slice(0, -1));
    if (from !== undefined && from.path === folder.path && targetName === name) return;
    if (from === undefined || !exists(from.fd, targetName)) {
      this.#links.push({ target, folder: folder.path, name });
      return;
    }
    this.#make(folder, name, () => linkAt(from.fd, targetName, folder.fd, name));
  }

  /** Whiteouts are for lower layers: what this layer itself has at the name stays, cut off from theirs. */
  #whiteout(folder: Folder, name: string): void {
    try {
      putWhiteout(folder.fd, name);
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      if (isFolder(folder.fd, name)) putOpaque(folder.fd, name);
    }
  }

  /** A folder that the layer hides and then uses: made anew, opaque. */
  #unhide(parent: Folder, name: string): boolean {
    if (!this.#options.whiteouts || !isWhiteout(parent.fd, name)) return false;
    this.#remove(parent, name);
    mkdirAt(parent.fd, name, 0o755);
    putOpaque(parent.fd, name);
    return true;
  }

  /** Calls `create`; where the name is taken the older entry goes first, as in every tar. */
  #make<T>(folder: Folder, name: string, create: () => T): T {
    try {
      return create();
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
      this.#remove(folder, name);
      return create();
    }
  }

  #remove(folder: Folder, name: string): void {
    removeTree(folder.fd, name);
    this.#stale = true;
  }
}

const within = (folder: Folder, name: string): string =>
  folder.path === "" ? name : `${folder.path}/${name}`;

function canOpen(dir: number, name: string, flags: number): boolean {
  try {
    close(openAt(dir, name, O_PATH | flags));
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ELOOP") return false;
    throw error;
  }
}

const isFolder = (dir: number, name: string): boolean => canOpen(dir, name, constants.O_DIRECTORY);
const exists = (dir: number, name: string): boolean => canOpen(dir, name, 0);
