import type { Answer, Asked, Completion, HistoryLine, Invoke, Observed, Shown } from "./history";
import type { Rule } from "./verdict";

/** One way in which a good history is made a bad one. */
export interface Mutation {
  rule: Rule;
  name: string;
  /** Spoils the lines in place, or answers false where the history has nothing to spoil in this way. */
  spoil(lines: HistoryLine[]): boolean;
}

type Ok = Completion & { phase: "ok"; answer: Answer };
type Event = Observed & { what: "event" };
type Sent = { asked: Invoke & { op: "send" }; end: Ok; message: Shown };

const asks = <O extends Asked["op"]>(lines: HistoryLine[], op: O): (Invoke & Extract<Asked, { op: O }>)[] =>
  lines.filter(line => line.phase === "invoke" && line.op === op) as (Invoke & Extract<Asked, { op: O }>)[];
const okOf = (lines: HistoryLine[], id: number): Ok | undefined =>
  lines.find(line => line.phase === "ok" && line.id === id) as Ok | undefined;
const events = (lines: HistoryLine[]): Event[] =>
  lines.filter(line => line.phase === "seen" && line.what === "event") as Event[];
const plain = (lines: HistoryLine[], { id }: Shown): boolean =>
  !lines.some(line => line.phase === "invoke" && "message" in line && line.message === id);
