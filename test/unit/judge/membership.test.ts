import { check } from "../../judge/check";
import type { HistoryLine } from "../../judge/history";

const who = (user: string) => ({ client: user, user, session: `s-${user}`, door: "ws://a" });
const run = { client: "", user: "", session: "", door: "" };
const room = "r";
const made: HistoryLine[] = [
  { t: 0, ...run, phase: "run", what: "room", room, members: ["ann", "bob"], open: true, public: false },
  { t: 1, ...who("ann"), phase: "invoke", id: 1, op: "subscribe", rooms: { r: null }, epoch: null, n: null },
  {
    ...{ t: 2, ...who("ann"), phase: "ok", id: 1 },
    answer: { rooms: { r: { state: "live", offset: 2 } }, epoch: "e", n: 0, feed: "live" },
  },
];
const entry = (offset: number): HistoryLine & object => ({
  ...{ t: 10 + offset, ...who("ann"), phase: "seen", what: "event", room, offset, kind: "member" },
});
const removed = (offset: number, user: string) => ({ ...entry(offset), member: { user, change: "remove" } });
const said = (offset: number, sender: string) => ({
  ...entry(offset),
  kind: "message",
  message: {
    ...{ id: `m${offset}`, offset, seq: offset, sender, clientId: null, hash: "h" },
    ...{ deleted: false, edited: false },
  },
});
const judged = (...lines: object[]): number | undefined => check([...made, ...(lines as HistoryLine[])]).broken["H12"];

describe("H12 of who writes", () => {
  test("whoever was taken out wrote nothing behind that entry", () => {
    expect(judged(said(3, "bob"), removed(4, "bob"), said(5, "ann"))).toBeUndefined();
    expect(judged(removed(3, "bob"), said(4, "bob"))).toBe(1);
  });
});
