import type { Answer, Asked, Completion, HistoryLine, Invoke, Observed, Shown } from "../history";
import type { Rule } from "../verdict";

/** One way in which a good history is made a bad one. */
export interface Mutation {
  rule: Rule;
  name: string;
  /** Spoils the lines in place, or answers false where the history has nothing to spoil in this way. */
  spoil(lines: HistoryLine[]): boolean;
}

export type Ok = Completion & { phase: "ok"; answer: Answer };

export type Event = Observed & { what: "event" };

export type Sent = { asked: Invoke & { op: "send" }; end: Ok; message: Shown };

export const asks = <O extends Asked["op"]>(lines: HistoryLine[], op: O): (Invoke & Extract<Asked, { op: O }>)[] =>
  lines.filter(line => line.phase === "invoke" && line.op === op) as (Invoke & Extract<Asked, { op: O }>)[];

export const okOf = (lines: HistoryLine[], id: number): Ok | undefined =>
  lines.find(line => line.phase === "ok" && line.id === id) as Ok | undefined;

export const events = (lines: HistoryLine[]): Event[] =>
  lines.filter(line => line.phase === "seen" && line.what === "event") as Event[];

export const plain = (lines: HistoryLine[], { id }: Shown): boolean =>
  !lines.some(line => line.phase === "invoke" && "message" in line && line.message === id);

export const all = (lines: HistoryLine[], room: string): Shown[] => {
  const rooms = new Map(
    lines.flatMap(line => (line.phase === "invoke" && "room" in line ? [[line.id, line.room]] : [])),
  );
  return lines.flatMap(line => {
    if (line.phase === "seen") return line.what === "event" && line.room === room && line.message ? [line.message] : [];
    if (line.phase !== "ok" || rooms.get(line.id) !== room) return [];
    return [...(line.answer.message ? [line.answer.message] : []), ...(line.answer.items ?? [])];
  });
};

/** Reads of a whole room but for the last of each, which others are compared with. */
export const finals = (lines: HistoryLine[]): { room: string; items: Shown[] }[] =>
  asks(lines, "final")
    .filter(({ room }, i, reads) => reads.some((other, j) => j > i && other.room === room))
    .map(({ id, room }) => ({ room, items: okOf(lines, id)?.answer.items ?? [] }));

export const sends = (lines: HistoryLine[]): Sent[] =>
  asks(lines, "send").flatMap(asked => {
    const end = okOf(lines, asked.id);
    const tries = asks(lines, "send").filter(
      ({ clientId, user }) => clientId === asked.clientId && user === asked.user,
    );
    return end?.answer.message && tries.length === 1 ? [{ asked, end, message: end.answer.message }] : [];
  });

export const remove = (lines: HistoryLine[], line: HistoryLine): void => void lines.splice(lines.indexOf(line), 1);

export const after = (lines: HistoryLine[], line: HistoryLine, ...more: HistoryLine[]): void =>
  void lines.splice(lines.indexOf(line) + 1, 0, ...more);

export const inOrder = (lines: HistoryLine[]): void => void lines.sort((a, b) => a.t - b.t);

export const some = <T>(found: T | undefined, spoil: (found: T) => unknown): boolean => {
  if (found === undefined) return false;
  spoil(found);
  return true;
};

/** Who a message is, without where it stands. */
export const who = ({ id, sender, clientId, hash, deleted, edited }: Shown) => ({
  id,
  sender,
  clientId,
  hash,
  deleted,
  edited,
});

export const founder = (lines: HistoryLine[], room: string, user: string): boolean =>
  lines.some(
    line => line.phase === "run" && line.what === "room" && line.room === room && line.members.includes(user),
  ) && !asks(lines, "member").some(asked => asked.room === room && asked.who === user);

export interface Page {
  asked: Invoke & { op: "history" };
  items: Shown[];
}

export const pages = (lines: HistoryLine[]): Page[] =>
  asks(lines, "history").flatMap(asked => {
    const items = okOf(lines, asked.id)?.answer.items;
    return items && founder(lines, asked.room, asked.user) ? [{ asked, items }] : [];
  });

/** Whether its sender, or this client, knew the message before a time. */
export const acked = (lines: HistoryLine[], id: string, t: number): boolean =>
  lines.some(line => line.phase === "ok" && line.t < t && line.answer.message?.id === id);

export const saw = (lines: HistoryLine[], client: string, id: string, t: number): boolean =>
  events(lines).some(event => event.client === client && event.t < t && event.message?.id === id);

export const newest = ({ asked, items }: Page): boolean => asked.before === undefined && items.length < asked.limit;

/** The end of the traffic, before all is read. */
export const rest = (lines: HistoryLine[]): HistoryLine =>
  lines[lines.findIndex(line => line.phase === "run" && line.what === "healed") - 1] as HistoryLine;

export const NEW = 1e9;

/** Spoils so many messages that came one after the other over one socket. */
export const event =
  (length: number, spoil: (lines: HistoryLine[], run: Event[]) => void) =>
  (lines: HistoryLine[]): boolean => {
    const seen = events(lines);
    for (const first of seen) {
      const room = seen.filter(({ session, room }) => session === first.session && room === first.room);
      const run = room.slice(room.indexOf(first) - 1, room.indexOf(first) + length + 1);
      if (
        run.length < length + 2 ||
        run.some(({ kind, offset }, i) => kind !== "message" || offset !== (run[0] as Event).offset + i)
      )
        continue;
      const [from, to] = [lines.indexOf(run[0] as Event), lines.indexOf(run.at(-1) as Event)];
      // Nothing but events in between, or the order would mean something else.
      if (
        lines
          .slice(from, to)
          .some(
            line =>
              "session" in line && line.session === first.session && !(line.phase === "seen" && line.what === "event"),
          )
      )
        continue;
      spoil(lines, run.slice(1, -1));
      return true;
    }
    return false;
  };
