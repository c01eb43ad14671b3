import { messageOf, personOf, pinsOf, plainText, timeOf, type SlackMessage } from "../../../../config/import/slack";
import type { SourceMessage } from "../../../../config/import/source";

const nameOf = (user: string): string => ({ U1: "ann", U2: "bo" })[user] ?? user.toLowerCase();
const TS = "1355517523.000005";
const take = (raw: SlackMessage) => messageOf({ type: "message", user: "U1", ts: TS, ...raw }, "C1", nameOf);
const message = (raw: SlackMessage): SourceMessage => {
  const { message: found, skipped } = take(raw);
  if (!found) throw new Error(skipped);
  return found;
};

describe("a Slack message", () => {
  it("keeps date and sender, and a key of channel and ts", () => {
    expect(message({ text: "hi" })).toEqual({
      key: "slack-C1-1355517523_000005",
      sender: "U1",
      text: "hi",
      createdAt: "2012-12-14T20:38:43.000Z",
      reactions: [],
      files: [],
    });
    expect(timeOf("1355517527.120000")).toBe("2012-12-14T20:38:47.120Z");
    expect(["", "now", "-1", undefined].map(timeOf)).toEqual([null, null, null, null]);
  });

  it.each([
    ["<@U1> and <@U2|bo>", "@ann and @bo"],
    ["&lt;b&gt; &amp;amp;", "<b> &amp;"],
    ["<https://a.example/?x=1&amp;y=2>", "https://a.example/?x=1&y=2"],
    ["<https://a.example|here> <https://a.example|https://a.example>", "here (https://a.example) https://a.example"],
    ["<mailto:a@b.example|a@b.example>", "a@b.example"],
    ["<#C2|general> <#C3>", "#general #C3"],
    ["<!here> <!channel> <!subteam^S1|@ops> <!date^1^{date}|today>", "@here @channel @ops today"],
    ["no <mark", "no <mark"],
  ])("shows %s as %s", (text, shown) => {
    expect(plainText(text, nameOf)).toBe(shown);
  });

  it("is a reply in its thread, unless it is the root; that it was shown in the room too is lost", () => {
    const reply = message({ text: "r", thread_ts: "1355517000.000001" });
    expect(reply).toMatchObject({ thread: "slack-C1-1355517000_000001" });
    for (const none of [reply.answers, reply.lost, message({ text: "r", thread_ts: TS }).thread])
      expect(none).toBeUndefined();
    const told = message({ text: "r", subtype: "thread_broadcast", thread_ts: "1355517000.000001" });
    expect(told).toMatchObject({
      thread: reply.thread,
      lost: { "replies shown in the room too: in their thread alone": 1 },
    });
  });

  it("is pinned where the list of channels or the message itself says so, by its sender if nobody is named", () => {
    const pins = pinsOf({
      id: "C1",
      pins: [
        { id: TS, type: "C", created: 1355517600, user: "U2" },
        { id: "F1", type: "F", created: 1355517600 },
      ],
    });
    expect([...pins.keys()]).toEqual([TS]);
    const listed = messageOf({ type: "message", user: "U1", ts: TS, text: "x" }, "C1", nameOf, pins).message;
    expect(listed?.pinned).toEqual({ by: "U2", at: "2012-12-14T20:40:00.000Z" });
    const told = { channel: "C1", pinned_by: "U2", pinned_ts: 1355517600 };
    expect(message({ text: "x", pinned_to: ["C1"], pinned_info: told }).pinned).toEqual(listed?.pinned);
    expect(message({ text: "x", pinned_to: ["C1"] }).pinned).toEqual({ at: "2012-12-14T20:38:43.000Z" });
    expect(message({ text: "x", pinned_to: ["C2"] }).pinned).toBeUndefined();
    expect(message({ subtype: "tombstone", pinned_to: ["C1"] }).pinned).toBeUndefined();
  });

  it("of a program has a sender of its name; of a guest of another workspace one of his", () => {
    expect(message({ user: undefined, subtype: "bot_message", bot_id: "B1", username: "CI", text: "x" }).sender).toBe(
      "bot B1",
    );
    expect(take({ user: undefined, text: "x" })).toEqual({ skipped: "without a sender" });
  });

  it("has reactions as emoji or short names; what is lost of them is counted", () => {
    const reactions = [
      { name: "+1", users: ["U1"], count: 4 },
      { name: "thumbsup::skin-tone-2", users: ["U1", "U2"], count: 2 },
      { name: "party_parrot", users: ["U2"], count: 1 },
      { name: "ÄÖ", users: ["U2"], count: 1 },
    ];
    const found = message({ text: "x", reactions });
    expect(found.reactions).toEqual([
      { emoji: "👍", people: ["U1", "U2"] },
      { emoji: ":party_parrot:", people: ["U2"] },
    ]);
    expect(found.lost).toEqual({
      "reactions of people the export does not name": 3,
      "emoji of another name": 1,
    });
  });

  it("names its files, without the token that their links carry", () => {
    const files = [{ name: "a.pdf", url_private: "https://files.slack.com/a.pdf?pub=1&t=xoxe-1" }, { title: "gone" }];
    expect(message({ text: "", files }).files).toEqual([
      { name: "a.pdf", url: "https://files.slack.com/a.pdf?pub=1" },
      { name: "gone" },
    ]);
  });

  it("that was deleted says nothing any more", () => {
    const found = message({ subtype: "tombstone", hidden: true, text: "This message was deleted." });
    expect(found).toMatchObject({ text: "", deletedAt: found.createdAt, files: [], reactions: [] });
  });

  it.each([
    [{ subtype: "channel_join", text: "x" }, "notice of Slack: channel_join"],
    [{ subtype: "novelty", text: "x" }, "unknown subtype: novelty"],
    [{ type: "canvas", text: "x" }, "no message but canvas"],
    [{ ts: "soon", text: "x" }, "without a time"],
    [{ text: "" }, "empty"],
    [{ text: "x", hidden: true }, "hidden"],
  ])("that is none is passed over, and says why", (raw, reason) => {
    expect(take(raw)).toEqual({ skipped: reason });
  });
});

it("somebody of Slack gets a user name that may be one here", () => {
  expect(personOf({ id: "U3", name: "zoë & co", profile: { real_name: "Zoë\nCo" } })).toEqual({
    key: "U3",
    username: "zoe-co",
    displayName: "Zoë Co",
  });
  expect(personOf({ id: "U4", name: "李" }).username).toBe("user-unknown");
});
