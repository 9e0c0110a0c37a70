/** Writes tar archives for tests: well-formed ones and, since nothing is checked, hostile ones too. */

/** One entry; what is left out gets a harmless value. */
export interface TarEntry {
  readonly name: string;
  /** Type flag: "0" file, "1" hard link, "2" symlink, "3" char, "4" block, "5" directory, "6" fifo, or any other. */
  readonly type?: string;
  readonly data?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970. */
  readonly mtime?: number;
  readonly link?: string;
  readonly major?: number;
  readonly minor?: number;
  /** Records of a PAX header put before the entry. */
  readonly pax?: Readonly<Record<string, string | Uint8Array>>;
  /** Size that the header claims, where it is not the data's. */
  readonly claimedSize?: number;
}

const BLOCK = 512;

const padded = (bytes: Uint8Array): Uint8Array => {
  const rest = bytes.length % BLOCK;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(BLOCK - rest)]);
};

/** Octal while it fits, else GNU's base-256. */
function writeNumber(header: Buffer, at: number, length: number, value: number): void {
  const text = value.toString(8);
  if (value >= 0 && text.length < length) {
    header.write(`${text.padStart(length - 1, "0")}\0`, at, "latin1");
    return;
  }
  const big = BigInt.asUintN(64, BigInt(value));
  header.fill(value < 0 ? 0xff : 0, at, at + length);
  header.writeBigUInt64BE(big, at + length - 8);
  header[at] = value < 0 ? 0xff : 0x80;
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const type = entry.type ?? "0";
  block.write(entry.name, 0, 100);
  writeNumber(block, 100, 8, entry.mode ?? (type === "5" ? 0o755 : 0o644));
  writeNumber(block, 108, 8, entry.uid ?? 0);
  writeNumber(block, 116, 8, entry.gid ?? 0);
  writeNumber(block, 124, 12, size);
  writeNumber(block, 136, 12, entry.mtime ?? 1_700_000_000);
  block.write("        ", 148);
  block.write(type, 156);
  block.write(entry.link ?? "", 157, 100);
  block.write("ustar\x0000", 257);
  writeNumber(block, 329, 8, entry.major ?? 0);
  writeNumber(block, 337, 8, entry.minor ?? 0);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** One PAX record: its length counts its own digits. */
export function paxRecord(key: string, value: string | Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as Uint8Array), Buffer.from("\n")]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length += 1;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

/** The archive's bytes, with its two closing zero blocks. */
export function writeTar(entries: readonly TarEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const data = typeof entry.data === "string" ? Buffer.from(entry.data) : (entry.data ?? Buffer.alloc(0));
    const pax: Record<string, string | Uint8Array> = { ...entry.pax };
    if (Buffer.byteLength(entry.name) > 100) pax.path ??= entry.name;
    if (Buffer.byteLength(entry.link ?? "") > 100) pax.linkpath ??= entry.link ?? "";
    if (Object.keys(pax).length > 0) {
      const records = Buffer.concat(Object.entries(pax).map(([key, value]) => paxRecord(key, value)));
      parts.push(header({ name: "PaxHeaders/entry", type: "x" }, records.length), padded(records));
    }
    parts.push(header(entry, entry.claimedSize ?? data.length), padded(data));
  }
  parts.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(parts);
}
