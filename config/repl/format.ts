import { stripVTControlCharacters, styleText } from "node:util";
import { printable } from "../log.redact";

/** How everything that commands print looks. */

type Colour = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
export type Paint = Record<Colour, (text: string) => string>;

const COLOURS: readonly Colour[] = ["bold", "dim", "red", "green", "yellow", "cyan"];

/** Whether the output goes to a terminal that shows colours; NO_COLOR asks for none. */
export const hasColours = (): boolean => process.stdout.isTTY && process.stdout.hasColors();

/** Colours, or none of them; whether the output takes them is for the caller to say. */
export function paintFor(coloured: boolean): Paint {
  return Object.fromEntries(
    COLOURS.map(colour => [
      colour,
      (text: string) => (coloured && text !== "" ? styleText(colour, text, { validateStream: false }) : text),
    ]),
  ) as Paint;
}

/** A number, with its unit or without. */
const QUANTITY = /^(> )?\d+(\.\d+)?( (ms|s|min|h|d|B|KB|MB|GB))?$/;

/** Columns two spaces apart, under their names. A column of numbers and quantities is aligned to the right. */
export function table(paint: Paint, heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return "";
  const cells = rows.map(row => row.map(String));
  const widths = heads.map((head, at) => Math.max(width(head), ...cells.map(row => width(row[at] ?? ""))));
  const right = heads.map((_, at) => cells.every(row => QUANTITY.test(stripVTControlCharacters(row[at] || "0"))));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => {
        const gap = " ".repeat((widths[at] as number) - width(cell));
        return right[at] ? gap + cell : cell + gap;
      })
      .join("  ")
      .trimEnd();
  return [paint.dim(line(heads)), ...cells.map(line)].join("\n");
}

/** Names and values under each other. */
export function facts(paint: Paint, pairs: readonly (readonly [string, string] | null)[]): string {
  const shown = pairs.filter(pair => pair !== null);
  const longest = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${paint.dim(name.padEnd(longest))}  ${value}`).join("\n");
}

/** Parts with an empty line between them; empty parts are left out. */
export const paragraphs = (...parts: string[]): string => parts.filter(Boolean).join("\n\n");

const width = (text: string): number => [...stripVTControlCharacters(text)].length;

/**
 * Output in which only our own colours reach the terminal: names, texts and addresses come from outside, and could hold
 * what a terminal obeys.
 */
export const safe = (output: string): string =>
  output
    .split("\n")
    .map(line =>
      line
        .split(/(\x1b\[\d{1,3}m)/)
        .map((part, at) => (at % 2 === 0 ? printable(part) : part))
        .join(""),
    )
    .join("\n");

const SPANS: [number, string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/** `3 min`, `2 d`: the largest unit that fits. Milliseconds. */
export function span(ms: number): string {
  for (const [length, unit] of SPANS) if (ms >= length) return `${Math.floor(ms / length)} ${unit}`;
  return `${Math.max(0, Math.round(ms))} ms`;
}

/** `3 min ago`. Times are milliseconds since 1970, or RFC 3339. */
export function ago(time: number | string, now = Date.now()): string {
  const past = now - (typeof time === "string" ? Date.parse(time) : time);
  if (past < -1_000) return `in ${span(-past)}`;
  return past < 1_000 ? "now" : `${span(past)} ago`;
}

const UNITS = ["B", "KB", "MB", "GB"];

/** `1.5 MB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** RFC 3339 of milliseconds since 1970: the one form of time in JSON documents. */
export const iso = (ms: number): string => new Date(ms).toISOString();

/** `14:03:07.123`, in UTC, of RFC 3339. */
export const clock = (at: string): string => at.slice(11, 23);

/** `1 socket`, `3 sockets`, `no sockets`. */
export const many = (count: number, one: string, several = `${one}s`): string =>
  `${count === 0 ? "no" : count} ${count === 1 ? one : several}`;

/** `a, b and c`. */
export const list = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
