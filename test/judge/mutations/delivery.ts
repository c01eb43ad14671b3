import {
  acked,
  after,
  events,
  finals,
  newest,
  pages,
  remove,
  saw,
  some,
  type Event,
  type Mutation,
  event,
} from "./mutation";

/** What comes of itself and what is read: H8 to H10. */
export const DELIVERY: readonly Mutation[] = [
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
];
