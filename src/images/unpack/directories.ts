/**
 * The folders of a layer while it is unpacked, by descriptor. A path is resolved beneath the layer's root whatever
 * links it holds; the last ones used stay open, since archives list a folder's files one after another.
 */
import { constants, readlinkSync } from "node:fs";
import { close, mkdirAt, O_PATH, openAt, openBeneath, readlinkAt } from "../../host/at.ts";
import { errnoOf } from "../../host/errors.ts";
import { invalid, MAX_DEPTH, MAX_PATH } from "./layer-path.ts";

/** An open folder. */
export interface Folder {
  /** O_PATH; stays open while fewer than {@link MAX_OPEN} others are asked for, until `forget`. */
  readonly fd: number;
  /** Where it really is, relative to the layer's root, links resolved; empty for the root. */
  readonly path: string;
}

/** What to do where a folder on the way is not there. */
export interface Gaps {
  /** The folder at `path` was made because the archive had left it out. */
  made(path: string): void;
  /** Puts a folder where a node that is none stands; false where that is not allowed. */
  replace(parent: Folder, name: string): boolean;
}

const DIRECTORY = O_PATH | constants.O_DIRECTORY;
const MAX_OPEN = 64;
/** As the kernel's own limit. */
const MAX_LINKS = 40;

/** Close it in any case. */
export class Directories {
  readonly root: number;
  readonly #rootPath: string;
  readonly #open = new Map<string, Folder>();
  readonly #gaps: Gaps;

  /** @param root descriptor of the layer's folder; stays the caller's */
  constructor(root: number, gaps: Gaps) {
    this.root = root;
    this.#rootPath = readlinkSync(`/proc/self/fd/${root}`);
    this.#gaps = gaps;
  }

  /** The folder; undefined where there is none. */
  find(parts: readonly string[]): Folder | undefined {
    const key = parts.join("/");
    const known = this.#open.get(key);
    if (known !== undefined) {
      // last used, last closed
      this.#open.delete(key);
      this.#open.set(key, known);
      return known;
    }
    let fd: number;
    try {
      fd = openBeneath(this.root, key, DIRECTORY);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
      if (errno === "ELOOP") throw invalid(key, "runs in circles");
      throw error;
    }
    return this.#keep(key, fd);
  }

  /** The folder, made with all that lead to it where missing. @throws LayerError `layer-path-invalid` */
  ensure(parts: readonly string[]): Folder {
    return this.find(parts) ?? this.#walk(parts);
  }

  /** To be called when a folder or link was removed: what is open may no longer be what its path means. */
  forget(): void {
    for (const folder of this.#open.values()) close(folder.fd);
    this.#open.clear();
  }

  #keep(key: string, fd: number): Folder {
    const path = readlinkSync(`/proc/self/fd/${fd}`).slice(this.#rootPath.length + 1);
    if (path.length > MAX_PATH || path.split("/").length > MAX_DEPTH) {
      close(fd);
      throw invalid(key, "is too deep");
    }
    if (this.#open.size >= MAX_OPEN) {
      for (const [oldest, folder] of this.#open) {
        this.#open.delete(oldest);
        close(folder.fd);
        break;
      }
    }
    const folder = { fd, path };
    this.#open.set(key, folder);
    return folder;
  }

  /** Component by component, following links as if the layer's root were `/`, making what is missing. */
  #walk(parts: readonly string[]): Folder {
    const queue = [...parts];
    const here: string[] = [];
    let links = 0;
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        here.pop();
        continue;
      }
      const parent = this.find(here);
      if (parent === undefined) throw invalid(parts.join("/"), "vanished");
      const target = this.#step(parent, name, parts);
      if (target === undefined) {
        here.push(name);
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) throw invalid(parts.join("/"), "runs in circles");
      if (target.startsWith("/")) here.length = 0;
      queue.unshift(...target.split("/"));
    }
    const found = this.find(here);
    if (found === undefined) throw invalid(parts.join("/"), "vanished");
    return found;
  }

  /** Makes sure that `name` is a folder; the target where it is a link. */
  #step(parent: Folder, name: string, parts: readonly string[]): string | undefined {
    try {
      close(openAt(parent.fd, name, DIRECTORY));
      return undefined;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOENT") {
        mkdirAt(parent.fd, name, 0o755);
      } else if (errno === "ENOTDIR" || errno === "ELOOP") {
        const target = linkTarget(parent.fd, name);
        if (target !== undefined) return target;
        if (!this.#gaps.replace(parent, name)) throw invalid(parts.join("/"), "leads through a file");
      } else throw error;
    }
    this.#gaps.made(parent.path === "" ? name : `${parent.path}/${name}`);
    return undefined;
  }
}

/** undefined where it is no link. */
function linkTarget(parent: number, name: string): string | undefined {
  try {
    return readlinkAt(parent, name);
  } catch (error) {
    if (errnoOf(error) === "EINVAL") return undefined;
    throw error;
  }
}
