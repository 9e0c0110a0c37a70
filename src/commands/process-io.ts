/** The process' own standard streams as {@link Io}. */
import { writeSync } from "node:fs";
import { errnoOf } from "../host/errors.ts";
import { call } from "../host/libc.ts";
import type { Io } from "./command.ts";

/** Written synchronously: process.exit loses nothing, and no stream machinery is loaded. */
export const processIo = (): Io => ({
  stdin: () => Bun.stdin.text(),
  stdout: (text) => writeAll(1, Buffer.from(text)),
  stderr: (text) => writeAll(2, Buffer.from(text)),
  env: process.env,
  cwd: process.cwd(),
});

/** Writes all to a descriptor that nobody may read any more, waiting where it is full. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const errno = errnoOf(error);
      // Whoever read us has gone (`list | head`), or never was there.
      if (errno === "EPIPE" || errno === "EBADF") return;
      if (errno !== "EAGAIN") throw error;
      untilWritable(fd);
    }
  }
}

/** A caller may have made the pipe non-blocking: poll(2) one descriptor for POLLOUT. */
function untilWritable(fd: number): void {
  const request = new Int32Array([fd, 4]);
  call("poll", [request, 1, 1000]);
}
