/** Sparse files in tar archives: GNU's old header type `S` and the PAX forms 0.0, 0.1 and 1.0 of GNU tar. */
import { bytesToText } from "../../host/byte-text.ts";
import { type PaxRecord, paxInteger } from "./pax.ts";
import { TarError } from "./tar-entry.ts";
import { BLOCK, readNumber } from "./tar-header.ts";

/** Where one run of stored bytes belongs in the file; lengths sum up to the stored size. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** What the PAX records say about holes. */
export interface PaxSparse {
  readonly realSize: number;
  /** Undefined: the map is the first part of the content (form 1.0). */
  readonly segments: readonly Segment[] | undefined;
}

/** A map with more runs than this is refused. */
const MAX_SEGMENTS = 100_000;

const bad = (why: string): TarError => new TarError("tar-invalid", `tar sparse file: ${why}`);

/** Checks that the runs ascend, lie within the file, and hold exactly the stored bytes. */
export function checkSegments(segments: readonly Segment[], realSize: number, stored: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of segments) {
    if (offset < end || length < 0 || offset + length > realSize) throw bad("its map is not in order");
    end = offset + length;
    sum += length;
  }
  if (sum !== stored) throw bad(`its map holds ${sum} bytes, the archive ${stored}`);
}

function fromNumbers(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0 || numbers.length / 2 > MAX_SEGMENTS) throw bad("its map has a wrong length");
  const segments: Segment[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    segments.push({ offset: numbers[i] ?? 0, length: numbers[i + 1] ?? 0 });
  }
  return segments;
}

const toNumber = (text: string): number => {
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number)) throw bad("its map holds no number");
  return number;
};

/** Forms 0.0, 0.1 and 1.0; undefined where the records tell of no holes. */
export function paxSparse(records: readonly PaxRecord[]): PaxSparse | undefined {
  let realSize: number | undefined;
  let major = 0;
  let map: Segment[] | undefined;
  const loose: number[] = [];
  for (const [key, value] of records) {
    if (key === "GNU.sparse.size" || key === "GNU.sparse.realsize") realSize = paxInteger(key, value);
    else if (key === "GNU.sparse.major") major = paxInteger(key, value);
    else if (key === "GNU.sparse.map") {
      const text = bytesToText(value);
      map = fromNumbers(text === "" ? [] : text.split(",").map(toNumber));
    } else if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
      loose.push(paxInteger(key, value));
  }
  if (realSize === undefined) return undefined;
  if (realSize < 0) throw bad("negative size");
  return { realSize, segments: major >= 1 ? undefined : (map ?? fromNumbers(loose)) };
}

/** The runs in a GNU header block (`at` 386, 4 of them) or in an extension block (`at` 0, 21 of them). */
export function gnuSegments(block: Uint8Array, at: number, count: number): Segment[] {
  const segments: Segment[] = [];
  for (let i = 0; i < count; i += 1) {
    const offset = readNumber(block, at + i * 24, 12, "sparse offset");
    const length = readNumber(block, at + i * 24 + 12, 12, "sparse length");
    if (block[at + i * 24] !== 0 && (offset !== 0 || length !== 0)) segments.push({ offset, length });
  }
  return segments;
}

/** Reads the map that begins the content in form 1.0: decimal lines, padded to whole blocks. */
export class SparseMapReader {
  #text = "";
  #numbers: number[] = [];

  /** Takes one block; the map once it is complete, which is always at a block's end. */
  push(block: Uint8Array): Segment[] | undefined {
    this.#text += Buffer.from(block.buffer, block.byteOffset, BLOCK).toString("latin1");
    const lines = this.#text.split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      this.#numbers.push(toNumber(line));
      const count = this.#numbers[0] ?? 0;
      if (count > MAX_SEGMENTS) throw bad("its map is too long");
      if (this.#numbers.length === 1 + 2 * count) return fromNumbers(this.#numbers.slice(1));
    }
    return undefined;
  }
}
