import { accessOf, FOREVER, type Openness, type Standing } from "../../../services/rooms/access";

const NOW = "2026-06-01T00:00:00.000Z";
const [BEFORE, AFTER] = ["2026-05-31T23:59:59.999Z", "2026-06-01T00:00:00.001Z"];

const open: Openness = { kind: "channel", isPrivate: false, deletedAt: null };
const hidden: Openness = { ...open, isPrivate: true };
const member: Standing = { state: "member", role: "member", visibleFrom: 3 };
const banned = (bannedUntil?: string): Standing => ({
  ...member,
  state: "banned",
  ...(bannedUntil && { bannedUntil }),
});

const look = (room: Openness | undefined, who: Standing | undefined, browses = true) =>
  accessOf("r", room, who, { browses, now: NOW });
const answer = (room: Openness | undefined, who: Standing | undefined, browses = true): string =>
  look(room, who, browses).denied ?? look(room, who, browses).role ?? "reader";

describe("what a user may do in a room", () => {
  it.each([
    ["a stranger who browses", undefined, true, "reader", "NOT_FOUND"],
    ["a stranger who does not", undefined, false, "NOT_FOUND", "NOT_FOUND"],
    ["a member", member, true, "member", "member"],
    ["a member who does not browse", member, false, "member", "member"],
    ["who has left", { ...member, state: "left" as const }, true, "reader", "NOT_FOUND"],
    ["who has left and does not browse", { ...member, state: "left" as const }, false, "NOT_FOUND", "NOT_FOUND"],
    ["who is banned", banned(AFTER), true, "FORBIDDEN", "NOT_FOUND"],
    ["who is banned and does not browse", banned(AFTER), false, "NOT_FOUND", "NOT_FOUND"],
    ["who is banned for ever", banned(FOREVER), true, "FORBIDDEN", "NOT_FOUND"],
    ["who was banned before bans had an end", banned(), true, "FORBIDDEN", "NOT_FOUND"],
    ["whose ban has just ended", banned(NOW), true, "reader", "NOT_FOUND"],
    ["whose ban has ended", banned(BEFORE), false, "NOT_FOUND", "NOT_FOUND"],
  ])("%s", (_, who, browses, inPublic, inPrivate) => {
    expect([answer(open, who, browses), answer(hidden, who, browses)]).toEqual([inPublic, inPrivate]);
    expect(answer({ ...open, deletedAt: BEFORE }, who, browses)).toBe("NOT_FOUND");
    expect(answer(undefined, who, browses)).toBe("NOT_FOUND");
  });

  it("says until when a member is muted, as long as he is", () => {
    const muted = (mutedUntil: string) => look(open, { ...member, mutedUntil }).mutedUntil;
    expect([muted(AFTER), muted(FOREVER), muted(NOW), muted(BEFORE)]).toEqual([AFTER, null, undefined, undefined]);
    expect(look(open, { ...member, state: "left", mutedUntil: FOREVER })).not.toHaveProperty("mutedUntil");
  });

  it("ends the reading of who does not browse with his membership", () => {
    expect([look(open, member, true).open, look(open, member, false).open]).toEqual([true, false]);
  });
});
