import type { Answer, HistoryLine, Observed } from "../history";
import {
  NEW,
  after,
  all,
  asks,
  events,
  finals,
  inOrder,
  okOf,
  remove,
  rest,
  sends,
  some,
  type Mutation,
  type Ok,
} from "./mutation";

const revoked = (lines: HistoryLine[], more: (open: HistoryLine, t: number) => HistoryLine[]): boolean => {
  const revoke = asks(lines, "revoke").find(({ id }) => okOf(lines, id));
  const open = revoke && lines.find(line => line.phase === "seen" && line.what === "open" && line.sid === revoke.sid);
  if (!open) return false;
  const last = rest(lines);
  after(lines, last, ...more(open, last.t + 30_000));
  return true;
};

/** Marks, members, changes, presence, answers and sessions: H11 to H16. */
export const PEOPLE: readonly Mutation[] = [
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
    rule: "H15",
    name: "something is answered with INTERNAL",
    spoil: lines =>
      some(
        lines.findLast(line => line.phase === "ok" && line.answer.unread),
        end => {
          lines[lines.indexOf(end)] = { ...(end as Ok), phase: "info", code: "INTERNAL" };
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
