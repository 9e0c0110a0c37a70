/** The lifecycle log: one JSON line per event, appended, bounded. It tells what happened; nothing depends on it. */
import { closeSync, constants, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** One thing that happened to a container. */
export interface LifecycleEvent {
  /** What: `create`, `start`, `delete`, `pause` … */
  readonly type: string;
  /** The container. */
  readonly id: string;
  /** Further facts. */
  readonly [fact: string]: string | number | boolean;
}

/** Size in bytes at which the log becomes `<path>.1`, replacing the one before. */
const rotateAt = 1 << 20;

/** Appends an event with the time (RFC 3339, ms). Never throws: an operation does not fail for its log. */
export function recordEvent(path: string, event: LifecycleEvent, limit = rotateAt): void {
  try {
    append(path, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`, limit);
  } catch {
    // Full disk or no permission: the operation itself went well.
  }
}

function append(path: string, line: string, limit: number): void {
  const fd = openForAppend(path);
  let size: number;
  try {
    writeSync(fd, line);
    size = fstatSync(fd).size;
  } finally {
    closeSync(fd);
  }
  if (size >= limit) renameSync(path, `${path}.1`);
}

function openForAppend(path: string): number {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  try {
    return openSync(path, flags, 0o600);
  } catch {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return openSync(path, flags, 0o600);
  }
}
