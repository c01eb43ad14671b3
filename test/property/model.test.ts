import type { Message } from "../../services/core/model";
import { OPERATIONS, TELLINGS } from "./operations";
import { differences, disagreement } from "./compare";
import { InOrder, type Knowledge } from "./lines/line";
import { Model, type Fetched, type Told } from "./model";
import { planOf } from "./plan";
import { shrunk, without } from "./shrink";

const [ann, bob] = ["ann", "bob"];
const ALL: Knowledge = { everything: true, offsets: true };
const MESSAGES: Knowledge = { everything: false, offsets: false };
const OPTIONS = { phases: 3, steps: 16 };

const message = (seq: number, offset: number, more: Partial<Message> = {}): Message => ({
  id: `m${seq}`,
  channelId: "room",
  senderId: ann as string,
  text: `text ${seq}`,
  attachments: [],
  createdAt: "2026-01-01T00:00:00.000Z",
  seq,
  offset,
  ...more,
});

const event = (offset: number, kind: string, data: object): Told => ({ what: "event", kind, data, offset });
const settings = { id: "room", name: "room", isPrivate: false };

/** Everything that can be told, in one history as bob hears it. */
const TOLD: readonly Told[] = [
  event(2, "member", { userId: ann, change: "role", role: "moderator" }),
  event(3, "message", message(1, 3)),
  event(4, "message", message(2, 4, { mentions: [bob as string] })),
  event(5, "reaction", { messageId: "m1", userId: ann, emoji: "👍", on: true }),
  event(6, "reaction", { messageId: "m1", userId: bob, emoji: "👍", on: true }),
  event(7, "reaction", { messageId: "m1", userId: ann, emoji: "👍", on: false }),
  event(8, "message", message(3, 8, { clientId: "c" })),
  event(9, "edit", message(2, 4, { text: "edited", editedAt: "later", mentions: [bob as string] })),
  event(10, "delete", message(3, 8, { text: "", deletedAt: "later" })),
  event(11, "room", { ...settings, topic: "new" }),
  event(12, "message", message(4, 12)),
  event(13, "pin", { messageId: "m1", userId: ann, on: true }),
  event(14, "message", message(5, 14, { threadId: "m1" })),
  { what: "note", kind: "read", data: { roomId: "room", seq: 4 } },
  { what: "note", kind: "unread", data: { roomId: "room", seq: 2, offset: 12 } },
];

/** What bob can fetch after it. */
const TRUTH: Fetched = {
  head: { offset: 14, seq: 5 },
  messages: [
    message(1, 3, {
      reactions: [{ emoji: "👍", count: 1, users: [bob as string] }],
      pinned: { by: ann as string, at: "later" },
      thread: { replies: 1, lastSeq: 5, lastAt: "2026-01-01T00:00:00.000Z" },
    }),
    message(2, 4, { text: "edited", editedAt: "later", mentions: [bob as string] }),
    message(3, 8, { text: "", deletedAt: "later" }),
    message(4, 12),
    message(5, 14, { threadId: "m1" }),
  ],
  members: [
    { userId: ann as string, role: "moderator" },
    { userId: bob as string, role: "member" },
  ],
  room: { ...settings, topic: "new", role: "member", memberCount: 2 },
  unread: { roomId: "room", unread: 2, mentions: 1, lastSeq: 5, readSeq: 4, unreadFrom: 2 },
  pins: [],
  threads: [],
  rooms: ["room"],
};

function bobs(told: readonly Told[]): Model {
  const model = new Model(bob as string, TELLINGS);
  const members = [ann, bob].map(userId => ({ userId: userId as string, role: "member" }));
  const unread = { ...TRUTH.unread!, readSeq: 0, unreadFrom: undefined };
  model.begin({ ...TRUTH, head: { offset: 1, seq: 0 }, messages: [], members, room: settings, unread });
  for (const one of told) model.take(one);
  return model;
}

const changed = (seq: number, more: Partial<Message>): Fetched => ({
  ...TRUTH,
  messages: TRUTH.messages.map(one => (one.seq === seq ? { ...one, ...more } : one)),
});

const lost = (kind: string, nth = 0): readonly Told[] => {
  const meant = TOLD.filter(told => told.what !== "reset" && told.what !== "cut" && told.kind === kind)[nth];
  return TOLD.filter(told => told !== meant);
};

