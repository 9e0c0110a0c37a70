/** Folders with exact modes, whatever the process's umask is. */
import { chmodSync, mkdirSync } from "node:fs";
import { errnoOf } from "../host/errors.ts";

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

/** Makes the data root and the folders leading to it, passable. */
export function makeDataRoot(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: PASSABLE });
  if (first !== undefined) chmodSync(path, PASSABLE);
}
