/** Files written so that a kill at any moment leaves the old or the new content, never a half. */
import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** How {@link writeFileAtomic} writes. */
export interface AtomicWrite {
  /** Permission bits of the new file; default 0600. */
  readonly mode?: number;
  /** fsync file and folder: needed on disk, wasted on a tmpfs. Default false. */
  readonly durable?: boolean;
}

let sequence = 0;

/** A device, FIFO or socket: what `--pid-file /dev/null` names must be written to, not replaced. */
function isSpecial(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return (
    stats !== undefined &&
    (stats.isCharacterDevice() || stats.isBlockDevice() || stats.isFIFO() || stats.isSocket())
  );
}

/** Replaces `path` in one step (temporary file beside it, then rename); a device or FIFO is written to as it is. */
export function writeFileAtomic(path: string, data: string | Uint8Array, options: AtomicWrite = {}): void {
  if (isSpecial(path)) {
    writeFileSync(path, data, { flag: "r+" });
    return;
  }
  sequence += 1;
  const temporary = `${path}.${process.pid}.${sequence}.tmp`;
  const fd = openSync(temporary, "wx", options.mode ?? 0o600);
  try {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    if (options.durable === true) fsyncSync(fd);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  if (options.durable === true) syncDirectory(dirname(path));
}

/** fsync of a folder: makes the names created, renamed or removed in it durable. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
