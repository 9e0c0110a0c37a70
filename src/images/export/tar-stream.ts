/** Writes tar archives of plain files; POSIX ustar, with GNU's base-256 for sizes beyond 8 GiB. */
import { openSync, writeSync } from "node:fs";

const BLOCK = 512;
/** Largest size that eleven octal digits hold. */
const MAX_OCTAL = 8 ** 11 - 1;
const ZEROS = Buffer.alloc(BLOCK);

function header(name: string, size: number, type: "0" | "5"): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  };
  block.write(name, 0, 100);
  octal(type === "5" ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  if (size <= MAX_OCTAL) octal(size, 124, 12);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  // the same image gives the same archive
  octal(0, 136, 12);
  block.write("        ", 148, "latin1");
  block.write(type, 156, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** An archive that is being written. */
export class TarFile {
  readonly fd: number;

  /** @param path made anew */
  constructor(path: string) {
    this.fd = openSync(path, "wx", 0o644);
  }

  /** @param name at most 100 bytes */
  folder(name: string): void {
    this.#write(header(`${name}/`, 0, "5"));
  }

  /** @param content must have exactly `size` bytes */
  async file(
    name: string,
    size: number,
    content: AsyncIterable<Uint8Array> | readonly Uint8Array[],
  ): Promise<void> {
    this.#write(header(name, size, "0"));
    for await (const piece of content) this.#write(piece);
    const rest = size % BLOCK;
    if (rest > 0) this.#write(ZEROS.subarray(rest));
  }

  /** Two blocks of zeros end it. */
  end(): void {
    this.#write(ZEROS);
    this.#write(ZEROS);
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
  }
}
