import type { HistoryIndex } from "./history-index";
import type { Counts, Verdict } from "./verdict";

/** What a run did, whether or not it was right. */
export function counts(history: HistoryIndex): Counts {
  const all: Counts = {
    acked: 0,
    failed: 0,
    unknown: 0,
    settled: 0,
    delivered: 0,
    resumed: { live: 0, replayed: 0, reset: 0 },
    rooms: 0,
    clients: 0,
    faults: {},
  };
  for (const { attempts } of history.sends.values()) {
    const ok = attempts.some(({ outcome }) => outcome === "ok");
    const unknown = attempts.some(({ outcome }) => outcome === "info");
    if (ok) all.acked++;
    if (unknown) all.unknown++;
    if (ok && unknown) all.settled++;
    if (!ok && !unknown) all.failed++;
  }
  const clients = new Set<string>();
  const rooms = new Set<string>(history.made.keys());
  for (const line of history.lines) {
    if (line.phase === "run") continue;
    clients.add(line.client);
    if (line.phase === "seen" && line.what === "event") all.delivered++;
    if ("room" in line) rooms.add(line.room);
  }
  for (const { asked, end } of history.asked("subscribe"))
    for (const [room, start] of Object.entries(end?.phase === "ok" ? (end.answer.rooms ?? {}) : {}))
      if (start.state !== "denied" && asked.rooms[room] != null) all.resumed[start.state]++;
  all.rooms = rooms.size;
  all.clients = clients.size;
  for (const { name } of history.faults) all.faults[name] = (all.faults[name] ?? 0) + 1;
  return all;
}

/** How long rooms were without a stored send after a fault had ended, in milliseconds. */
export function recovery(history: HistoryIndex): Verdict["recovery"] {
  const oks = new Map<string, number[]>();
  for (const { asked, end } of history.asked("send")) {
    if (end?.phase !== "ok") continue;
    const times = oks.get(asked.room);
    if (times) times.push(end.t);
    else oks.set(asked.room, [end.t]);
  }
  const waits: number[] = [];
  const ends = history.faults.map(({ to }) => to).sort((a, b) => a - b);
  for (const times of oks.values()) {
    times.sort((a, b) => a - b);
    let next = 0;
    for (const to of ends) {
      while (next < times.length && (times[next] as number) <= to) next++;
      const first = times[next];
      if (first !== undefined) waits.push(first - to);
    }
  }
  waits.sort((a, b) => a - b);
  return { max: waits.at(-1) ?? 0, p99: waits[Math.ceil(waits.length * 0.99) - 1] ?? 0 };
}
