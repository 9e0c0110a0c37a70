/** Compressed streams, recognised by their first bytes: media types in the field are not to be relied on. */
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { messageOf } from "../../host/errors.ts";
import { LayerError } from "./layer-error.ts";

export type Compression = "gzip" | "zstd" | "xz" | "bzip2" | "none";

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];

/** The compression that a file begins with; at least 6 bytes are needed. */
export const compressionOf = (head: Uint8Array): Compression =>
  MAGIC.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0] ?? "none";

/** Large pieces: one crossing from the decompressing thread per piece. Bytes. */
const PIECE = 1 << 20;

const transforms = {
  gzip: (): Transform => createGunzip({ chunkSize: PIECE }),
  zstd: (): Transform => createZstdDecompress({ chunkSize: PIECE }),
} as const;

/**
 * The unpacked bytes of `source`. gzip and zstd are decompressed on another thread; xz by the `xz` program.
 * @throws LayerError `layer-compression`; whatever `source` throws
 */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let headLength = 0;
  while (headLength < 6) {
    const next = await pieces.next();
    if (next.done === true) break;
    head.push(next.value);
    headLength += next.value.length;
  }
  let failure: { readonly error: unknown } | undefined;
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield* head;
    try {
      for (;;) {
        const next = await pieces.next();
        if (next.done === true) return;
        yield next.value;
      }
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      await pieces.return?.();
    }
  }
  const compression = compressionOf(Buffer.concat(head));
  if (compression === "none") {
    yield* whole();
    return;
  }
  try {
    if (compression === "xz") yield* throughXz(whole());
    else if (compression === "bzip2") throw new LayerError("layer-compression", "bzip2 is not supported");
    else yield* throughTransform(whole(), transforms[compression]());
  } catch (error) {
    if (failure !== undefined) throw failure.error;
    if (error instanceof LayerError) throw error;
    throw new LayerError("layer-compression", `${compression} data is damaged: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function* throughTransform(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
): AsyncGenerator<Uint8Array> {
  const piped = pipeline(Readable.from(source, { objectMode: false }), transform);
  // reported by the loop below, which sees the stream destroyed
  piped.catch(() => {});
  try {
    for await (const piece of transform) yield piece;
  } finally {
    transform.destroy();
  }
  await piped;
}

async function* throughXz(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (Bun.which("xz") === null) {
    throw new LayerError("layer-compression", "xz data, and no xz program", {
      fix: "Install the Debian package xz-utils.",
    });
  }
  const child = Bun.spawn(["xz", "-dc"], { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  const feed = async (): Promise<void> => {
    try {
      for await (const piece of source) {
        child.stdin.write(piece);
        await child.stdin.flush();
      }
    } finally {
      await child.stdin.end();
    }
  };
  const fed = feed();
  fed.catch(() => child.kill("SIGKILL"));
  try {
    for await (const piece of child.stdout) yield piece;
    await fed;
    const status = await child.exited;
    if (status !== 0)
      throw new Error((await new Response(child.stderr).text()).trim() || `exit code ${status}`);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}
