const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** `1.5 MB` */
export function bytes(count: number): string {
  const unit = count > 0 ? Math.min(Math.floor(Math.log10(count) / 3), UNITS.length - 1) : 0;
  return `${(count / 1000 ** unit).toFixed(unit === 0 ? 0 : 1)} ${UNITS[unit]}`;
}

/** `1 room`, `2,000 rooms` */
export const amount = (count: number | undefined, one: string, many = `${one}s`): string =>
  `${(count ?? 0).toLocaleString("en-US")} ${count === 1 ? one : many}`;
