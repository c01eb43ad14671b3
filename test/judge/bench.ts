/** What judging costs: `node --import tsx test/judge/bench.ts [LINES]`. Prints lines a second and memory; passes no judgement. */
import { check } from "./check";
import { generate } from "./generate";
import type { HistoryLine } from "./history";

/** Histories of so many steps each follow one another, every one in rooms and with clients of its own. */
const STEPS = 4_000;

const wanted = Number(process.argv[2] ?? 1_000_000);
const lines: HistoryLine[] = [];
for (let seed = 1; lines.length < wanted; seed++) append(seed);
lines.length = wanted;

const before = process.cpuUsage();
const began = performance.now();
const { valid, counts } = check(lines);
const ms = performance.now() - began;
const { user, system } = process.cpuUsage(before);
const cpu = (user + system) / 1e6;
const peak = process.resourceUsage().maxRSS / 1024;
console.log(
  `${lines.length} lines, ${counts.acked} acked sends, ${counts.rooms} rooms: ${valid ? "good" : "cut short"}`,
);
console.log(
  `${(ms / 1000).toFixed(1)} s, ${cpu.toFixed(1)} s of processor, ${Math.round(lines.length / cpu)} lines a second of it`,
);
console.log(`${Math.round(peak)} MiB at most, the history included`);

/** Names and numbers of one history are not those of another. */
function append(seed: number): void {
  const part = generate({ seed: seed * 5 + 1, clients: 30, rooms: 12, steps: STEPS });
  const from = (lines.at(-1)?.t ?? 0) + 1;
  const own = (text: string): string => (text === "" || text === "rest" ? text : `${seed}.${text}`);
  for (const line of part) {
    if (line.phase === "run" && line.what !== "room") continue;
    lines.push(renamed(line, from, own));
  }

  function renamed(line: HistoryLine, after: number, name: (text: string) => string): HistoryLine {
    const text = JSON.stringify(line, (key, value: unknown) => {
      if (key === "t") return (value as number) + after;
      if (key === "id" && typeof value === "number") return value + seed * 1e7;
      if (key === "rooms" && value && !Array.isArray(value))
        return Object.fromEntries(Object.entries(value).map(([room, start]) => [name(room), start as unknown]));
      if ((key === "rooms" || key === "members") && Array.isArray(value)) return value.map(one => name(String(one)));
      return ["client", "user", "session", "room", "message", "sender", "id", "who"].includes(key) &&
        typeof value === "string"
        ? name(value)
        : value;
    });
    return JSON.parse(text) as HistoryLine;
  }
}
