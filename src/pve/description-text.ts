/** Descriptions in configuration files: percent-encoded UTF-8, so that any text fits into `#` lines. */

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const isHexDigit = (byte: number | undefined): boolean =>
  byte !== undefined &&
  ((byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 70) || (byte >= 97 && byte <= 102));

/** The text behind `%XX` escapes; malformed UTF-8 becomes U+FFFD, a lone `%` stays. */
export function decodeDescription(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  const bytes = Buffer.from(encoded, "utf8");
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 37 && isHexDigit(bytes[i + 1]) && isHexDigit(bytes[i + 2])) {
      bytes[length++] = Number.parseInt(bytes.toString("latin1", i + 1, i + 3), 16);
      i += 2;
    } else {
      bytes[length++] = bytes[i] ?? 0;
    }
  }
  return decoder.decode(bytes.subarray(0, length));
}

/** Escapes control characters, `%`, `:` and everything outside ASCII. */
export function encodeDescription(text: string): string {
  if (/^[\x20-\x24\x26-\x39\x3b-\x7e]*$/.test(text)) return text;
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25 && byte !== 0x3a;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
