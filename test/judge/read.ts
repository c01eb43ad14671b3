import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { HistoryLine } from "./history";

/** The lines of a history's file, one JSON object each. A last line that a killed run left torn is left out. */
export async function* linesOf(file: string): AsyncGenerator<HistoryLine> {
  let before: string | undefined;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (text === "") continue;
    if (before !== undefined) yield JSON.parse(before) as HistoryLine;
    before = text;
  }
  const last = before === undefined ? null : whole(before);
  if (last) yield last;
}

/** All of them. Rejects where a line before the last is not JSON. */
export async function readHistory(file: string): Promise<HistoryLine[]> {
  const lines: HistoryLine[] = [];
  for await (const line of linesOf(file)) lines.push(line);
  return lines;
}

function whole(text: string): HistoryLine | null {
  try {
    return JSON.parse(text) as HistoryLine;
  } catch {
    return null;
  }
}
