/** A file that appears under its name only when it is whole. */
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";

/**
 * Has `write` make the file under a name beside it, syncs it and renames it into place. A failure leaves what was
 * there before; a kill leaves `<path>.<uuid>.part` beside it.
 */
export async function writeNewFile<T>(path: string, write: (draft: string) => Promise<T>): Promise<T> {
  const draft = `${path}.${randomUUID()}.part`;
  try {
    const result = await write(draft);
    const fd = openSync(draft, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
    return result;
  } finally {
    rmSync(draft, { force: true });
  }
}
