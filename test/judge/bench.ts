/** What judging costs: `node --import tsx test/judge/bench.ts [LINES]`. Prints lines a second and memory; passes no judgement. */
import { check } from "./check";
import { generate } from "./generate";
import type { HistoryLine } from "./history";

const wanted = Number(process.argv[2] ?? 1_000_000);
const lines = longer(wanted);

const before = process.cpuUsage();
const began = performance.now();
// Of what is generated far more sends are refused than a good run may refuse, so that all ways of a send are in it.
const { valid, counts } = check(lines, { ok: { share: 0, from: 0 } });
const ms = performance.now() - began;
const { user, system } = process.cpuUsage(before);
const cpu = (user + system) / 1e6;
const peak = process.resourceUsage().maxRSS / 1024;
console.log(`${lines.length} lines, ${counts.acked} acked sends, ${counts.rooms} rooms: ${valid ? "good" : "bad"}`);
console.log(
  `${(ms / 1000).toFixed(1)} s, ${cpu.toFixed(1)} s of processor, ${Math.round(lines.length / cpu)} lines a second of it`,
);
console.log(`${Math.round(peak)} MiB at most, the history included`);

/** One history with a restore in it, as long as that or a little longer. */
function longer(length: number): HistoryLine[] {
  for (let steps = Math.ceil(length / 13); ; steps = Math.ceil(steps * 1.1)) {
    const history = generate({ seed: 5, clients: 30, rooms: 12, steps });
    if (history.length >= length) return history;
  }
}
