/** Columns as wide as they need, the first to the left, the others to the right. */
export function printTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map(row => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] as number) : cell.padStart(widths[at] as number)))
      .join("  ");
  console.log(`\n${title}\n${line(head)}\n${widths.map(width => "-".repeat(width)).join("  ")}`);
  for (const row of rows) console.log(line(row).trimEnd());
}

/** `1,234,567` */
export const count = (value: number): string => Math.round(value).toLocaleString("en-US");

export const fixed = (value: number | null, digits = 2): string => (value === null ? "-" : value.toFixed(digits));

export const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** Of something that may not have been measured. */
export const ratio = (value: number, of: number | undefined): string => (of ? (value / of).toFixed(2) : "-");
