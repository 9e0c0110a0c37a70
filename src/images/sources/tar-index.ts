/** Where the members of an uncompressed tar file are, without reading their content. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { parsePax, paxInteger, paxText } from "../unpack/pax.ts";
import { TarError } from "../unpack/tar-entry.ts";
import { BLOCK, isZeroBlock, parseHeader, type RawHeader } from "../unpack/tar-header.ts";

/** A plain file in the archive. */
export interface TarMember {
  /** First byte of its content in the archive. */
  readonly start: number;
  readonly size: number;
}

const MAX_MEMBERS = 100_000;
const MAX_PAX = 1 << 20;

interface Overrides {
  path?: string;
  link?: string;
  size?: number;
}

function readExactly(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let got = 0;
  while (got < length) {
    const read = readSync(fd, bytes, got, length - got, at + got);
    if (read === 0) throw new TarError("tar-truncated", "the tar archive ends in the middle of an entry");
    got += read;
  }
  return bytes;
}

function readPax(fd: number, at: number, header: RawHeader): Overrides {
  if (header.size > MAX_PAX) throw new TarError("tar-invalid", "tar: an extended header is too large");
  const found: Overrides = {};
  for (const [key, value] of parsePax(readExactly(fd, at, header.size))) {
    if (key === "path") found.path = paxText(key, value);
    else if (key === "linkpath") found.link = paxText(key, value);
    else if (key === "size") found.size = paxInteger(key, value);
  }
  return found;
}

/** Members by path; links are resolved to what they point to. @throws TarError */
export function indexTar(path: string): Map<string, TarMember> {
  const fd = openSync(path, "r");
  const members = new Map<string, TarMember>();
  const links = new Map<string, string>();
  try {
    const { size: end } = fstatSync(fd);
    let overrides: Overrides = {};
    for (let at = 0; at + BLOCK <= end; ) {
      const block = readExactly(fd, at, BLOCK);
      if (isZeroBlock(block)) break;
      const header = parseHeader(block);
      const start = at + BLOCK;
      const size = overrides.size ?? header.size;
      if (header.type === "x") overrides = readPax(fd, start, header);
      else {
        const name = normalize(overrides.path ?? header.name);
        const link = overrides.link ?? header.link;
        if (header.type === "0" || header.type === "\0") members.set(name, { start, size });
        else if (header.type === "1") links.set(name, normalize(link));
        else if (header.type === "2") links.set(name, join(dirname(name), link));
        overrides = {};
      }
      const content = "12345".includes(header.type) ? 0 : header.type === "x" ? header.size : size;
      at = start + Math.ceil(content / BLOCK) * BLOCK;
      if (members.size + links.size > MAX_MEMBERS) throw new TarError("tar-invalid", "tar: too many files");
    }
  } finally {
    closeSync(fd);
  }
  for (const [name, target] of links) {
    const member = members.get(target);
    if (member !== undefined) members.set(name, member);
  }
  return members;
}
