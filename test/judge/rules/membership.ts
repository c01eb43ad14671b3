import type { Completion, HistoryLine, Observed } from "../history";
import { countOf, push, type Asking, type HistoryIndex, type Operation } from "../history-index";
import { deadline, type Allowances, type JudgedRule, type Report } from "../rule";

/** A time in which somebody surely was in a room no more. Milliseconds. */
interface Absent {
  since: number;
  from: number;
  to: number;
  by: Operation<Asking<"member">>;
}

/** H12 */
export const membership: JudgedRule = {
  rule: "H12",
  name: "membership",
  sentence:
    "The entry that takes somebody out is the last he gets of a room or writes behind, and what was while he was not in it stays closed.",
  judge(history, report, allowed) {
    cuts(history, report);
    absent(history, report, allowed);
    gaps(history, report);
  },
};

const ends = (change: string): boolean => change === "remove" || change === "leave" || change === "ban";

/**
 * Sockets get the entry that cuts them, and none after it, until they are let in again. Entries up to where the subscription
 * was answered are a replay: they tell of earlier times.
 */
function cuts(history: HistoryIndex, report: Report): void {
  const cut = new Map<string, HistoryLine>();
  const answered = new Map<string, number>();
  for (const line of history.lines) {
    if (line.phase === "ok") {
      for (const [room, start] of Object.entries(line.answer.rooms ?? {})) {
        if (start.state === "denied") continue;
        cut.delete(`${line.session} ${room}`);
        answered.set(`${line.session} ${room}`, start.offset);
      }
    } else if (line.phase === "seen" && (line.what === "event" || line.what === "unsub" || line.what === "reset")) {
      const key = `${line.session} ${line.room}`;
      const by = cut.get(key);
      if (line.what === "unsub") {
        cut.set(key, by ?? line);
        continue;
      }
      if (by) report(`${line.user} got offset ${line.offset} after he had been taken out.`, line.room, by, line);
      if (line.what !== "event" || line.member?.user !== line.user || !ends(line.member.change)) continue;
      if (line.offset <= (answered.get(key) ?? Infinity)) continue;
      // A public room may be read by those who left it.
      if (line.member.change !== "leave" || history.made.get(line.room)?.public !== true) cut.set(key, line);
    }
  }
}

/** After a removal was acknowledged and before anybody asked to let him in again. */
function absent(history: HistoryIndex, report: Report, allowed: Allowances): void {
  const changes = new Map<string, Operation<Asking<"member">>[]>();
  for (const operation of history.asked("member"))
    if (operation.outcome !== "fail") push(changes, `${operation.asked.room} ${operation.asked.who}`, operation);
  const times = new Map<string, Absent[]>();
  for (const [key, all] of changes) times.set(key, absences(history, all, allowed));
  const at = (room: string, user: string, from: number, to: number): Absent | undefined =>
    times.get(`${room} ${user}`)?.find(time => time.from < from && to < time.to);

  for (const line of history.lines) {
    if (line.phase === "seen" && line.what === "event" && history.made.get(line.room)?.public !== true) {
      const out = at(line.room, line.user, line.t, line.t);
      if (out)
        report(`${line.user} got offset ${line.offset} long after he was taken out.`, line.room, out.by.end, line);
    }
    if (line.phase !== "ok") continue;
    const asked = history.operations.get(line.id)?.asked;
    if (!asked) continue;
    for (const room of granted(history, asked, line)) {
      const out = at(room, asked.user, asked.t, line.t);
      if (out)
        report(`${asked.user} was answered with ${asked.op} after he was taken out.`, room, out.by.end, asked, line);
    }
  }
}

/** Rooms in which the answer grants what only members may do. */
function granted(history: HistoryIndex, asked: Operation["asked"], { answer }: Completion & { phase: "ok" }): string[] {
  const closed = (room: string): boolean => history.made.get(room)?.public !== true;
  if (asked.op === "send") return answer.duplicate ? [] : [asked.room];
  if (asked.op === "history" || asked.op === "final") return closed(asked.room) ? [asked.room] : [];
  if (asked.op !== "subscribe") return [];
  return Object.entries(answer.rooms ?? {}).flatMap(([room, { state }]) =>
    state !== "denied" && closed(room) ? [room] : [],
  );
}

function absences(history: HistoryIndex, all: readonly Operation<Asking<"member">>[], allowed: Allowances): Absent[] {
  const joins = all.filter(({ asked }) => asked.change === "join");
  return all.flatMap(by => {
    const { asked, outcome, until } = by;
    const doubtful = joins.some(join => join.asked.t < until && join.until > asked.t);
    if (asked.change === "join" || outcome !== "ok" || doubtful) return [];
    const back = joins.find(join => join.asked.t >= until)?.asked.t ?? Infinity;
    const restore = history.restores.find(t => t > until) ?? Infinity;
    return [{ since: until, from: deadline(history, until, allowed), to: Math.min(back, restore), by }];
  });
}