const all = (lines: HistoryLine[], room: string): Shown[] => {
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
const finals = (lines: HistoryLine[]): { room: string; items: Shown[] }[] =>
  asks(lines, "final")
    .filter(({ room }, i, reads) => reads.some((other, j) => j > i && other.room === room))
    .map(({ id, room }) => ({ room, items: okOf(lines, id)?.answer.items ?? [] }));
const sends = (lines: HistoryLine[]): Sent[] =>
  asks(lines, "send").flatMap(asked => {
    const end = okOf(lines, asked.id);
    const tries = asks(lines, "send").filter(
      ({ clientId, user }) => clientId === asked.clientId && user === asked.user,
    );
    return end?.answer.message && tries.length === 1 ? [{ asked, end, message: end.answer.message }] : [];
  });
const remove = (lines: HistoryLine[], line: HistoryLine): void => void lines.splice(lines.indexOf(line), 1);
const after = (lines: HistoryLine[], line: HistoryLine, ...more: HistoryLine[]): void =>
  void lines.splice(lines.indexOf(line) + 1, 0, ...more);
const inOrder = (lines: HistoryLine[]): void => void lines.sort((a, b) => a.t - b.t);
const some = <T>(found: T | undefined, spoil: (found: T) => unknown): boolean => {
  if (found === undefined) return false;
  spoil(found);
  return true;
};
/** Who a message is, without where it stands. */
const who = ({ id, sender, clientId, hash, deleted, edited }: Shown) => ({
  id,
  sender,
  clientId,
  hash,
  deleted,
  edited,
});
const founder = (lines: HistoryLine[], room: string, user: string): boolean =>
  lines.some(
    line => line.phase === "run" && line.what === "room" && line.room === room && line.members.includes(user),
  ) && !asks(lines, "member").some(asked => asked.room === room && asked.who === user);

interface Page {
  asked: Invoke & { op: "history" };
  items: Shown[];
}
const pages = (lines: HistoryLine[]): Page[] =>
  asks(lines, "history").flatMap(asked => {
    const items = okOf(lines, asked.id)?.answer.items;
    return items && founder(lines, asked.room, asked.user) ? [{ asked, items }] : [];
  });
/** Whether its sender, or this client, knew the message before a time. */
const acked = (lines: HistoryLine[], id: string, t: number): boolean =>
  lines.some(line => line.phase === "ok" && line.t < t && line.answer.message?.id === id);
const saw = (lines: HistoryLine[], client: string, id: string, t: number): boolean =>
  events(lines).some(event => event.client === client && event.t < t && event.message?.id === id);
const newest = ({ asked, items }: Page): boolean => asked.before === undefined && items.length < asked.limit;

const early =
  (distance: number) =>
  (lines: HistoryLine[]): boolean => {
    const sent = sends(lines);
    for (const a of sent)
      for (const b of sent) {
        const near = a.asked.room === b.asked.room && b.message.seq - a.message.seq === distance;
        if (!near || a.asked.session === b.asked.session || b.asked.t < a.asked.t) continue;
        const from = a.asked.t - 2;
        const between = lines.some(
          ({ t, ...line }) =>
            t > from - 1 && t <= b.end.t && line.phase === "invoke" && !["send", "subscribe"].includes(line.op),
        );
        const there = lines.some(
          line => line.phase === "seen" && line.what === "open" && line.session === b.asked.session && line.t < from,
        );
        const before = asks(lines, "send").some(
          ({ id, session, t }) => id !== b.asked.id && session === b.asked.session && t > from - 100 && t <= b.asked.t,
        );
        if (between || !there || before) continue;
        b.asked.t = from;
        b.end.t = from + 1;
        inOrder(lines);
        return true;
      }
    return false;
  };

const burst =
  (length: number) =>
  (lines: HistoryLine[]): boolean => {
    const sent = sends(lines);
    for (const { asked } of sent) {
      const together = sent.filter(
        one => one.asked.session === asked.session && one.asked.room === asked.room && one.asked.t === asked.t,
      );
      const doubtful = asks(lines, "send").some(one => one.session === asked.session && !okOf(lines, one.id));
      if (together.length < length || doubtful) continue;
      const places = together.slice(0, length).map(one => lines.indexOf(one.asked));
      together.slice(0, length).forEach((one, i) => (lines[places[length - 1 - i] as number] = one.asked));
      return true;
    }
    return false;
  };

/** The end of the traffic, before all is read. */
const rest = (lines: HistoryLine[]): HistoryLine =>
  lines[lines.findIndex(line => line.phase === "run" && line.what === "healed") - 1] as HistoryLine;
const NEW = 1e9;

const revoked = (lines: HistoryLine[], more: (open: HistoryLine, t: number) => HistoryLine[]): boolean => {
  const revoke = asks(lines, "revoke").find(({ id }) => okOf(lines, id));
  const open = revoke && lines.find(line => line.phase === "seen" && line.what === "open" && line.sid === revoke.sid);
  if (!open) return false;
  const last = rest(lines);
  after(lines, last, ...more(open, last.t + 30_000));
  return true;
};

const event =
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

export const MUTATIONS: readonly Mutation[] = [
  {
    rule: "H1",
    name: "a message is gone from the middle of one final read",
    spoil: lines =>
      some(
        finals(lines).find(({ items }) => items.length > 4),
        ({ items }) => items.splice(2, 1),
      ),
  },
  {
    rule: "H1",
    name: "one final read ends too early",
    spoil: lines =>
      some(
        finals(lines).find(({ items }) => items.length > 4),
        ({ items }) => items.pop(),
      ),
  },
  {
    rule: "H1",
    name: "a page lacks somebody's message that was acknowledged before",
    spoil: lines =>
      some(
        pages(lines).find(
          ({ asked, items }) =>
            items.length > 2 && items[1]?.sender !== asked.user && acked(lines, items[1]?.id ?? "", asked.t),
        ),
        ({ items }) => items.splice(1, 1),
      ),
  },
  {
    rule: "H2",
    name: "one reader sees a text that nobody sent",
    spoil: lines =>
      some(
        events(lines).find(({ message, kind }) => kind === "message" && message && plain(lines, message)),
        ({ message }) => Object.assign(message as Shown, { hash: "forged" }),
      ),
  },
  {
    rule: "H2",
    name: "a send that surely failed is seen",
    spoil: lines =>
      some(
        sends(lines).find(
          ({ message, asked }) =>
            sends(lines).some(
              other =>
                other.message.sender === message.sender &&
                other.asked.room === asked.room &&
                other.message.seq > message.seq,
            ) &&
            plain(lines, message) &&
            events(lines).some(({ message: seen }) => seen?.id === message.id),
        ),
        ({ end }) => {
          lines[lines.indexOf(end)] = { ...end, phase: "fail", code: "UNAVAILABLE" } as HistoryLine;
        },
      ),
  },
  {
    rule: "H2",
    name: "a tombstone that nobody made",
    spoil: lines =>
      some(
        finals(lines)
          .flatMap(({ items }) => items)
          .find(item => plain(lines, item)),
        item => Object.assign(item, { deleted: true, hash: null }),
      ),
  },
  {
    rule: "H2",
    name: "a reaction that nobody gave",
    spoil: lines =>
      some(
        events(lines).find(({ reaction }) => reaction),
        ({ room, offset }) => {
          for (const line of events(lines))
            if (line.room === room && line.offset === offset && line.reaction) line.reaction.emoji = "?";
        },
      ),
  },
  {
    rule: "H3",
    name: "two messages change places in one final read",
    spoil: lines =>
      some(
        finals(lines).find(({ items }) => items.length > 4),
        ({ items }) => {
          const [a, b] = [items[1], items[2]] as [Shown, Shown];
          const was = who(a);
          Object.assign(a, who(b));
          Object.assign(b, was);
        },
      ),
  },
  {
    rule: "H3",
    name: "one reader gets two messages in the other order",
    spoil: event(2, (_lines, run) => {
      const [a, b] = run.map(({ message }) => message) as [Shown, Shown];
      const was = who(a);
      Object.assign(a, who(b));
      Object.assign(b, was);
    }),
  },
  {
    rule: "H4",
    name: "a number was never given",
    spoil: lines =>
      some(
        finals(lines).find(({ items }) => items.length > 5),
        ({ room, items }) => {
          const hole = (items[3] as Shown).seq;
          const shift = (n: number): number => (n >= hole ? n + 1 : n);
          for (const shown of new Set(all(lines, room))) shown.seq = shift(shown.seq);
          for (const line of lines) {
            if (line.phase === "ok")
              for (const unread of line.answer.unread ?? [])
                if (unread.room === room)
                  Object.assign(unread, { lastSeq: shift(unread.lastSeq), readSeq: shift(unread.readSeq) });
            if ("seq" in line && line.room === room) line.seq = shift(line.seq);
            if (line.phase === "invoke" && line.op === "history" && line.room === room) {
              if (line.after !== undefined) line.after = shift(line.after);
              if (line.before !== undefined) line.before = shift(line.before);
            }
          }
        },
      ),
  },
  {
    rule: "H4",
    name: "a read has one message twice",
    spoil: lines =>
      some(
        finals(lines).find(({ items }) => items.length > 4),
        ({ items }) => items.splice(2, 0, { ...(items[2] as Shown) }),
      ),
  },
  {
    rule: "H4",
    name: "a read is in the wrong order",
    spoil: lines =>
      some(
        finals(lines).find(({ items }) => items.length > 4),
        ({ items }) => items.reverse(),
      ),
  },
  { rule: "H5", name: "the next message was acknowledged before this was sent", spoil: early(1) },
  { rule: "H5", name: "a later message was acknowledged before this was sent", spoil: early(2) },
  { rule: "H6", name: "two sends of one socket are numbered the other way round", spoil: burst(2) },
  { rule: "H6", name: "a burst of one socket is numbered backwards", spoil: burst(4) },
  {
    rule: "H7",
    name: "one clientId became two messages",
    spoil: lines => {
      const sent = sends(lines).filter(({ message }) => plain(lines, message));
      const pair = sent.flatMap(a =>
        sent
          .filter(b => b !== a && a.asked.user === b.asked.user && a.asked.room === b.asked.room && a.end.t < b.asked.t)
          .map(b => [a, b] as const),
      )[0];
      return some(pair, ([a, b]) => {
        Object.assign(b.asked, { clientId: a.asked.clientId, hash: a.asked.hash });
        for (const shown of all(lines, a.asked.room))
          if (shown.id === b.message.id) Object.assign(shown, { clientId: a.asked.clientId, hash: a.asked.hash });
      });
    },
  },
  {
    rule: "H7",
    name: "a send is answered with another message",
    spoil: lines => {
      const sent = sends(lines);
      return some(
        sent.flatMap(a =>
          sent
            .filter(
              b =>
                a.asked.user === b.asked.user &&
                a.asked.room === b.asked.room &&
                b.end.t < a.asked.t &&
                plain(lines, b.message),
            )
            .map(b => [a, b] as const),
        )[0],
        ([a, b]) => (a.end.answer.message = { ...b.message }),
      );
    },
  },
  {
    rule: "H7",
    name: "a repeat with the same content is a conflict",
    spoil: lines =>
      some(lines.find(line => line.phase === "ok" && line.answer.duplicate) as Ok | undefined, end => {
        const { answer: _answer, ...line } = end;
        lines[lines.indexOf(end)] = { ...line, phase: "fail", code: "CONFLICT" } as HistoryLine;
      }),
  },
  { rule: "H8", name: "an event never comes", spoil: event(1, (lines, [line]) => remove(lines, line as Event)) },
  {
    rule: "H8",
    name: "an event comes twice",
    spoil: event(1, (lines, [line]) => after(lines, line as Event, { ...(line as Event) })),
  },
  {
    rule: "H8",
    name: "two events come in the wrong order",
    spoil: event(2, (lines, [a, b]) => {
      const [i, j] = [lines.indexOf(a as Event), lines.indexOf(b as Event)];
      const t = (a as Event).t;
      Object.assign(a as Event, { t: (b as Event).t });
      Object.assign(b as Event, { t });
      [lines[i], lines[j]] = [b as Event, a as Event];
    }),
  },
  {
    rule: "H8",
    name: "the last event never comes",
    spoil: lines =>
      some(
        events(lines).findLast(
          ({ session, kind, message, room }) =>
            kind === "message" &&
            message &&
            finals(lines).some(read => read.room === room) &&
            !lines.some(line => line.phase === "seen" && line.what === "close" && line.session === session) &&
            !lines.some(line => line.phase === "invoke" && line.op === "unsubscribe" && line.session === session) &&
            events(lines).every(other => other.room !== room || other.offset <= message.offset),
        ),
        line => remove(lines, line),
      ),
  },
  {
    rule: "H9",
    name: "one's own newest message is not in the page",
    spoil: lines =>
      some(
        pages(lines).find(
          page =>
            newest(page) &&
            page.items.length > 1 &&
            page.items.at(-1)?.sender === page.asked.user &&
            acked(lines, page.items.at(-1)?.id ?? "", page.asked.t),
        ),
        ({ items }) => items.pop(),
      ),
  },
  {
    rule: "H9",
    name: "one's own message is missing between others",
    spoil: lines =>
      some(
        pages(lines).flatMap(({ asked, items }) =>
          items
            .slice(1, -1)
            .filter(item => item.sender === asked.user && acked(lines, item.id, asked.t))
            .map(item => [items, item] as const),
        )[0],
        ([items, item]) => items.splice(items.indexOf(item), 1),
      ),
  },
  ...[1, 2].map((length): Mutation => ({
    rule: "H10",
    name: `a client reads ${length} less than it has seen`,
    spoil: lines =>
      some(
        pages(lines).find(
          page =>
            newest(page) &&
            page.items.length > length &&
            page.items
              .slice(-length)
              .every(({ sender, id }) => sender !== page.asked.user && saw(lines, page.asked.client, id, page.asked.t)),
        ),
        ({ items }) => items.splice(-length),
      ),
  })),
  {
    rule: "H11",
    name: "a count of unread is one too high",
    spoil: lines =>
      some(lines.findLast(line => line.phase === "ok" && line.answer.unread?.length) as Ok | undefined, ({ answer }) =>
        answer.unread?.forEach(unread => unread.unread++),
      ),
  },
  {
    rule: "H11",
    name: "a read mark fell",
    spoil: lines =>
      some(
        (lines.filter(line => line.phase === "ok" && line.answer.unread) as Ok[]).flatMap(({ user, t, answer }) =>
          (answer.unread ?? []).filter(
            ({ room, readSeq }) =>
              readSeq > 1 &&
              sends(lines).some(
                ({ asked, end, message }) =>
                  asked.room === room && asked.user === user && end.t < t - 1_000 && message.seq === readSeq,
              ),
          ),
        )[0],
        unread => unread.readSeq--,
      ),
  },
  {
    rule: "H11",
    name: "a read message is said to be sent only",
    spoil: lines => {
      const oks = lines.filter(line => line.phase === "ok" && line.answer.receipts) as Ok[];
      for (const {
        id,
        answer: { receipts = {} },
      } of oks) {
        const asked = asks(lines, "receipts").find(one => one.id === id);
        for (const user of Object.keys(receipts)) {
          const mine = sends(lines).filter(
            one => one.asked.user === user && one.asked.room === asked?.room && one.end.t < asked.t,
          );
          const seq = asked && all(lines, asked.room).find(shown => shown.id === asked.message)?.seq;
          if (seq !== undefined && mine.some(({ message }) => message.seq > seq)) {
            receipts[user] = "sent";
            return true;
          }
        }
      }
      return false;
    },
  },
  {
    rule: "H12",
    name: "who was taken out gets one event more",
    spoil: lines =>
      some(
        (
          lines.filter(line => line.phase === "seen" && line.what === "unsub") as (Observed & { what: "unsub" })[]
        ).flatMap(cut => {
          const own = events(lines).findLast(
            line => line.session === cut.session && line.room === cut.room && line.t <= cut.t,
          );
          const next = events(lines).find(
            line => line.room === cut.room && line.kind === "message" && line.offset === (own?.offset ?? 0) + 1,
          );
          return next ? [[cut, next] as const] : [];
        })[0],
        ([cut, next]) => {
          const { client, user, session, door } = cut;
          lines.push({ ...structuredClone(next), client, user, session, door, t: Math.max(cut.t, next.t) });
          inOrder(lines);
        },
      ),
  },
  ...(["history", "subscribe"] as const).map((op): Mutation => ({
    rule: "H12",
    name: `${op} is answered long after somebody was taken out`,
    spoil: lines => {
      const changes = asks(lines, "member");
      const out = changes.find(
        ({ id, change, room, who: user }) =>
          change === "remove" &&
          okOf(lines, id) &&
          !changes.some(other => other.room === room && other.who === user && other.change === "join" && other.id > id),
      );
      if (!out) return false;
      const { room } = out;
      const last = rest(lines);
      const line = { client: "x", user: out.who, session: "x", door: "ws://a", id: NEW };
      const asked =
        op === "history" ? { op, room, limit: 1, before: 1 } : { op, rooms: { [room]: null }, epoch: null, n: null };
      const answer: Answer = op === "history" ? { items: [] } : { rooms: { [room]: { state: "live", offset: NEW } } };
      const t = last.t + 30_000;
      after(lines, last, { ...line, ...asked, t, phase: "invoke" }, { ...line, t: t + 1, phase: "ok", answer });
      return true;
    },
  })),
  {
    rule: "H13",
    name: "a deleted text is read",
    spoil: lines =>
      some(
        finals(lines)
          .flatMap(({ items }) => items)
          .find(
            item =>
              item.deleted && asks(lines, "delete").some(({ message, id }) => message === item.id && okOf(lines, id)),
          ),
        item =>
          Object.assign(item, {
            deleted: false,
            edited: false,
            hash: asks(lines, "send").find(({ clientId, user }) => clientId === item.clientId && user === item.sender)
              ?.hash,
          }),
      ),
  },
  {
    rule: "H13",
    name: "a text is read as it was before an edit",
    spoil: lines =>
      some(
        finals(lines)
          .flatMap(({ items }) => items)
          .find(
            item =>
              item.edited &&
              asks(lines, "edit")
                .filter(({ message }) => message === item.id)
                .every(({ id }) => okOf(lines, id)),
          ),
        item =>
          Object.assign(item, {
            edited: false,
            hash: asks(lines, "send").find(({ clientId, user }) => clientId === item.clientId && user === item.sender)
              ?.hash,
          }),
      ),
  },
  {
    rule: "H13",
    name: "a tombstone has a text",
    spoil: lines =>
      some(
        finals(lines)
          .flatMap(({ items }) => items)
          .find(({ deleted }) => deleted),
        item => (item.hash = "body"),
      ),
  },
  {
    rule: "H14",
    name: "somebody with an open socket is offline",
    spoil: lines =>
      some(
        lines.find(line => line.phase === "ok" && line.answer.presence) as Ok | undefined,
        ({ answer: { presence = {} } }) =>
          (presence[Object.keys(presence).find(user => presence[user] === "online") as string] = "offline"),
      ),
  },
  {
    rule: "H14",
    name: "somebody without a socket is online",
    spoil: lines =>
      some(
        lines.find(line => line.phase === "ok" && line.answer.presence) as Ok | undefined,
        ({ answer: { presence = {} } }) =>
          (presence[Object.keys(presence).find(user => presence[user] === "offline") as string] = "online"),
      ),
  },
  {
    rule: "H15",
    name: "something is never answered",
    spoil: lines =>
      some(
        asks(lines, "member").find(({ change }) => change === "join"),
        ({ id }) => remove(lines, okOf(lines, id) as Ok),
      ),
  },
  {
    rule: "H15",
    name: "something is answered too late",
    spoil: lines =>
      some(
        lines.findLast(line => line.phase === "ok" && line.answer.unread && line.session === "rest"),
        end => {
          end.t += 12_000;
          inOrder(lines);
        },
      ),
  },
  {
    rule: "H16",
    name: "a revoked session hears something",
    spoil: lines =>
      revoked(lines, ({ client, user, session, door }, t) => [
        { client, user, session, door, t, phase: "seen", what: "presence", who: user, status: "online" },
      ]),
  },
  {
    rule: "H16",
    name: "a revoked session is answered",
    spoil: lines =>
      revoked(lines, ({ client, user, session, door }, t) => [
        { client, user, session, door, t, phase: "invoke", id: NEW, op: "refresh" },
        { client, user, session, door, t: t + 1, phase: "ok", id: NEW, answer: {} },
      ]),
  },
  {
    rule: "H16",
    name: "a revoked session is answered over REST",
    spoil: lines =>
      revoked(lines, ({ client, user, door, ...open }, t) => {
        const bearer = "sid" in open && open.sid !== null ? { bearer: open.sid } : {};
        return [
          { client, user, session: "rest", ...bearer, door, t, phase: "invoke", id: NEW, op: "refresh" },
          { client, user, session: "rest", ...bearer, door, t: t + 1, phase: "ok", id: NEW, answer: {} },
        ];
      }),
  },
];
