/**
 * Reads a tar archive that is pushed in pieces of any size, and calls a handler synchronously: no buffering beyond
 * one block and one extended header, so memory is bounded whatever the archive's size.
 *
 * Our own and not `tar-stream` from npm, because that one turns PAX values into text (binary file capabilities
 * break), knows no sparse files, and goes through a Node stream per entry.
 */
import { bytesToText } from "../../host/byte-text.ts";
import { type PaxRecord, parsePax, paxInteger, paxText, paxTime } from "./pax.ts";
import { checkSegments, gnuSegments, paxSparse, type Segment, SparseMapReader } from "./sparse.ts";
import { type TarEntry, TarError, type TarHandler, type TarType } from "./tar-entry.ts";
import { BLOCK, isZeroBlock, parseHeader, type RawHeader, readNumber } from "./tar-header.ts";

/** Extended headers beyond this are refused, bytes. */
const MAX_EXTENSION = 1 << 20;
/** Records of global headers, all together. */
const MAX_GLOBAL = 1000;
const XATTR = "SCHILY.xattr.";
const LIBARCHIVE_XATTR = "LIBARCHIVE.xattr.";
const MAX_ID = 0xffff_fffe;

const TYPES: Readonly<Record<string, TarType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  D: "directory",
  "6": "fifo",
};

type State =
  | { readonly kind: "header" }
  /** Collects the body of an extended header. */
  | { readonly kind: "extension"; readonly type: string; readonly body: Buffer; filled: number }
  | {
      readonly kind: "gnu-sparse";
      readonly header: RawHeader;
      readonly segments: Segment[];
      readonly realSize: number;
    }
  /** `stored` counts the map's own blocks, too. */
  | { readonly kind: "sparse-map"; readonly entry: TarEntry; readonly map: SparseMapReader; stored: number }
  | {
      readonly kind: "body";
      left: number;
      readonly padding: number;
      readonly segments: readonly Segment[];
      segment: number;
      within: number;
    }
  | { readonly kind: "skip"; left: number }
  | { readonly kind: "end" };

/** Bytes that fill the last block of a content up. */
const paddingAfter = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

const HEADER: State = { kind: "header" };

