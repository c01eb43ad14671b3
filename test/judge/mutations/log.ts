import type { HistoryLine, Shown } from "../history";
import {
  acked,
  all,
  asks,
  events,
  finals,
  inOrder,
  pages,
  plain,
  sends,
  some,
  type Mutation,
  who,
  event,
} from "./mutation";

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

/** What the log promises: H1 to H5. */
export const LOG: readonly Mutation[] = [
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
];
