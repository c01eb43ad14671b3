import type { HistoryLine } from "../history";
import { all, asks, okOf, plain, sends, some, type Mutation, type Ok } from "./mutation";

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

/** Sends and their repeats: H6 and H7. */
export const SENDS: readonly Mutation[] = [
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
];