describe("what was told against what is fetched", () => {
  test("is the same where nothing is wrong, also if all of it is told again as a replay tells it", () => {
    expect(differences(bobs(TOLD), TRUTH, ALL)).toEqual([]);
    const now = new Map(TRUTH.messages.map(one => [one.id, one]));
    const replayed = TOLD.map(told =>
      told.what === "event" && now.has(told.data.id) ? { ...told, data: now.get(told.data.id) } : told,
    );
    expect(differences(bobs([...TOLD, ...replayed]), TRUTH, ALL)).toEqual([]);
    const late = bobs([]);
    late.begin(TRUTH);
    for (const told of TOLD) late.take(told);
    expect(differences(late, TRUTH, ALL)).toEqual([]);
  });

  test.each<[string, readonly Told[], RegExp]>([
    ["a message", lost("message", 3), /message 4 is not known/],
    ["an edit", lost("edit"), /message 2: .*text 2.*edited/],
    ["a deletion", lost("delete"), /message 3/],
    ["a reaction", lost("reaction", 1), /message 1/],
    ["that a reaction was taken away", lost("reaction", 2), /message 1/],
    ["a role", lost("member"), /members/],
    ["settings", lost("room"), /settings/],
    ["one's own mark", lost("read"), /unread/],
    ["what was marked unread", lost("unread"), /unread/],
    ["a pin", lost("pin"), /message 1/],
    ["a reply in a thread", lost("message", 4), /message 1: .*message 5 is not known/s],
  ])("differs where %s was not told", (_, told, expected) => {
    expect(differences(bobs(told), TRUTH, ALL).join("\n")).toMatch(expected);
  });

  test.each<[string, Fetched, RegExp]>([
    ["counts a reaction twice", changed(1, { reactions: [{ emoji: "👍", count: 2, users: ["bob"] }] }), /message 1/],
    ["shows the text from before an edit", changed(2, { text: "text 2" }), /message 2/],
    ["has forgotten when it was edited", changed(2, { editedAt: undefined }), /message 2/],
    ["counts a deleted message as unread", { ...TRUTH, unread: { ...TRUTH.unread!, unread: 3 } }, /unread/],
    ["counts no mention", { ...TRUTH, unread: { ...TRUTH.unread!, mentions: 0 } }, /unread/],
    ["has lost a message", { ...TRUTH, messages: TRUTH.messages.slice(1) }, /message 1 is not in the history/],
    ["has one twice", { ...TRUTH, messages: [TRUTH.messages[0]!, ...TRUTH.messages] }, /number 2 of the history/],
    ["has lost a member", { ...TRUTH, members: TRUTH.members.slice(1) }, /members/],
    ["says another number of members", { ...TRUTH, room: { ...TRUTH.room, memberCount: 3 } }, /memberCount/],
  ])("differs where the server %s", (_, fetched, expected) => {
    expect(differences(bobs(TOLD), fetched, ALL).join("\n")).toMatch(expected);
  });

  test("of messages alone says nothing of what its wire does not tell", () => {
    expect(differences(bobs(lost("member")), TRUTH, MESSAGES)).toEqual([]);
    expect(differences(bobs(lost("edit")), TRUTH, MESSAGES)).toHaveLength(1);
  });

  test("two ways to read are told apart", () => {
    expect(disagreement(["page", TRUTH.messages], ["after", [...TRUTH.messages]])).toEqual([]);
    expect(disagreement(["page", TRUTH.messages], ["after", TRUTH.messages.slice(1)])).toHaveLength(1);
  });

  test("what nobody can have told is found at once: an unknown kind, a reaction to nothing, a hole, a repeat", () => {
    expect(bobs([event(2, "unheard-of", {})]).faults).toHaveLength(1);
    expect(bobs([event(2, "reaction", { messageId: "m9", userId: ann, emoji: "x", on: true })]).faults).toHaveLength(1);
    const order = new InOrder(null);
    for (const seq of [4, 5, 7, 7]) order.took(seq);
    expect(order.broken).toHaveLength(2);
    const hiding = new InOrder(4, seq => seq === 5 || seq === 6);
    for (const seq of [7, 9, 8]) hiding.took(seq);
    expect(hiding.broken).toEqual(["message 9 came after 7", "message 8 came after 9"]);
  });
});

describe("who was silenced", () => {
  const told = (...events: Told[]): Model => {
    const model = new Model(bob as string, TELLINGS);
    for (const one of events) model.take(one);
    return model;
  };
  const muted = (offset: number, change: "mute" | "unmute"): Told => event(offset, "member", { userId: ann, change });

  test("said nothing until it was taken back; before and after, and others, may", () => {
    const { silences, members } = told(muted(4, "mute"), muted(8, "unmute"));
    const said = [3, 6, 9].map((offset, n) => message(n + 1, offset));
    expect(silences.brokenBy(said)).toEqual(["message 2 was sent though entry 4 had silenced ann"]);
    expect(silences.brokenBy(said.map(one => ({ ...one, senderId: bob as string })))).toEqual([]);
    expect([silences.of(ann as string), members.has(ann as string)]).toEqual([false, false]);
  });

  test("may come back so, and everybody is in an archived room", () => {
    const back = event(5, "member", { userId: ann, change: "join", role: "member", muted: true });
    const { silences } = told(back, event(7, "room", { ...settings, archivedAt: "now" }), event(9, "room", settings));
    expect(silences.of(ann as string)).toBe(true);
    const said = [6, 8, 10].map((offset, n) => message(n + 1, offset, { senderId: bob as string }));
    expect(silences.brokenBy(said)).toEqual(["message 2 was sent though entry 7 had silenced *"]);
    expect(silences.brokenBy([message(9, 6)])).toHaveLength(1);
  });
});

describe("a plan", () => {
  test("follows from its seed alone, and every operation has its share", () => {
    expect(planOf(7, OPERATIONS, OPTIONS)).toEqual(planOf(7, OPERATIONS, OPTIONS));
    expect(planOf(7, OPERATIONS, OPTIONS)).not.toEqual(planOf(8, OPERATIONS, OPTIONS));
    const drawn = new Set(
      Array.from({ length: 60 }, (_, seed) => planOf(seed, OPERATIONS, OPTIONS))
        .flatMap(({ phases }) => phases.flat())
        .map(({ op }) => op),
    );
    expect([...drawn].sort()).toEqual(OPERATIONS.map(({ name }) => name).sort());
  });

  test("that fails is made smaller as long as it fails", async () => {
    const plan = planOf(3, OPERATIONS, OPTIONS);
    const steps = plan.phases.flat();
    expect(without(plan, 1, 2).phases.flat()).toEqual([steps[0], ...steps.slice(3)]);
    const guilty = steps[5];
    const least = await shrunk({ plan, differences: ["it"] }, async tried => [
      { plan: tried, differences: tried.phases.flat().includes(guilty!) ? ["it"] : [] },
    ]);
    expect(least.plan.phases.flat()).toEqual([guilty]);
  });
});
