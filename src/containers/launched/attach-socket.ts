/**
 * The client's side of conmon's attach socket: packets that begin with a byte for the stream (2 standard output,
 * 3 standard error) come out, raw bytes for standard input go in.
 */
import { closeSync, constants, openSync, read, writeSync } from "node:fs";
import { join } from "node:path";
import { close, openDirectory } from "../../host/at.ts";
import { errnoOf, LxcriError } from "../../host/errors.ts";
import { call } from "../../host/libc.ts";

const AF_UNIX = 1;
const SOCK_SEQPACKET_CLOEXEC = 5 | 0o2000000;
const SHUT_RD = 0;
const SHUT_WR = 1;
/** conmon's packets hold 8 KiB of output at most. */
const PACKET = 16_384;
const STDERR = 3;

/** One client. Close it in any case. */
export class AttachSocket implements Disposable {
  readonly #fd: number;
  readonly #bundle: string;
  #reading = false;
  #closed = false;

  /** @throws LxcriError `attach-failed` where no conmon listens */
  constructor(bundle: string) {
    this.#bundle = bundle;
    this.#fd = call("socket", [AF_UNIX, SOCK_SEQPACKET_CLOEXEC, 0]);
    try {
      connect(this.#fd, bundle);
    } catch (cause) {
      closeSync(this.#fd);
      throw new LxcriError("attach-failed", `${join(bundle, "attach")}: nobody listens`, {
        cause,
        fix: "Only a running container can be attached to.",
      });
    }
  }

  /** Passes on what comes, until conmon ends or {@link end} is called. */
  async pump(output: (stream: "stdout" | "stderr", bytes: Uint8Array) => void): Promise<void> {
    const buffer = Buffer.alloc(PACKET);
    const next = (): Promise<number> =>
      new Promise((resolve, reject) => {
        read(this.#fd, buffer, 0, buffer.length, null, (error, size) =>
          error === null ? resolve(size) : reject(error),
        );
      });
    this.#reading = true;
    try {
      for (let size = await next(); size > 0; size = await next()) {
        output(buffer[0] === STDERR ? "stderr" : "stdout", buffer.subarray(1, size));
      }
    } catch (error) {
      // conmon was killed with packets of ours unread.
      if (errnoOf(error) !== "ECONNRESET") throw error;
    } finally {
      this.#reading = false;
      if (this.#closed) closeSync(this.#fd);
    }
  }

  /** Sends standard input; false once nobody takes it. */
  write(bytes: Uint8Array): boolean {
    try {
      for (let at = 0; at < bytes.length; at += PACKET / 2) {
        writeSync(this.#fd, bytes.subarray(at, at + PACKET / 2));
      }
      return true;
    } catch (error) {
      if (errnoOf(error) === "EPIPE" || errnoOf(error) === "ECONNRESET") return false;
      throw error;
    }
  }

  /** End of standard input. */
  closeInput(): void {
    call("shutdown", [this.#fd, SHUT_WR]);
  }

  /** Ends {@link pump} once it has passed on all that has come. */
  end(): void {
    call("shutdown", [this.#fd, SHUT_RD]);
  }

  /** Tells the container's terminal its size. */
  resize(rows: number, columns: number): void {
    try {
      const fd = openSync(join(this.#bundle, "ctl"), constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        writeSync(fd, `1 ${rows} ${columns}\n`);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      // conmon is ending.
      if (errnoOf(error) !== "ENXIO" && errnoOf(error) !== "ENOENT") throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A read under way in another thread must not find another file under its number.
    if (this.#reading) this.end();
    else closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A socket's address has room for 107 bytes: the folder is named by a descriptor. */
function connect(socket: number, bundle: string): void {
  const folder = openDirectory(bundle);
  try {
    const path = `/proc/self/fd/${folder}/attach`;
    const address = Buffer.alloc(2 + path.length + 1);
    address.writeUInt16LE(AF_UNIX, 0);
    address.write(path, 2);
    call("connect", [socket, address, address.length]);
  } finally {
    close(folder);
  }
}
