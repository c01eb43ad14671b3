import { check } from "../../judge/check";
import type { HistoryLine } from "../../judge/history";

/** Two devices of one user, each with a socket of its own, welcomed at the third entry of his feed. */
const devices = ["a", "b"].map(client => ({ client, user: "u", session: `s-${client}`, door: "ws://a" }));
const begun = devices.flatMap((who, id): HistoryLine[] => [
  { t: 1, ...who, phase: "seen", what: "open", sid: null },
  { t: 2, ...who, phase: "invoke", id, op: "subscribe", rooms: {}, epoch: null, n: null },
  { t: 3, ...who, phase: "ok", id, answer: { rooms: {}, epoch: "e", n: 3, feed: "live" } },
]);
const note = (of: number, t: number, n: number, kind = "read"): HistoryLine => ({
  ...{ client: "", user: "", session: "", door: "" },
  ...devices[of],
  ...{ t, phase: "seen", what: "user", n, kind },
});
const rest: HistoryLine[] = [
  { t: 100, client: "x", user: "x", session: "rest", door: "http://a", phase: "invoke", id: 9, op: "final", room: "r" },
];
const judged = (...notes: HistoryLine[]): object => check([...begun, ...notes, ...rest]).broken;

describe("H8 of a user's own feed", () => {
  it("is kept where every device gets every entry once and in order, or a reset", () => {
    expect(judged(note(0, 4, 4), note(1, 5, 4), note(0, 6, 5), note(1, 7, 9, "reset"), note(0, 8, 9, "reset"))).toEqual(
      {},
    );
  });

  it.each([
    ["an entry is lost", [note(0, 4, 4), note(1, 4, 5)]],
    ["an entry comes twice", [note(0, 4, 4), note(0, 5, 4), note(1, 6, 4)]],
    ["the last entry never comes to one of the devices", [note(0, 4, 4)]],
  ])("is broken where %s", (_what, notes) => {
    expect(judged(...notes)).toHaveProperty("H8");
  });
});
