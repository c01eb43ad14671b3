import type { Shown } from "./history";
import {
  highestBefore,
  effective,
  sendKey,
  type Asking,
  type HistoryIndex,
  type Message,
  type Operation,
} from "./history-index";

/** Longest page the product gives. */
const PAGE = 100;

export type Read = Operation<Asking<"history"> | Asking<"final">>;

/** Something a read should have shown. */
export interface Absence {
  read: Read;
  message: Message;
  /** Of the reader's own acknowledged sends; seen by this client before; or known to somebody. */
  known: "own" | "seen" | "somebody";
}

const found = new WeakMap<HistoryIndex, Absence[]>();

/** The first message that each read lacks though it was known before the read was asked for. */
export function absences(history: HistoryIndex): readonly Absence[] {
  let all = found.get(history);
  if (!all) found.set(history, (all = [...look(history)]));
  return all;
}

/** What came back, oldest first. */
export const itemsOf = ({ end }: Operation): readonly Shown[] => (end?.phase === "ok" ? (end.answer.items ?? []) : []);

/** Sees all of the room: what it was before he came, and no end of his membership in between. */
export function seesAll(history: HistoryIndex, room: string, user: string): boolean {
  const made = history.made.get(room);
  if (!made || made.open || made.public) return true;
  return made.members.includes(user) && !left(history).has(`${room} ${user}`);
}

const gone = new WeakMap<HistoryIndex, Set<string>>();

/** Those who left a room or were removed, at some time and perhaps. */
function left(history: HistoryIndex): Set<string> {
  let all = gone.get(history);
  if (all) return all;
  gone.set(history, (all = new Set()));
  for (const { asked, outcome } of history.asked("member"))
    if (asked.change !== "join" && outcome !== "fail") all.add(`${asked.room} ${asked.who}`);
  return all;
}

/** Numbers a read speaks for, both ends included; null: none for sure. */
export function coverage(history: HistoryIndex, read: Read): { from: number; to: number } | null {
  const { asked } = read;
  const items = itemsOf(read);
  const [first, last] = [items[0]?.seq, items.at(-1)?.seq];
  const whole = seesAll(history, asked.room, asked.user);
  if (!whole && first === undefined) return null;
  const visible = whole ? 1 : (first as number);
  if (asked.op === "final") return { from: visible, to: Infinity };
  const full = items.length >= Math.min(asked.limit, PAGE);
  if (asked.after !== undefined)
    return { from: Math.max(visible, asked.after + 1), to: full && last !== undefined ? last : Infinity };
  const to = asked.before === undefined ? Infinity : asked.before - 1;
  return { from: full && first !== undefined ? first : visible, to };
}

function* look(history: HistoryIndex): Iterable<Absence> {
  const seen = new Map<string, number>();
  for (const line of history.lines) {
    if (line.phase === "run") {
      if (line.what === "restored") seen.clear();
      continue;
    }
    if (line.phase === "seen") {
      if (line.what === "event" && line.message) advance(seen, line.client, line.room, line.message.seq);
      continue;
    }
    const operation = history.operations.get(line.id);
    if (!operation || !("room" in operation.asked)) continue;
    const { asked } = operation;
    if (line.phase === "invoke") {
      if (asked.op !== "history" && asked.op !== "final") continue;
      const absence = lacks(history, operation as Read, seen.get(`${asked.client} ${asked.room}`) ?? 0);
      if (absence) yield absence;
    } else if (line.phase === "ok") {
      for (const { seq } of line.answer.items ?? []) advance(seen, line.client, asked.room, seq);
      if (line.answer.message) advance(seen, line.client, asked.room, line.answer.message.seq);
    }
  }
}

function advance(seen: Map<string, number>, client: string, room: string, seq: number): void {
  const key = `${client} ${room}`;
  if (seq > (seen.get(key) ?? 0)) seen.set(key, seq);
}

function lacks(history: HistoryIndex, read: Read, seen: number): Absence | null {
  const { asked, outcome, until } = read;
  const covered = outcome === "ok" ? coverage(history, read) : null;
  if (!covered) return null;
  const era = history.eraAt(until);
  const past = history.pastOf(asked.room, era);
  const items = itemsOf(read);
  const ids = new Set(items.map(({ id }) => id));
  const last = items.at(-1)?.seq ?? 0;
  const top = Math.min(covered.to, highestBefore(past, asked.t));
  for (let seq = covered.from; seq <= top; seq++) {
    const message = past.bySeq.get(seq);
    if (!message || message.knownAt >= asked.t || ids.has(message.id) || !wasSent(history, message)) continue;
    const own = message.sender === asked.user && message.ackedAt < asked.t;
    const tail = seq > last && seen >= seq;
    return { read, message, known: asked.op === "final" ? "somebody" : own ? "own" : tail ? "seen" : "somebody" };
  }
  return null;
}

/** What was never sent, or surely failed, need not be there. */
export function wasSent(history: HistoryIndex, { room, sender, clientId }: Message): boolean {
  const send = history.sends.get(sendKey(room, sender, clientId ?? ""));
  return send !== undefined && effective(send) !== undefined;
}
