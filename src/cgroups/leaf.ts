/** A container's groups, one folder per hierarchy: reading, writing, who is in them. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { errnoOf, isMissing, messageOf } from "../host/errors.ts";
import { CgroupError, groupsOf } from "./hierarchy.ts";

/** Content of a small file, trimmed; undefined where it is missing. */
export function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (isMissing(error)) return undefined;
    // A file of an offline or threaded group, and a v1 file that the kernel no longer fills.
    if (errnoOf(error) === "ENODEV" || errnoOf(error) === "ENOTSUP") return undefined;
    throw error;
  }
}

/** Folders of child groups. */
export function childrenOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${folder}/${entry.name}`);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Pids in a group and in all groups below it. A threaded group's are listed by the group above. */
export function processesBelow(folder: string): number[] {
  const own = (readFile(`${folder}/cgroup.procs`) ?? "").split("\n").filter(Boolean).map(Number);
  return [...own, ...childrenOf(folder).flatMap(processesBelow)];
}

/** The value of `key` in a flat-keyed file (`key value` lines). */
export function keyed(text: string | undefined, key: string): string | undefined {
  const line = text?.split("\n").find((l) => l.startsWith(`${key} `));
  return line?.slice(key.length + 1).trim();
}

/** The groups of one container; nothing is read before it is asked for. */
export class Leaf {
  /** Absolute folder per hierarchy: `unified` for v2, the controllers (`cpu,cpuacct`) for v1. */
  readonly folders: Readonly<Record<string, string>>;
  readonly #byController = new Map<string, string>();
  #unifiedControllers: readonly string[] | undefined;

  constructor(folders: Readonly<Record<string, string>>) {
    this.folders = folders;
    for (const [key, folder] of Object.entries(folders)) {
      if (key !== "unified") for (const name of key.split(",")) this.#byController.set(name, folder);
    }
  }

  /** The v2 folder, on unified and hybrid machines. */
  get unified(): string | undefined {
    return this.folders.unified;
  }

  /** Folder of the hierarchy that has the controller; v2 has `freezer`, `devices` and `cgroup` by itself. */
  folderOf(controller: string): string | undefined {
    const v1 = this.#byController.get(controller);
    if (v1 !== undefined || this.unified === undefined) return v1;
    if (["freezer", "devices", "cgroup"].includes(controller)) return this.unified;
    const controllers =
      this.#unifiedControllers ?? readFile(`${this.unified}/cgroup.controllers`)?.split(" ");
    // Kept only once there is a leaf: prepareLeaf asks before LXC has made it.
    if (controllers !== undefined) this.#unifiedControllers = controllers;
    return controllers?.includes(controller) === true ? this.unified : undefined;
  }

  /** cgroup version of the controller; undefined where the leaf has it in no hierarchy. */
  version(controller: string): 1 | 2 | undefined {
    if (this.#byController.has(controller)) return 1;
    return this.folderOf(controller) === undefined ? undefined : 2;
  }

  /** Whether the leaf has the file. */
  has(controller: string, file: string): boolean {
    const folder = this.folderOf(controller);
    return folder !== undefined && existsSync(`${folder}/${file}`);
  }

  /** Content of a file of the leaf, trimmed; undefined where it is missing. */
  read(controller: string, file: string): string | undefined {
    const folder = this.folderOf(controller);
    return folder === undefined ? undefined : readFile(`${folder}/${file}`);
  }

  /** Writes a file of the leaf. @throws CgroupError `cgroup-write-failed` naming file, value and cause */
  write(controller: string, file: string, value: string): void {
    const folder = this.folderOf(controller);
    if (folder === undefined) {
      throw new CgroupError("cgroup-write-failed", `${file}: the group has no ${controller} controller`);
    }
    writeControl(folder, file, value);
  }

  /** True where any of its folders is there. */
  exists(): boolean {
    return Object.values(this.folders).some((folder) => existsSync(folder));
  }

  /**
   * The folder whose members stand for all hierarchies': v2's, which tells of changes, else the freezer's, else
   * any. Undefined where the leaf is gone.
   */
  get membership(): string | undefined {
    const order = [this.unified, this.#byController.get("freezer"), ...Object.values(this.folders)];
    return order.find((folder) => folder !== undefined && existsSync(folder));
  }

  /** Pids of all processes in the container, nested groups included. */
  processes(): number[] {
    const folder = this.membership;
    return folder === undefined ? [] : processesBelow(folder);
  }

  /** True while any process, nested ones included, is alive in it. */
  isPopulated(): boolean {
    const folder = this.membership;
    if (folder === undefined) return false;
    const populated = keyed(readFile(`${folder}/cgroup.events`), "populated");
    return populated === undefined ? processesBelow(folder).length > 0 : populated === "1";
  }

  /** Processes that the OOM killer has ended in it; undefined without a memory controller. */
  oomKills(): number | undefined {
    const file = this.version("memory") === 1 ? "memory.oom_control" : "memory.events";
    const count = keyed(this.read("memory", file), "oom_kill");
    return count === undefined ? undefined : Number(count);
  }

  /**
   * The `cgroup.procs` files through which a process enters the container, one per hierarchy. Where a v2 leaf
   * has children with controllers it may hold no process itself: then init's own group stands in.
   */
  entrances(init: number): string[] {
    return Object.entries(this.folders).flatMap(([key, folder]) => {
      if (!existsSync(folder)) return [];
      const isParent = key === "unified" && readFile(`${folder}/cgroup.subtree_control`);
      return [`${isParent ? this.#groupOfInit(folder, init) : folder}/cgroup.procs`];
    });
  }

  /** Init's group on disk: its path ends in the leaf's, maybe deeper. */
  #groupOfInit(leaf: string, init: number): string {
    const group = groupsOf(init).get("unified") ?? "";
    const name = leaf.slice(leaf.lastIndexOf("/"));
    const at = `${group}/`.lastIndexOf(`${name}/`);
    return at < 0 ? leaf : `${leaf}${group.slice(at + name.length)}`;
  }

  /** Moves a process into the leaf, in every hierarchy. @throws CgroupError `cgroup-join-failed` */
  addProcess(pid: number): void {
    for (const folder of Object.values(this.folders)) {
      if (!existsSync(folder)) continue;
      try {
        writeFileSync(`${folder}/cgroup.procs`, String(pid));
      } catch (cause) {
        throw new CgroupError("cgroup-join-failed", `pid ${pid} into ${folder}: ${joinText(cause)}`, {
          cause,
        });
      }
    }
  }
}

function joinText(cause: unknown): string {
  switch (errnoOf(cause)) {
    case "ENOSPC":
      return "its cpuset has no CPUs or no memory nodes";
    case "EBUSY":
      return "it has child groups with controllers and may hold no process itself (cgroup v2)";
    case "ENOTSUP":
      return "it is threaded or below a threaded group";
    case "ESRCH":
      return "no such process";
    default:
      return messageOf(cause);
  }
}

/** Writes one control file. @throws CgroupError `cgroup-write-failed` naming file, value and cause */
export function writeControl(folder: string, file: string, value: string): void {
  try {
    // Never creates: a missing control file is an error, not a new file.
    writeFileSync(`${folder}/${file}`, value, { flag: "r+" });
  } catch (cause) {
    const why = isMissing(cause) ? "no such file" : messageOf(cause);
    throw new CgroupError(
      "cgroup-write-failed",
      `write ${JSON.stringify(value)} to ${folder}/${file}: ${why}`,
      {
        cause,
      },
    );
  }
}
