import { count, printTable } from "../../bench/support/table";
import type { RunResult } from "./run";
import { mebibytes, type Sample } from "./watch";

/** Closes that are shown of a wire, the most frequent first. */
const SHOWN = 8;

/** What was sent and how it ended, wire by wire, and what the server held meanwhile. */
export function print(title: string, { efforts, samples, ms, witness }: RunResult): void {
  const frames = efforts.reduce((sum, effort) => sum + effort.frames, 0);
  const connections = efforts.reduce((sum, effort) => sum + effort.connections, 0);
  printTable(
    `${title}: ${count(frames)} frames in ${(ms / 1_000).toFixed(0)} s, ${count((1_000 * frames) / ms)} a second`,
    ["wire", "frames", "connections", "ended by"],
    [
      ...efforts.map(({ wire, frames, connections, closes }) => [
        wire,
        count(frames),
        count(connections),
        shown(closes),
      ]),
      ["all", count(frames), count(connections), ""],
    ],
  );
  const row = (name: string, of: (sample: Sample) => number, text: (value: number) => string): string[] => {
    const values = samples.map(of);
    return [name, ...[values[0] ?? 0, Math.max(...values), values.at(-1) ?? 0].map(text)];
  };
  printTable(
    "the server",
    ["", "first", "highest", "last"],
    [row("memory", ({ rss }) => rss, mebibytes), row("descriptors", ({ descriptors }) => descriptors, count)],
  );
  console.log(
    `the well-behaved client: ${witness.sent} messages, the slowest ack, event and health together ${witness.slowest.toFixed(0)} ms`,
  );
}

const shown = (closes: ReadonlyMap<string, number>): string =>
  [...closes]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([how, times]) => `${how} ×${count(times)}`)
    .join(", ");
