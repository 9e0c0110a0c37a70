/**
 * What the disk keeps about a launched container; unlike the runtime's own records it outlives a reboot.
 *
 *     <data root>/containers/<name>/launched.json    this record; its folder is shared with the storage room
 *                                   etc/             hostname, hosts and resolv.conf of the container
 *                                   log              its output, in CRI form, by conmon
 *                                   bundle/          config.json, and conmon's: attach, ctl, exit, conmon.pid
 *                                   attended         lock of a foreground `launch` that removes it at its end
 *                 locks/<name>                       held while it is made, started, renamed or removed
 *                 volumes/<name>/                    named volumes; see volumes.ts
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { type FileLock, lockFile } from "../../host/file-lock.ts";
import { writeFileAtomic } from "../../host/files.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { Digest } from "../../spec/digest.ts";
import { makeDataRoot, makeFolder, PASSABLE, PRIVATE } from "../../storage/private-folder.ts";
import type { CgroupManager } from "../cgroup-record.ts";
import type { ProcessIdentity } from "../record.ts";
import { parseName } from "./name.ts";

/** One launched container. */
export interface LaunchedRecord {
  readonly name: ContainerId;
  /** `preparing` until it was started for the first time; such a one is a leftover once nobody holds its lock. */
  readonly phase: "preparing" | "launched";
  /** RFC 3339, UTC. */
  readonly created: string;
  /** The runtime's `--root` that has its OCI state. */
  readonly root: string;
  readonly cgroupManager: CgroupManager;
  readonly image: string;
  readonly digest: Digest;
  readonly kind: "application" | "system";
  readonly tty: boolean;
  readonly interactive: boolean;
  readonly remove: boolean;
  /** Its root is the host's. */
  readonly privileged: boolean;
  /** As parseSignal of this room takes it. */
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Volumes that were made for this container alone. */
  readonly unnamedVolumes: readonly string[];
  /** Of its last start. */
  readonly conmon?: ProcessIdentity;
}

/** ms that another operation on the same container may take. */
const LOCK_TIMEOUT = 60_000;

const notFound = (name: string): LxcriError =>
  new LxcriError("container-not-found", `container ${JSON.stringify(name)} does not exist`, {
    fix: "`proxmox-lxcri list` shows those that do.",
  });

/** The launched containers of one data root. Holds nothing open. */
export class LaunchedStore {
  /** Absolute path. */
  readonly dataRoot: string;

  constructor(dataRoot: string) {
    this.dataRoot = dataRoot;
  }

  folder(name: string): string {
    return join(this.dataRoot, "containers", parseName(name));
  }

  bundle(name: string): string {
    return join(this.folder(name), "bundle");
  }

  logPath(name: string): string {
    return join(this.folder(name), "log");
  }

  /** Lock of the foreground `launch` that still reads the container's last words. */
  attendedPath(name: string): string {
    return join(this.folder(name), "attended");
  }

  /** @throws LxcriError `container-busy` */
  async lock(name: string): Promise<FileLock> {
    const folder = join(this.dataRoot, "locks");
    makeDataRoot(this.dataRoot);
    makeFolder(folder, PRIVATE);
    try {
      return await lockFile(join(folder, parseName(name)), AbortSignal.timeout(LOCK_TIMEOUT));
    } catch (cause) {
      if (!(cause instanceof DOMException)) throw cause;
      throw new LxcriError(
        "container-busy",
        `container ${JSON.stringify(name)} is busy: another process still works on it after ${LOCK_TIMEOUT} ms`,
        { cause },
      );
    }
  }

  /** Writes the record, making the container's folders where they are missing. */
  save(record: LaunchedRecord): void {
    const folder = this.folder(record.name);
    makeDataRoot(this.dataRoot);
    makeFolder(dirname(folder), PASSABLE);
    // A user of the host must not reach setuid programs that are root's on the host, too.
    makeFolder(folder, record.privileged ? PRIVATE : PASSABLE);
    writeFileAtomic(join(folder, "launched.json"), JSON.stringify(record), { durable: true });
    makeFolder(join(folder, "bundle"), PRIVATE);
  }

  /** undefined where there is none. @throws LxcriError `container-damaged` */
  find(name: string): LaunchedRecord | undefined {
    let text: string;
    try {
      text = readFileSync(join(this.folder(name), "launched.json"), "utf8");
    } catch (error) {
      if (isMissing(error) || (error instanceof LxcriError && error.code === "name-invalid"))
        return undefined;
      throw error;
    }
    try {
      // `rename` moves the folder alone.
      return { ...(JSON.parse(text) as LaunchedRecord), name: parseName(name) };
    } catch (cause) {
      throw new LxcriError(
        "container-damaged",
        `container ${JSON.stringify(name)}: launched.json is not JSON`,
        {
          cause,
          fix: `Remove what is left with: proxmox-lxcri rm --force ${name}`,
        },
      );
    }
  }

  /** @throws LxcriError `container-not-found`, `container-damaged` */
  load(name: string): LaunchedRecord {
    const record = this.find(name);
    if (record === undefined) throw notFound(name);
    return record;
  }

  /** All that have a record, by name. */
  list(): LaunchedRecord[] {
    let names: string[];
    try {
      names = readdirSync(join(this.dataRoot, "containers")).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    return names.flatMap((name) => this.find(name) ?? []);
  }

  /** Whether anything at all is kept under this name. */
  exists(name: string): boolean {
    try {
      readdirSync(this.folder(name));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Removes our part, the record last: a kill half-way leaves what a next removal takes up. */
  remove(name: string): void {
    const folder = this.folder(name);
    for (const part of ["bundle", "etc", "log", "attended"]) {
      rmSync(join(folder, part), { recursive: true, force: true });
    }
    rmSync(join(folder, "launched.json"), { force: true });
    rmSync(folder, { recursive: true, force: true });
  }

  /** Makes a folder for files that the container sees. */
  makeIdentityFolder(name: string): string {
    const folder = join(this.folder(name), "etc");
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}
