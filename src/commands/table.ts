/** Text tables as Go's tabwriter makes them in runc: left-aligned columns, at least 12 wide, 3 blanks between. */

/** Lines of `rows`, the first of which is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 12, cell.length + 3);
    });
  }
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}
