/** Folders: made with exact modes, whatever the process's umask is; removed, copied, measured. */
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf, LxcriError } from "../host/errors.ts";
import type { Usage } from "./driver.ts";
import { runProgramChecked } from "./program.ts";

/** For the owner only. */
export const PRIVATE = 0o700;
/** Others may pass through to a name they know, but not list: what a container's mapped root needs of a parent. */
export const PASSABLE = 0o711;

/** Makes the folder (its parent must exist); one that is there stays as it is. */
export function makeFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    throw error;
  }
  chmodSync(path, mode);
}

/**
 * Checks that any user can pass through all folders that lead to `path`, as a container's mapped root must.
 * @throws LxcriError `path-not-passable`
 */
export function checkPassable(path: string): void {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) {
      throw new LxcriError(
        "path-not-passable",
        `${folder}: an unprivileged container's root cannot pass through it to ${path}`,
        { fix: `Choose another data root, or: chmod o+x ${folder}` },
      );
    }
    if (folder === "/") return;
  }
}

/** Makes the data root and the folders leading to it, passable. */
export function makeDataRoot(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: PASSABLE });
  if (first !== undefined) chmodSync(path, PASSABLE);
}

/** Removes trees of any depth, but nothing that is mounted in them; missing ones are no error. */
export async function removeFolders(...paths: readonly string[]): Promise<void> {
  const there = paths.filter((path) => existsSync(path));
  if (there.length === 0) return;
  await runProgramChecked(["rm", "-rf", "--one-file-system", "--", ...there], { timeout: 600_000 });
}

/** Copies a tree with everything that a file system keeps, sharing blocks where it can; `to` must not be there. */
export async function copyFolder(from: string, to: string): Promise<void> {
  await runProgramChecked(["cp", "-a", "--reflink=auto", "-T", "--", from, to], { timeout: 3_600_000 });
}

/** What a folder with all in it takes on disk; other file systems mounted in it do not count. */
export async function measureFolder(path: string): Promise<Usage> {
  const count = async (option: string): Promise<number> =>
    Number.parseInt((await runProgramChecked(["du", "-s", "-x", option, "--", path])).stdout, 10);
  const [bytes, inodes] = await Promise.all([count("-B1"), count("--inodes")]);
  return { bytes, inodes };
}
