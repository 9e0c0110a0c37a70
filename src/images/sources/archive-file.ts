/** Tar files that hold an image: members are read where they are; a compressed file is unpacked aside first. */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { type ContentStore, fileSource } from "../content/content-store.ts";
import { ImageError } from "../manifest.ts";
import { compressionOf, decompress } from "../unpack/decompress.ts";
import type { FoundImage } from "./found-image.ts";
import { indexTar, type TarMember } from "./tar-index.ts";

/** An image in an archive that is open. Call `close` once its blobs are stored. */
export interface OpenArchive {
  readonly image: FoundImage;
  close(): void;
}

/** An uncompressed archive. */
export interface ArchiveFile {
  readonly file: string;
  /** @throws ImageError `image-invalid` naming `what` */
  member(name: string, what: string): TarMember;
  /** A small member's content. @throws ImageError `image-invalid` */
  read(name: string, limit: number, what: string): Uint8Array;
  close(): void;
}

/** Part of a file. */
export function readMember(file: string, { start, size }: TarMember): Buffer {
  const fd = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(size);
    let got = 0;
    while (got < size) {
      const read = readSync(fd, bytes, got, size - got, start + got);
      if (read === 0) break;
      got += read;
    }
    return bytes.subarray(0, got);
  } finally {
    closeSync(fd);
  }
}

/** @throws TarError, LayerError */
export async function openArchive(path: string, store: ContentStore): Promise<ArchiveFile> {
  if (compressionOf(readMember(path, { start: 0, size: 6 })) === "none") return archiveAt(path, () => {});
  const scratch = store.scratch();
  const close = (): void => scratch.lock.release();
  try {
    for await (const piece of decompress(fileSource(path)(0, () => {}))) {
      for (let at = 0; at < piece.length; ) at += writeSync(scratch.lock.fd, piece, at);
    }
    return archiveAt(scratch.path, close);
  } catch (error) {
    close();
    throw error;
  }
}

function archiveAt(file: string, close: () => void): ArchiveFile {
  const members = indexTar(file);
  const member = (name: string, what: string): TarMember => {
    const found = members.get(name);
    if (found === undefined) throw new ImageError("image-invalid", `${what}: has no ${JSON.stringify(name)}`);
    return found;
  };
  return {
    file,
    member,
    read: (name, limit, what) => {
      const found = member(name, what);
      if (found.size > limit) throw new ImageError("image-invalid", `${what}: ${name} is too large`);
      return readMember(file, found);
    },
    close,
  };
}
