/**
 * Compiled programs kept in a folder: a hit spares loading bun:ffi and libseccomp. The folder must be root's
 * alone (it decides what containers may do); a damaged, foreign or misplaced entry is as good as none.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMissing, LxcriError } from "../../host/errors.ts";
import { writeFileAtomic } from "../../host/files.ts";
import type { Decision } from "../warning.ts";

/** What is kept of a compilation. */
export type CachedProgram = Decision<Uint8Array>;

/** Entries kept; the oldest goes first. A node has a handful of profiles, a hostile client could send thousands. */
const MAX_ENTRIES = 128;

/** Entry: magic, SHA-256 of all that follows and of the key, program length (u32), program, warnings (JSON). */
const MAGIC = Buffer.from("LXSECC1\n");
const DIGEST_AT = MAGIC.length;
const LENGTH_AT = DIGEST_AT + 32;
const PROGRAM_AT = LENGTH_AT + 4;

/** SHA-256, hex or bytes: Bun's own, as node:crypto takes longer to load than a whole hit may cost. */
const sha256 = (...parts: (string | Uint8Array)[]): Bun.CryptoHasher => {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const part of parts) hasher.update(part);
  return hasher;
};

/** The name of the entry for everything that decides a program. */
export const cacheKey = (text: string): string => sha256(text).digest("hex");

/** Makes the folder (0700) where it is missing. @throws LxcriError `seccomp-cache-unsafe` where others may write */
function secureFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const status = lstatSync(folder);
  if (!status.isDirectory() || status.uid !== process.geteuid?.() || (status.mode & 0o077) !== 0)
    throw new LxcriError("seccomp-cache-unsafe", `${folder}: must be a folder of this user with mode 0700`, {
      fix: `chown root: ${folder} && chmod 0700 ${folder}`,
    });
}

/** The kept program, undefined where there is none or where it is not exactly what was written. */
export function readCached(folder: string, key: string): CachedProgram | undefined {
  secureFolder(folder);
  let entry: Buffer;
  try {
    entry = readFileSync(join(folder, key));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  if (entry.length < PROGRAM_AT || !entry.subarray(0, DIGEST_AT).equals(MAGIC)) return undefined;
  const digest = sha256(key, entry.subarray(LENGTH_AT)).digest();
  if (!entry.subarray(DIGEST_AT, LENGTH_AT).equals(digest)) return undefined;
  const end = PROGRAM_AT + entry.readUInt32LE(LENGTH_AT);
  return {
    value: new Uint8Array(entry.subarray(PROGRAM_AT, end)),
    warnings: JSON.parse(entry.toString("utf8", end)),
  };
}

/** Keeps a program. */
export function writeCached(folder: string, key: string, compiled: CachedProgram): void {
  secureFolder(folder);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(compiled.value.length);
  const content = Buffer.concat([length, compiled.value, Buffer.from(JSON.stringify(compiled.warnings))]);
  const digest = sha256(key, content).digest();
  writeFileAtomic(join(folder, key), Buffer.concat([MAGIC, digest, content]));
  dropOldest(folder);
}

function dropOldest(folder: string): void {
  const names = readdirSync(folder);
  if (names.length <= MAX_ENTRIES) return;
  const written = new Map<string, number>();
  for (const name of names) {
    const status = statSync(join(folder, name), { throwIfNoEntry: false });
    if (status !== undefined) written.set(name, status.mtimeMs);
  }
  const oldestFirst = [...written].sort(([, a], [, b]) => a - b).map(([name]) => name);
  for (const name of oldestFirst.slice(0, -MAX_ENTRIES)) rmSync(join(folder, name), { force: true });
}