/** From after one entry to before another somebody was not in a room. */
interface Span {
  after: number;
  before: number;
  line: HistoryLine;
}

/** By room and user, in order; of those alone all of whose comings were seen, and before a backup was restored. */
function spansOutside(history: HistoryIndex): Map<string, Span[]> {
  const outside = new Map<string, Span[]>();
  const asked = new Map<string, number>();
  for (const { asked: change, outcome } of history.asked("member")) {
    const key = `${change.room} ${change.who}`;
    if (change.change === "join" && outcome !== "fail") asked.set(key, (asked.get(key) ?? 0) + 1);
  }
  for (const [key, offsets] of membershipEntries(history)) {
    const [era, room, user] = key.split(" ") as [string, string, string];
    const made = history.made.get(room);
    if (!made || Number(era) > 0) continue;
    const ordered = [...offsets.values()].sort((a, b) => a.offset - b.offset);
    const founder = made.members.includes(user);
    const wanted = asked.get(`${room} ${user}`) ?? 0;
    const joins = ordered.filter(({ member }) => member?.change === "join");
    if (founder && joins.length === wanted + 1 && ordered[0] === joins[0]) ordered.shift();
    else if (joins.length !== wanted) continue;
    const spans: Span[] = [];
    const first = ordered[0];
    if (!founder && first?.member?.change === "join") spans.push({ after: 0, before: first.offset, line: first });
    ordered.forEach((line, i) => {
      if (!ends(line.member?.change ?? "")) return;
      const back = ordered.slice(i + 1).find(({ member }) => member?.change === "join");
      spans.push({ after: line.offset, before: back?.offset ?? Infinity, line });
    });
    if (spans.length > 0) outside.set(`${room} ${user}`, spans);
  }
  return outside;
}

/** In order of their ends: only the first that is not over can have it. */
function spanAt(spans: readonly Span[] = [], offset: number): Span | undefined {
  const span = spans[countOf(spans, ({ before }) => before <= offset)];
  return span && offset > span.after ? span : undefined;
}

/** Nobody writes behind the entry that took him out, and in rooms whose newcomers do not read back, nobody ever sees what was. */
function gaps(history: HistoryIndex, report: Report): void {
  const outside = spansOutside(history);
  if (outside.size === 0) return;
  const written = (room: string, offset: number, sender: string, line: HistoryLine): void => {
    const span = spanAt(outside.get(`${room} ${sender}`), offset);
    if (span) report(`${sender} wrote offset ${offset} while he was not in the room.`, room, span.line, line);
  };
  const look = (user: string, room: string, offset: number, line: HistoryLine): void => {
    const made = history.made.get(room);
    if (!made || made.open || made.public) return;
    const span = spanAt(outside.get(`${room} ${user}`), offset);
    if (span)
      report(`${user} was shown offset ${offset}, written while he was not in the room.`, room, span.line, line);
  };
  const told = new Set<string>();
  for (const line of history.lines) {
    if (line.phase === "run" && line.what === "restored") return;
    if (line.phase === "seen" && line.what === "event") {
      look(line.user, line.room, line.offset, line);
      const { kind, message, room, offset } = line;
      if (kind !== "message" || !message || told.has(`${room} ${offset}`)) continue;
      told.add(`${room} ${offset}`);
      written(room, offset, message.sender, line);
    }
    const asked = line.phase === "ok" ? history.operations.get(line.id)?.asked : undefined;
    if (line.phase !== "ok" || !asked || !("room" in asked) || asked.op === "send") continue;
    for (const { offset } of line.answer.items ?? []) look(line.user, asked.room, offset, line);
  }
}

type Entry = Observed & { what: "event" };

/** Entries about somebody's membership, by era, room and user, then by offset. */
function membershipEntries(history: HistoryIndex): Map<string, Map<number, Entry>> {
  const entries = new Map<string, Map<number, Entry>>();
  let era = 0;
  for (const line of history.lines) {
    if (line.phase === "run" && line.what === "restored") era++;
    if (line.phase !== "seen" || line.what !== "event" || !line.member || line.member.change === "role") continue;
    const key = `${era} ${line.room} ${line.member.user}`;
    const offsets = entries.get(key) ?? new Map<number, Entry>();
    entries.set(key, offsets);
    if (!offsets.has(line.offset)) offsets.set(line.offset, line);
  }
  return entries;
}