/** Feed with {@link push}, finish with {@link end}. */
export class TarReader {
  readonly #handler: TarHandler;
  #state: State = HEADER;
  /** Blocks that came in two pieces. */
  readonly #block = Buffer.alloc(BLOCK);
  #blockFilled = 0;
  /** Bytes of padding still to drop. */
  #padding = 0;
  #longName: string | undefined;
  #longLink: string | undefined;
  #pax: PaxRecord[] = [];
  #globalPax: PaxRecord[] = [];

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  /** Takes the next bytes. @throws TarError, and whatever the handler throws */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#padding > 0) {
        const dropped = Math.min(this.#padding, chunk.length - at);
        this.#padding -= dropped;
        at += dropped;
        continue;
      }
      const state = this.#state;
      if (state.kind === "end") return;
      if (state.kind === "body" || state.kind === "skip" || state.kind === "extension") {
        at += this.#content(state, chunk.subarray(at));
        continue;
      }
      const available = chunk.length - at;
      if (this.#blockFilled === 0 && available >= BLOCK) {
        this.#takeBlock(state, chunk.subarray(at, at + BLOCK));
        at += BLOCK;
        continue;
      }
      const piece = Math.min(BLOCK - this.#blockFilled, available);
      this.#block.set(chunk.subarray(at, at + piece), this.#blockFilled);
      this.#blockFilled += piece;
      at += piece;
      if (this.#blockFilled === BLOCK) {
        this.#blockFilled = 0;
        this.#takeBlock(state, this.#block);
      }
    }
  }

  /**
   * The archive ends here.
   * @param marked it must have its end marker, so that it is surely whole; some writers leave that out
   * @throws TarError `tar-truncated` where it ends within an entry
   */
  end(marked: boolean): void {
    const complete = this.#state.kind === "end" || (this.#state.kind === "header" && !marked);
    if (!complete || this.#blockFilled > 0 || this.#padding > 0) {
      throw new TarError("tar-truncated", "the tar archive is cut off");
    }
  }

  /** Takes content up to the end of what the state wants; the number of bytes used. */
  #content(state: Extract<State, { kind: "body" | "skip" | "extension" }>, bytes: Uint8Array): number {
    if (state.kind === "extension") {
      const used = Math.min(state.body.length - state.filled, bytes.length);
      state.body.set(bytes.subarray(0, used), state.filled);
      state.filled += used;
      if (state.filled === state.body.length) {
        this.#padding = paddingAfter(state.body.length);
        this.#state = HEADER;
        this.#extend(state.type, state.body);
      }
      return used;
    }
    if (state.kind === "skip") {
      const used = Math.min(state.left, bytes.length);
      state.left -= used;
      if (state.left === 0) this.#state = HEADER;
      return used;
    }
    const segment = state.segments[state.segment];
    const room = segment === undefined ? state.left : segment.length - state.within;
    const used = Math.min(room, state.left, bytes.length);
    if (used > 0) this.#handler.data(bytes.subarray(0, used), (segment?.offset ?? 0) + state.within);
    state.within += used;
    state.left -= used;
    if (segment !== undefined && state.within === segment.length) {
      state.segment += 1;
      state.within = 0;
    }
    if (state.left === 0) {
      this.#padding = state.padding;
      this.#state = HEADER;
      this.#handler.close();
    }
    return used;
  }

  #takeBlock(state: State, block: Uint8Array): void {
    if (state.kind === "sparse-map") {
      state.stored -= BLOCK;
      if (state.stored < 0) throw new TarError("tar-invalid", "tar sparse file: its map does not end");
      const segments = state.map.push(block);
      if (segments !== undefined) this.#begin(state.entry, state.stored, segments);
      return;
    }
    if (state.kind === "gnu-sparse") {
      state.segments.push(...gnuSegments(block, 0, 21));
      if (block[504] === 0) this.#beginSparse(state.header, state.realSize, state.segments);
      else if (state.segments.length > 100_000)
        throw new TarError("tar-invalid", "tar sparse file: endless map");
      return;
    }
    if (isZeroBlock(block)) {
      this.#state = { kind: "end" };
      return;
    }
    this.#takeHeader(parseHeader(block), block);
  }

  #takeHeader(header: RawHeader, block: Uint8Array): void {
    if ("LKxgX".includes(header.type)) {
      if (header.size > MAX_EXTENSION) {
        throw new TarError(
          "tar-invalid",
          `tar extended header of ${header.size} bytes; at most ${MAX_EXTENSION}`,
        );
      }
      if (header.size === 0) return;
      this.#state = { kind: "extension", type: header.type, body: Buffer.alloc(header.size), filled: 0 };
      return;
    }
    if (header.type === "V") {
      this.#skip(header.size);
      return;
    }
    if (header.type === "S") {
      const realSize = readNumber(block, 483, 12, "real size");
      const segments = gnuSegments(block, 386, 4);
      if (block[482] === 0) this.#beginSparse(header, realSize, segments);
      else this.#state = { kind: "gnu-sparse", header, segments, realSize };
      return;
    }
    const sparse = paxSparse(this.#pax);
    const { entry, stored } = this.#resolve(header, sparse?.realSize);
    if (entry.type !== "file") {
      this.#begin(entry, 0, []);
      // a GNU dump directory carries a list of names
      if (header.type === "D") this.#skip(stored);
      return;
    }
    if (sparse !== undefined && sparse.segments === undefined) {
      this.#state = { kind: "sparse-map", entry, map: new SparseMapReader(), stored };
      return;
    }
    this.#begin(entry, stored, sparse?.segments ?? []);
  }

  #skip(size: number): void {
    const left = Math.ceil(size / BLOCK) * BLOCK;
    if (left > 0) this.#state = { kind: "skip", left };
  }

  #beginSparse(header: RawHeader, realSize: number, segments: readonly Segment[]): void {
    const { entry, stored } = this.#resolve(header, realSize);
    this.#begin(entry, stored, segments);
  }

  /** Hands the entry over and awaits its `stored` bytes. */
  #begin(entry: TarEntry, stored: number, segments: readonly Segment[]): void {
    if (entry.sparse) checkSegments(segments, entry.size, stored);
    this.#handler.entry(entry);
    if (stored === 0) {
      this.#state = HEADER;
      this.#handler.close();
      return;
    }
    this.#state = {
      kind: "body",
      left: stored,
      padding: paddingAfter(stored),
      segments: segments.filter((segment) => segment.length > 0),
      segment: 0,
      within: 0,
    };
  }

  #extend(type: string, body: Buffer): void {
    if (type === "L" || type === "K") {
      const end = body.indexOf(0);
      const text = bytesToText(end < 0 ? body : body.subarray(0, end));
      if (type === "L") this.#longName = text;
      else this.#longLink = text;
    } else if (type === "g") {
      this.#globalPax.push(...parsePax(body));
      if (this.#globalPax.length > MAX_GLOBAL)
        throw new TarError("tar-invalid", "tar: too many global headers");
    } else this.#pax = parsePax(body);
  }

  /** The header with its extensions, which are used up. */
  #resolve(header: RawHeader, realSize: number | undefined): { entry: TarEntry; stored: number } {
    let path = this.#longName ?? header.name;
    let link = this.#longLink ?? header.link;
    let { uid, gid, size } = header;
    let mtime = BigInt(header.mtime) * 1_000_000_000n;
    const xattrs = new Map<string, Uint8Array>();
    let sparseName: string | undefined;
    for (const [key, value] of [...this.#globalPax, ...this.#pax]) {
      if (key === "path") path = paxText(key, value);
      else if (key === "linkpath") link = paxText(key, value);
      else if (key === "uid") uid = paxInteger(key, value);
      else if (key === "gid") gid = paxInteger(key, value);
      else if (key === "size") size = paxInteger(key, value);
      else if (key === "mtime") mtime = paxTime(key, value);
      else if (key === "GNU.sparse.name") sparseName = paxText(key, value);
      else if (key.startsWith(XATTR)) xattrs.set(key.slice(XATTR.length), value);
      else if (key.startsWith(LIBARCHIVE_XATTR) && !xattrs.has(key.slice(LIBARCHIVE_XATTR.length)))
        xattrs.set(key.slice(LIBARCHIVE_XATTR.length), Buffer.from(bytesToText(value), "base64"));
    }
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#pax = [];
    if (size < 0 || uid < 0 || gid < 0 || uid > MAX_ID || gid > MAX_ID) {
      throw new TarError("tar-invalid", `tar entry ${JSON.stringify(path)}: size, uid or gid out of range`);
    }
    const known = TYPES[header.type];
    if (known === undefined) {
      throw new TarError(
        "tar-unsupported",
        `tar entry ${JSON.stringify(path)}: unknown type ${JSON.stringify(header.type)}`,
      );
    }
    const type = known === "file" && header.type === "\0" && path.endsWith("/") ? "directory" : known;
    const entry: TarEntry = {
      path: sparseName ?? path,
      type,
      mode: header.mode,
      uid,
      gid,
      size: type === "file" ? (realSize ?? size) : 0,
      mtime,
      link: type === "hardlink" || type === "symlink" ? link : "",
      major: header.major,
      minor: header.minor,
      xattrs,
      sparse: type === "file" && realSize !== undefined,
    };
    return { entry, stored: size };
  }
}
