/** Writing on another thread. */
import { write } from "node:fs";
import { promisify } from "node:util";

const writeOnce = promisify(write);

/** Writes all bytes at `offset` of the file; they must stay as they are until then. The descriptor must stay open. */
export async function writeAt(fd: number, bytes: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await writeOnce(fd, bytes, at, bytes.length - at, offset + at)).bytesWritten;
  }
}
