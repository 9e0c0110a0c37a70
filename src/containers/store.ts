/**
 * The containers under one `--root`: `containers/<id>/{state.json,config.json,start.fifo,hooks/}`, one lock file per
 * container in `locks/`, and `runtime/events.log`. A folder in `containers/` is a container, whatever is in it.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { userInfo } from "node:os";
import { errnoOf, isMissing } from "../host/errors.ts";
import { writeFileAtomic } from "../host/files.ts";
import { unmountAll } from "../host/mount-point.ts";
import { processStat } from "../host/process.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { alreadyExists, damaged, notFound } from "./errors.ts";
import { type ContainerLock, type LockWait, lockFile } from "./lock.ts";
import type { ContainerRecord, ProcessIdentity } from "./record.ts";

/** Where records are kept by default; a tmpfs, so nothing outlives a reboot. */
export const defaultRoot = "/run/proxmox-lxcri";

/** Access to the records under one root. Holds nothing open. */
export class ContainerStore {
  /** Absolute path. */
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** A view of `root` (absolute); makes nothing. */
  static open(root: string): ContainerStore {
    return new ContainerStore(root);
  }

  /** The container's folder. @throws SpecError for an id that the runtime does not take */
  directory(id: string): string {
    return `${this.root}/containers/${parseContainerId(id)}`;
  }

  /** The config as it was at create. */
  configPath(id: string): string {
    return `${this.directory(id)}/config.json`;
  }

  /** The FIFO that a created container's init holds open for reading and writing, until it is started. */
  startFifoPath(id: string): string {
    return `${this.directory(id)}/start.fifo`;
  }

  /** The FIFO that such an init answers to. */
  resultFifoPath(id: string): string {
    return `${this.directory(id)}/result.fifo`;
  }

  /** What is left of the container's hooks: one file each, how it ended and the beginning of what it said. */
  hooksPath(id: string): string {
    return `${this.directory(id)}/hooks`;
  }

  /** The file that {@link lock} locks. */
  lockPath(id: string): string {
    return `${this.root}/locks/${parseContainerId(id)}`;
  }

  /** The lifecycle log of all containers of this root. */
  get eventsPath(): string {
    return `${this.root}/runtime/events.log`;
  }

  /** Takes the container's lock; see {@link lockFile}. The container need not exist. */
  async lock(id: string, wait: LockWait = {}): Promise<ContainerLock> {
    const path = this.lockPath(id);
    mkdirSync(`${this.root}/locks`, { recursive: true, mode: 0o711 });
    return await lockFile(path, `container ${JSON.stringify(id)}`, wait);
  }

  /** Whether there is a container of this id, be it a damaged one. */
  exists(id: string): boolean {
    try {
      readdirSync(this.directory(id));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Whether nothing is kept of such a container, but perhaps its folder and a record that is being written. */
  private isEmpty(id: string): boolean {
    try {
      return readdirSync(this.directory(id)).every((name) => name.startsWith("state.json."));
    } catch (error) {
      if (isMissing(error)) return true;
      throw error;
    }
  }

  /** Makes the folder and the first record. @throws ContainerError `container-exists` */
  create(id: string, record: ContainerRecord): void {
    const directory = this.directory(id);
    mkdirSync(`${this.root}/containers`, { recursive: true, mode: 0o711 });
    try {
      mkdirSync(directory, { mode: 0o711 });
    } catch (error) {
      if (errnoOf(error) === "EEXIST") throw alreadyExists(id);
      throw error;
    }
    try {
      this.save(record);
    } catch (error) {
      rmdirSync(directory);
      throw error;
    }
  }

  /** Replaces the record in one step. */
  save(record: ContainerRecord): void {
    writeFileAtomic(`${this.directory(record.id)}/state.json`, JSON.stringify(record));
  }

  /** Reads the record. @throws ContainerError `container-not-found`, `container-damaged` */
  load(id: string): ContainerRecord {
    let text: string;
    try {
      text = readFileSync(`${this.directory(id)}/state.json`, "utf8");
    } catch (error) {
      if (!isMissing(error)) throw error;
      // A folder with nothing in it is one that is being made or removed this moment, or what a kill then left.
      throw this.isEmpty(id) ? notFound(id) : damaged(id, "is missing", error);
    }
    return parseRecord(id, text);
  }

  /** Removes the folder, the record last: a kill half-way leaves a container that can be deleted again. */
  remove(id: string): void {
    const directory = this.directory(id);
    let names: string[];
    try {
      names = readdirSync(directory);
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    // A container in our mount namespace has its root file system mounted here: never remove what is below it.
    if (names.includes("rootfs")) {
      unmountAll(`${directory}/rootfs`);
      rmdirSync(`${directory}/rootfs`);
    }
    for (const name of names) {
      if (name !== "state.json") rmSync(`${directory}/${name}`, { recursive: true, force: true });
    }
    rmSync(directory, { recursive: true, force: true });
  }

  /** Ids of all containers, damaged ones too, in order. */
  list(): string[] {
    try {
      return readdirSync(`${this.root}/containers`, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
        .sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

/** The identity of a living process, our own by default; undefined where it has gone. */
export function identify(pid: number = process.pid): ProcessIdentity | undefined {
  const stat = processStat(pid);
  return stat === undefined ? undefined : { pid, startTime: stat.startTime };
}

/** The name a new record gives as its owner. */
export function currentOwner(): string {
  if (process.geteuid?.() === 0) return "root";
  return userInfo().username;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isIdentity = (value: unknown): boolean =>
  isObject(value) &&
  Number.isSafeInteger(value.pid) &&
  Number(value.pid) > 0 &&
  typeof value.startTime === "number";

/** Only root writes these files, so this guards against damage, not against malice. */
function parseRecord(id: string, text: string): ContainerRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(id, "is not JSON", cause);
  }
  if (!isObject(value)) throw damaged(id, "is not an object");
  for (const name of ["ociVersion", "bundle", "rootfs", "created", "owner", "cgroupManager"]) {
    if (typeof value[name] !== "string") throw damaged(id, `has no ${name}`);
  }
  if (value.id !== id) throw damaged(id, `is of ${JSON.stringify(value.id)}`);
  if (value.phase !== "creating" && value.phase !== "created") throw damaged(id, "has no phase");
  if (!isIdentity(value.creator)) throw damaged(id, "has no creator");
  if (value.init !== undefined && !isIdentity(value.init)) throw damaged(id, "has a bad init");
  if (value.cgroup !== undefined && !isObject(value.cgroup)) throw damaged(id, "has a bad cgroup");
  if (!isObject(value.annotations)) throw damaged(id, "has no annotations");
  return value as unknown as ContainerRecord;
}
