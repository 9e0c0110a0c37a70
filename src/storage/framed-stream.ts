/**
 * Bytes in frames, so that a stream which was cut off or damaged on its way is noticed: each frame is its length
 * (four bytes, big-endian) and as many bytes; after the empty one comes the SHA-256 of all that the frames held.
 */
import { createHash } from "node:crypto";
import { LxcriError } from "../host/errors.ts";

const LENGTH = 4;
const DIGEST = 32;
const MAX_FRAME = 16 << 20;

const truncated = (): LxcriError =>
  new LxcriError("checkpoint-damaged", "this is no checkpoint that can be received: it is cut off");

const lengthOf = (length: number): Buffer => {
  const bytes = Buffer.alloc(LENGTH);
  bytes.writeUInt32BE(length);
  return bytes;
};

/** Writes all pieces, and the end. */
export async function writeFrames(
  pieces: AsyncIterable<Uint8Array>,
  write: (bytes: Uint8Array) => Promise<void> | void,
): Promise<void> {
  const hash = createHash("sha256");
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; at += MAX_FRAME) {
      const frame = piece.subarray(at, at + MAX_FRAME);
      hash.update(frame);
      await write(lengthOf(frame.length));
      await write(frame);
    }
  }
  await write(lengthOf(0));
  await write(hash.digest());
}

/** Reads a stream by lines and by numbers of bytes. */
export class StreamReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  async #more(): Promise<void> {
    const next = await this.#pieces.next();
    if (next.done === true) throw truncated();
    this.#buffer = Buffer.concat([this.#buffer, next.value]);
  }

  /** A line of at most `most` bytes, without its end. @throws LxcriError `checkpoint-damaged` */
  async line(most: number): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(0x0a);
      if (end >= 0) return this.#take(end + 1).toString("utf8", 0, end);
      if (this.#buffer.length > most) throw truncated();
      await this.#more();
    }
  }

  #take(length: number): Buffer {
    const taken = this.#buffer.subarray(0, length);
    this.#buffer = this.#buffer.subarray(length);
    return taken;
  }

  async #bytes(length: number): Promise<Buffer> {
    while (this.#buffer.length < length) await this.#more();
    return this.#take(length);
  }

  /** What the frames hold. @throws LxcriError `checkpoint-damaged`, at the end too */
  async *frames(): AsyncGenerator<Uint8Array> {
    const hash = createHash("sha256");
    for (;;) {
      const length = (await this.#bytes(LENGTH)).readUInt32BE();
      if (length > MAX_FRAME) throw truncated();
      if (length === 0) break;
      const frame = await this.#bytes(length);
      hash.update(frame);
      yield frame;
    }
    if (hash.digest().equals(await this.#bytes(DIGEST))) return;
    throw new LxcriError("checkpoint-damaged", "this is no checkpoint that can be received: it was changed");
  }
}
