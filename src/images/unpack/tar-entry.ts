/** What a tar archive says about one file. Nothing of it is trusted: names may be hostile, sizes huge. */
import { LxcriError } from "../../host/errors.ts";

export type TarType = "file" | "hardlink" | "symlink" | "char" | "block" | "directory" | "fifo";

/** One entry, PAX and GNU extensions applied. */
export interface TarEntry {
  /** As the archive has it, with leading or trailing slashes; any bytes (see host/byte-text.ts). */
  readonly path: string;
  readonly type: TarType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Size of the file in bytes, holes included; 0 for all but files. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Target of a hard or symbolic link, else empty. */
  readonly link: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /** Has holes: not all of `size` comes as data. */
  readonly sparse: boolean;
}

/** Receives an archive piece by piece, in its order. */
export interface TarHandler {
  /** A new entry; the one before it is complete. */
  entry(entry: TarEntry): void;
  /** A piece of the entry's content, part of what was pushed. */
  data(bytes: Uint8Array, offset: number): void;
  /** The entry's content is complete. */
  close(): void;
}

/** An archive that cannot be read. Codes: `tar-invalid`, `tar-truncated`, `tar-unsupported`. */
export class TarError extends LxcriError {}
