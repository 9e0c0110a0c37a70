/** Sizes of volumes as Proxmox writes them: `8G`, `1.5T`, `2TiB`, or plain bytes. */

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes of a size text, rounded down; undefined where it is none. `K` to `T` are powers of 1024. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(?:([KMGT])(?:iB)?)?$/.exec(text);
  if (match === null) return undefined;
  return Math.trunc(Number(match[1]) * (UNITS[match[2] ?? ""] ?? 1));
}

/** The shortest exact text of a number of bytes: the largest unit that divides it, `T` at most. */
export function formatSize(bytes: number): string {
  let value = Math.trunc(bytes);
  let unit = "";
  for (const next of ["K", "M", "G", "T"]) {
    if (value % 1024 !== 0) break;
    value /= 1024;
    unit = next;
  }
  return `${value}${unit}`;
}
