import { join } from "node:path";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { LIMITS } from "../../../services/core/limits";
import type { RoomRole } from "../../../services/core/permissions";
import { RoomChanges } from "../../../services/rooms/changes";
import { Decisions } from "../../../services/rooms/decisions";
import { MEMBERS, ROOMS, type StoredMember, type StoredRoom } from "../../../services/rooms/room";
import { Rooms } from "../../../services/rooms/rooms";
import { Sanctions } from "../../../services/rooms/sanctions";
import { codeOf, identity, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";
import { ground, openStore, type FaultyStore } from "../messages/ground";

const names = async (ids: string[]) => ids.map(id => ({ id, username: id }));
const PEOPLE = { names, standing: async () => [] };
const FOR_EVER = { until: null, reason: null };

let database: SqliteDatabase;
let messages: FaultyStore;
let members: Documents<StoredMember>;
let changes: RoomChanges;
let rooms: Rooms;
let sanctions: Sanctions;
let clock: TestClock;
/** Who is deactivated. */
let away: Set<string>;
const owner = identity();

beforeEach(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "rooms.db"));
  messages = await openStore();
  clock = new TestClock();
  away = new Set();
  const store = await openDocuments<StoredRoom>(database, ROOMS);
  members = await openDocuments<StoredMember>(database, MEMBERS);
  const { log } = ground(messages);
  changes = new RoomChanges(
    ...([store, members, log.append.bind(log), clock, { ...LIMITS, start: async () => undefined }] as const),
    { present: async users => users.filter(user => !away.has(user)) },
  );
  const decisions = new Decisions(store, members, changes, clock);
  rooms = new Rooms(store, members, changes, clock, LIMITS, decisions);
  sanctions = new Sanctions(members, decisions, clock, LIMITS);
});
afterEach(() => database.close());

/** A room with the owner and these, in the order they came; names stand for users. */
type Guise = Partial<Record<"muted" | "away", true>> & { role?: RoomRole };

async function room(others: Record<string, Guise>) {
  const { id } = await rooms.createChannel(owner.id, { name: `r-${identity().id}`, isPrivate: true });
  const users = new Map<string, string>();
  for (const [name, { role = "member", muted, away: absent }] of Object.entries(others)) {
    const user = identity().id;
    users.set(name, user);
    clock.advance(1);
    await rooms.addMember(owner, id, user, role === "owner" ? "member" : role, names);
    if (muted) await sanctions.mute(owner, id, user, FOR_EVER);
    if (role === "owner") await members.update(`${id}:${user}`, known => ({ ...known, role }));
    if (absent) away.add(user);
  }
  const facts = async () => {
    const found = await members.find({ where: { room: id, state: "member" }, sort: "joinedAt" });
    const nameOf = (user: string) => [...users].find(([, known]) => known === user)?.[0] ?? "owner";
    return Object.fromEntries(found.map(({ user, role, mutedUntil }) => [nameOf(user), mutedUntil ? "muted" : role]));
  };
  return { id, facts };
}

describe("whose a room is when its owner goes", () => {
  const heirs: [string, Record<string, Guise>, string][] = [
    ["a moderator before a member who was there first", { a: {}, b: { role: "moderator" } }, "b"],
    ["the longest-standing of them", { a: {}, b: {} }, "a"],
    ["the muted behind all others", { a: { role: "moderator", muted: true }, b: {} }, "b"],
    ["a muted one where nobody else is, who is heard then", { a: { muted: true }, b: { role: "guest" } }, "a"],
    ["who is there before who is deactivated", { a: { role: "moderator", away: true }, b: { muted: true } }, "b"],
    ["a guest behind everybody", { a: { role: "guest" }, b: { away: true } }, "b"],
    ["a guest where nobody else is", { a: { role: "guest" } }, "a"],
    [
      "a moderator where the other owner is deactivated",
      { a: { role: "owner", away: true }, b: { role: "moderator" } },
      "b",
    ],
    ["an owner who was muted is heard again", { a: { role: "owner", muted: true }, b: { role: "moderator" } }, "a"],
  ];
  test.each(heirs)("%s", async (_what, others, heir) => {
    const { id, facts } = await room(others);
    await rooms.leave(owner, id);
    expect((await facts())[heir]).toBe("owner");
  });

  test("nobody new where an owner stays", async () => {
    const { id, facts } = await room({ a: { role: "moderator" }, b: { role: "owner" } });
    await rooms.leave(owner, id);
    expect(await facts()).toEqual({ a: "moderator", b: "owner" });
  });
});

describe("a room of an owner who is deactivated", () => {
  test("goes to a member, once, also where the first try was cut off", async () => {
    const { id, facts } = await room({ a: {} });
    away.add(owner.id);
    messages.faults.push("failed");
    expect(await codeOf(rooms.handOver(owner.id))).toBe("UNKNOWN_OUTCOME");
    clock.advance(2_000);
    expect(await changes.sweep(50, () => undefined)).toBe(1);
    for (let twice = 0; twice < 2; twice++) await rooms.handOver(owner.id);
    expect(await facts()).toEqual({ owner: "moderator", a: "owner" });
    expect((await messages.events(id, 0, 100, 1e6)).filter(({ data }) => data.includes('"role"'))).toHaveLength(4);
  });

  test("stays his where nobody else could run it, and where he is active again", async () => {
    const { facts } = await room({ a: { role: "guest" }, b: { away: true } });
    const other = await room({ a: {} });
    await rooms.handOver(owner.id);
    expect(await other.facts()).toEqual({ owner: "owner", a: "member" });
    away.add(owner.id);
    await rooms.handOver(owner.id);
    expect(await facts()).toEqual({ owner: "owner", a: "guest", b: "member" });
    expect(await other.facts()).toEqual({ owner: "moderator", a: "owner" });
  });

  test("nobody bans who runs the installation", async () => {
    const { id } = await room({});
    const ban = (permissions: "channels.manage"[]) =>
      sanctions.ban(owner, id, identity().id, FOR_EVER, { ...PEOPLE, standing: async () => permissions });
    expect(await codeOf(ban(["channels.manage"]))).toBe("FORBIDDEN");
    expect(await ban([])).toBe(true);
  });
});
