/** `cp`: files between the host and a container, running or stopped, within the container's root. */
import { fstatSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { chownAt, close, mkdirAt, O_PATH, openBeneath, openDirectory } from "../../host/at.ts";
import { type CopyOptions, copyContents, copyTree } from "../../host/copy-tree.ts";
import { errnoOf, isMissing, LxcriError } from "../../host/errors.ts";
import { toHostId } from "../../security/userns.ts";
import type { Config } from "../../spec/config.ts";
import { openStorage } from "../../storage/storage.ts";
import { runningRoot } from "./inside.ts";
import type { LaunchedContext } from "./remove.ts";
import { stateOfLaunched } from "./status.ts";

/** A place on the host (absolute path) or in a container. */
export interface CopyEnd {
  readonly container?: string;
  /** A `/.` at its end means the content of the folder; a `/` that it is a folder. */
  readonly path: string;
}

/**
 * Copies like cp -r: into the target where it is a folder, else under the target's name, whose folder must exist.
 * @throws LxcriError `copy-source-missing`, `copy-target-missing`, `container-not-found`
 */
export async function copyFiles(
  context: LaunchedContext,
  from: CopyEnd,
  to: CopyEnd,
  options: Pick<CopyOptions, "skipped" | "signal">,
): Promise<void> {
  const source = await openRoot(context, from);
  try {
    const target = await openRoot(context, to);
    try {
      const owner = target.owner;
      copyBetween(source.fd, from.path, target.fd, to.path, { ...options, ...owner });
    } finally {
      close(target.fd);
    }
  } finally {
    close(source.fd);
  }
}

interface OpenRoot {
  readonly fd: number;
  /** Who root is there. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

async function openRoot(context: LaunchedContext, { container }: CopyEnd): Promise<OpenRoot> {
  if (container === undefined) {
    return {
      fd: openDirectory("/"),
      owner: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
    };
  }
  const { launched, store } = context;
  const record = launched.find(container);
  const isStopped = record !== undefined && stateOfLaunched(launched, record).status === "stopped";
  const path = isStopped
    ? (await openStorage(launched.dataRoot).remount(record.name)).rootfs
    : runningRoot(store, container);
  const file = isStopped ? `${launched.bundle(container)}/config.json` : store.configPath(container);
  const { linux } = JSON.parse(readFileSync(file, "utf8")) as Config;
  const id = (maps: NonNullable<typeof linux>["uidMappings"]): number => toHostId(maps ?? [], 0) ?? 0;
  return { fd: openDirectory(path), owner: { uid: id(linux?.uidMappings), gid: id(linux?.gidMappings) } };
}

const missing = (what: "source" | "target", path: string, cause: unknown): LxcriError =>
  new LxcriError(`copy-${what}-missing`, `cp: ${path}: no such file or folder`, { cause });

/** undefined where there is no such folder. */
function openFolder(root: number, path: string): number | undefined {
  let fd: number;
  try {
    fd = openBeneath(root, path, O_PATH);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const isFolder = fstatSync(fd).isDirectory();
  close(fd);
  // O_RDONLY | O_DIRECTORY: it is to be listed.
  return isFolder ? openBeneath(root, path, 0o200000) : undefined;
}

function copyBetween(source: number, from: string, target: number, to: string, options: CopyOptions): void {
  const contents = from.endsWith("/.");
  const name = basename(from);
  const parent = openFolder(source, contents || name === "" ? from : dirname(from));
  if (parent === undefined) throw missing("source", from, undefined);
  try {
    const into = openFolder(target, to);
    if (contents || name === "") {
      const folder = into ?? makeFolder(target, to, options);
      closing(folder, () => copyContents(parent, folder, options));
      return;
    }
    const place = into ?? (to.endsWith("/") ? undefined : openFolder(target, dirname(to)));
    if (place === undefined) throw missing("target", to, undefined);
    closing(place, () => copyTree(parent, name, place, into === undefined ? basename(to) : name, options));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw missing("source", from, error);
    throw error;
  } finally {
    close(parent);
  }
}

/** A content without a folder to go to makes one. */
function makeFolder(root: number, path: string, { uid, gid }: CopyOptions): number {
  const parent = openFolder(root, dirname(path));
  if (parent === undefined) throw missing("target", path, undefined);
  closing(parent, () => {
    mkdirAt(parent, basename(path), 0o755);
    chownAt(parent, basename(path), uid, gid);
  });
  const made = openFolder(root, path);
  if (made === undefined) throw missing("target", path, undefined);
  return made;
}

function closing(fd: number, work: () => void): void {
  try {
    work();
  } finally {
    close(fd);
  }
}
