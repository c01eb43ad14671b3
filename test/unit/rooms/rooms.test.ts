import Validator from "fastest-validator";
import { join } from "node:path";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { orderBy, where } from "../../../mixins/sqlite/query";
import { LIMITS, type Limits } from "../../../services/core/limits";
import type { Conversation, Member, MemberRange, Page } from "../../../services/core/model";
import { newId } from "../../../services/core/ids";
import { RoomChanges, type Append, type LargeRooms } from "../../../services/rooms/changes";
import { memberId, MEMBERS, ROOMS, type StoredMember, type StoredRoom } from "../../../services/rooms/room";
import type { MemberQuery, People } from "../../../services/rooms/member-list";
import { Rooms } from "../../../services/rooms/rooms";
import RoomsService from "../../../services/rooms/rooms.service";
import { codeOf, identity, TestClock } from "../../support/broker";
import { eventually } from "../../support/eventually";
import { temporaryFolder } from "../../support/temp";
import { ground, openStore, type FaultyStore } from "../messages/ground";

const names = async (ids: string[]) => ids.map(id => ({ id, username: id }));

const EVERY_JOIN: LargeRooms = { ...LIMITS, start: async () => undefined };

let database: SqliteDatabase;
let store: Documents<StoredRoom>;
let members: Documents<StoredMember>;
let messages: FaultyStore;
let clock: TestClock;
let changes: RoomChanges;
let rooms: Rooms;
/** Runs before an entry goes to the log. */
let before: () => Promise<void>;
let reported: string[];

beforeEach(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "rooms.db"));
  store = await openDocuments<StoredRoom>(database, ROOMS);
  members = await openDocuments<StoredMember>(database, MEMBERS);
  messages = await openStore();
  clock = new TestClock();
  before = async () => undefined;
  reported = [];
  const { log } = ground(messages);
  const append: Append = async requests => {
    await before();
    return log.append(requests);
  };
  changes = new RoomChanges(store, members, append, clock, EVERY_JOIN);
  rooms = new Rooms(store, members, changes, clock, LIMITS);
});
afterEach(() => database.close());

const owner = identity();
const ann = identity();
const bob = identity();

const channel = async (name = `c-${newId()}`): Promise<string> =>
  (await rooms.createChannel(owner.id, { name: name })).id;
const sweep = (): Promise<number> => changes.sweep(50, room => reported.push(room));
const roleOf = async (user: { id: string }, room: string): Promise<string | null> =>
  (await rooms.access({ user: user.id, browses: true, rooms: [room] }))[0]?.role ?? null;
const entries = async (room: string, kind: "member" | "room") =>
  (await messages.events(room, 0, 1000, 1e6)).filter(event => event.kind === kind).map(event => JSON.parse(event.data));

describe("changes under way", () => {
  test("an acknowledged join or leave stands while the sweeper looks at aged changes all the time", async () => {
    const room = await channel();
    // Whatever is under way has aged by the time the sweeper looks.
    before = async () => clock.advance(2_000);
    let done = false;
    const sweeper = (async () => {
      while (!done) await Promise.all([sweep(), new Promise(setImmediate)]);
    })();
    for (let round = 0; round < 60; round++) {
      await rooms.join(ann, room);
      expect(await roleOf(ann, room)).toBe("member");
      await rooms.leave(ann, room);
      expect(await roleOf(ann, room)).toBeNull();
    }
    await rooms.join(ann, room);
    done = true;
    await sweeper;
    expect(await roleOf(ann, room)).toBe("member");
    expect(reported).toEqual([]);
    expect((await entries(room, "member")).length).toBe(1 + 60 * 2 + 1);
  });

  test("a sweep that found a leave half done does not repeat it after a new join", async () => {
    const room = await channel();
    await rooms.join(ann, room);
    messages.faults.push("failed");
    await expect(rooms.leave(ann, room)).rejects.toThrow();
    clock.advance(2_000);
    let goOn = (): void => undefined;
    const held = new Promise<void>(resolve => (goOn = resolve));
    const find = store.find.bind(store);
    store.find = async what => {
      const found = await find(what);
      await held;
      return found;
    };
    const sweeping = sweep();
    await rooms.join(ann, room);
    goOn();
    await sweeping;
    expect(await roleOf(ann, room)).toBe("member");
  });

  test("what was left half done is finished by the sweep once it has aged, and told once", async () => {
    const room = await channel();
    messages.faults.push("failed");
    await expect(rooms.join(ann, room)).rejects.toThrow();
    expect(await roleOf(ann, room)).toBeNull();
    expect(await sweep()).toBe(0);
    clock.advance(2_000);
    expect(await sweep()).toBe(1);
    expect(await roleOf(ann, room)).toBe("member");
    expect(await store.get(room)).toMatchObject({ pending: [], pendingSince: null, memberCount: 2 });
    expect(await sweep()).toBe(0);
    expect((await entries(room, "member")).filter(({ userId }) => userId === ann.id)).toHaveLength(1);
  });

  test("one room that fails does not keep the sweep from the others", async () => {
    const [first, second] = [await channel(), await channel()];
    messages.faults.push("failed");
    await expect(rooms.join(ann, first)).rejects.toThrow();
    clock.advance(1);
    messages.faults.push("failed");
    await expect(rooms.join(ann, second)).rejects.toThrow();
    clock.advance(2_000);
    messages.faults.push("failed");
    expect(await sweep()).toBe(1);
    expect(reported).toEqual([first]);
    expect([await roleOf(ann, first), await roleOf(ann, second)]).toEqual([null, "member"]);
  });
});

/** Has the turn of a room until it is let go; `line` resolves when so many wait for theirs. */
function hold(room: string): { line(length: number): Promise<unknown>; letGo(): void } {
  let letGo = (): void => undefined;
  const held = new Promise<void>(resolve => (letGo = resolve));
  void changes.decide(room, async () => {
    await held;
    return null;
  });
  const line = (length: number) =>
    eventually(
      "a line",
      () => changes.waiting,
      waiting => waiting === length,
    );
  return { line, letGo };
}

describe("rights are judged when the change is made", () => {
  test("nobody joins a channel that becomes private before his turn", async () => {
    const room = await channel();
    const turn = hold(room);
    const joining = codeOf(rooms.join(ann, room));
    const closing = rooms.update(owner, room, { isPrivate: true });
    await turn.line(2);
    turn.letGo();
    expect(await joining).toBe("NOT_FOUND");
    await closing;
    expect(await roleOf(ann, room)).toBeNull();
  });

  test("nobody joins, adds or changes anything in a channel that is deleted before his turn", async () => {
    const room = await channel();
    const turn = hold(room);
    const removing = rooms.remove(owner, room);
    await turn.line(1);
    const late = [
      rooms.join(ann, room),
      rooms.addMember(owner, room, bob.id, "member", names),
      rooms.update(owner, room, { topic: "late" }),
      rooms.remove(owner, room),
    ];
    await turn.line(1 + late.length);
    turn.letGo();
    expect(await Promise.all(late.map(codeOf))).toEqual(late.map(() => "NOT_FOUND"));
    await removing;
    expect(await members.count({ where: { room } })).toBe(1);
    expect(await entries(room, "room")).toHaveLength(1);
  });

  test("a moderator who is taken out before his turn neither adds nor removes", async () => {
    const room = await channel();
    await rooms.addMember(owner, room, ann.id, "moderator", names);
    await rooms.join(bob, room);
    const turn = hold(room);
    const taking = rooms.removeMember(owner, room, ann.id);
    await turn.line(1);
    const late = [rooms.addMember(ann, room, newId(), "member", names), rooms.removeMember(ann, room, bob.id)];
    await turn.line(3);
    turn.letGo();
    expect(await Promise.all(late.map(codeOf))).toEqual(["FORBIDDEN", "FORBIDDEN"]);
    await taking;
    expect(await roleOf(bob, room)).toBe("member");
  });
});

describe("roles", () => {
  test("adding a member again without a role leaves the role as it is, the owner's too", async () => {
    const room = await channel();
    await rooms.addMember(owner, room, ann.id, "moderator", names);
    expect(await rooms.addMember(owner, room, ann.id, undefined, names)).toMatchObject({
      member: { role: "moderator" },
    });
    expect(await rooms.addMember(owner, room, owner.id, undefined, names)).toMatchObject({ member: { role: "owner" } });
    expect(await rooms.addMember(owner, room, bob.id, undefined, names)).toMatchObject({ member: { role: "member" } });
    expect(await codeOf(rooms.addMember(owner, room, owner.id, "member", names))).toBe("CONFLICT");
  });

  test("when the last owner leaves, a moderator takes over before longer-standing members", async () => {
    const room = await channel();
    clock.advance(1);
    await rooms.join(bob, room);
    clock.advance(1);
    await rooms.addMember(owner, room, ann.id, "moderator", names);
    await rooms.leave(owner, room);
    expect([await roleOf(owner, room), await roleOf(ann, room), await roleOf(bob, room)]).toEqual([
      null,
      "owner",
      "member",
    ]);
  });

  test("two owners who leave at the same time leave an heir", async () => {
    const room = await channel();
    await rooms.addMember(owner, room, ann.id, "owner", names);
    await rooms.join(bob, room);
    await Promise.all([rooms.leave(owner, room), rooms.leave(ann, room)]);
    expect(await roleOf(bob, room)).toBe("owner");
  });
});

describe("a room that many want to change", () => {
  const crowd = Array.from({ length: 300 }, () => newId());
  /** Decisions stored and appends made from now on. */
  function count(): { decisions: number; appends: number } {
    const made = { decisions: 0, appends: 0 };
    const update = store.update.bind(store);
    store.update = async (id, change) => {
      const { version } = (await store.get(id)) as StoredRoom;
      const after = await update(id, change);
      if (after && after.version > version) made.decisions++;
      return after;
    };
    before = async () => void made.appends++;
    return made;
  }

  test("three hundred who join at once are let in by a few decisions, and told once each", async () => {
    const room = await channel();
    const made = count();
    await Promise.all(crowd.map(user => rooms.join(identity(user), room)));
    expect(made.decisions).toBeLessThan(6);
    // One for the room's log, one for the feeds of all who came.
    expect(made.appends).toBe(2 * made.decisions);
    expect(await store.get(room)).toMatchObject({ memberCount: 301, pending: [] });
    expect(new Set((await entries(room, "member")).map(({ userId }) => userId))).toEqual(new Set([owner.id, ...crowd]));
    expect(await entries(room, "member")).toHaveLength(301);
    await Promise.all(crowd.map(user => rooms.leave(identity(user), room)));
    expect(made.decisions).toBeLessThan(12);
    expect(await store.get(room)).toMatchObject({ memberCount: 1, pending: [] });
  });

  test("what runs the room goes before all who come and go", async () => {
    const room = await channel();
    await rooms.join(bob, room);
    const turn = hold(room);
    const joining = crowd.map(user => rooms.join(identity(user), room));
    const removing = rooms.removeMember(owner, room, bob.id);
    await turn.line(crowd.length + 1);
    turn.letGo();
    await Promise.all([removing, ...joining]);
    const told = (await entries(room, "member")).map(({ userId }) => userId);
    expect(told.slice(0, 3)).toEqual([owner.id, bob.id, bob.id]);
  });

  test("who may not run the room is told at once and keeps nobody waiting", async () => {
    const room = await channel();
    const turn = hold(room);
    const attempts = [
      rooms.removeMember(ann, room, owner.id),
      rooms.update(ann, room, { topic: "mine" }),
      rooms.remove(ann, room),
    ];
    expect(await Promise.all(attempts.map(codeOf))).toEqual(attempts.map(() => "FORBIDDEN"));
    expect(changes.waiting).toBe(0);
    turn.letGo();
  });

  test("a hundred of one user may be under way, others come in all the same, and his last one stands", async () => {
    const room = await channel();
    const turn = hold(room);
    const flood = Array.from({ length: 150 }, (_, at) =>
      codeOf(at % 2 ? rooms.leave(ann, room) : rooms.join(ann, room)),
    );
    const joining = rooms.join(bob, room);
    await turn.line(101);
    turn.letGo();
    const codes = await Promise.all(flood);
    expect(codes.slice(100)).toEqual(codes.slice(100).map(() => "RATE_LIMITED"));
    expect(new Set(codes.slice(0, 100)).has("RATE_LIMITED")).toBe(false);
    await joining;
    expect([await roleOf(ann, room), await roleOf(bob, room)]).toEqual([null, "member"]);
    // Who comes and goes in one decision was never there.
    expect((await entries(room, "member")).filter(({ userId }) => userId === ann.id)).toEqual([]);
  });

  test("each of several wishes of one user is answered by how he stands at its place", async () => {
    const room = await channel();
    await rooms.join(ann, room);
    await rooms.update(owner, room, { isPrivate: true });
    const turn = hold(room);
    const wishes = [rooms.join(ann, room), rooms.leave(ann, room), rooms.join(ann, room)].map(codeOf);
    await turn.line(3);
    turn.letGo();
    const [first, second, third] = await Promise.all(wishes);
    expect(third).toBe("NOT_FOUND");
    expect([first, second]).not.toContain("NOT_FOUND");
    expect(await roleOf(ann, room)).toBeNull();
  });

  test("who goes and comes back in one decision is a plain member, and an heir has his room", async () => {
    const room = await channel();
    await rooms.join(bob, room);
    const turn = hold(room);
    const wishes = [rooms.leave(owner, room), rooms.join(owner, room), rooms.join(ann, room)];
    await turn.line(3);
    turn.letGo();
    await Promise.all(wishes);
    expect(await Promise.all([owner, bob, ann].map(user => roleOf(user, room)))).toEqual(["member", "owner", "member"]);
    expect((await entries(room, "member")).slice(2).map(({ change }) => change)).toEqual([
      "role",
      "leave",
      "join",
      "join",
    ]);
  });

  test("a decision on several people that was carried out by half is finished in its order, and told once", async () => {
    const room = await channel();
    await rooms.join(bob, room);
    let appends = 0;
    before = async () => {
      if (++appends === 3) throw new Error("cut off");
    };
    const turn = hold(room);
    const wishes = [rooms.leave(owner, room), rooms.join(owner, room), rooms.join(ann, room)].map(codeOf);
    await turn.line(3);
    turn.letGo();
    expect(await Promise.all(wishes)).toEqual(wishes.map(() => "UNKNOWN_OUTCOME"));
    expect(await Promise.all([owner, bob, ann].map(user => roleOf(user, room)))).toEqual([null, "owner", null]);
    clock.advance(2_000);
    expect(await sweep()).toBe(1);
    expect(await Promise.all([owner, bob, ann].map(user => roleOf(user, room)))).toEqual(["member", "owner", "member"]);
    const told = (await entries(room, "member")).slice(2).map(({ userId, change }) => [userId, change]);
    expect(told).toEqual([
      [bob.id, "role"],
      [owner.id, "leave"],
      [owner.id, "join"],
      [ann.id, "join"],
    ]);
  });

  test("when all go at once the owner goes last", async () => {
    const room = await channel();
    await Promise.all([rooms.join(ann, room), rooms.join(bob, room)]);
    const turn = hold(room);
    const going = [owner, ann, bob].map(user => rooms.leave(user, room));
    await turn.line(3);
    turn.letGo();
    await Promise.all(going);
    expect((await entries(room, "member")).at(-1)).toMatchObject({ userId: owner.id, change: "leave" });
  });

  test("a change whose caller has waited too long is not made any more", async () => {
    const room = await channel();
    changes = new RoomChanges(store, members, async () => [], clock, EVERY_JOIN, { wait: 20 });
    rooms = new Rooms(store, members, changes, clock, LIMITS);
    const turn = hold(room);
    const late = [rooms.join(ann, room), rooms.update(owner, room, { topic: "late" })].map(codeOf);
    expect(await Promise.all(late)).toEqual(["UNAVAILABLE", "UNAVAILABLE"]);
    turn.letGo();
    await changes.settled(room);
    expect(await roleOf(ann, room)).toBeNull();
    expect(await store.get(room)).toMatchObject({ topic: null, version: 1 });
  });

  test("a decision that took too long to come to is not stored any more", async () => {
    const room = await channel();
    const verdict = changes.decide(room, async () => {
      clock.advance(10_000);
      return { edit: { topic: "late" }, changes: [{ type: "room" }] };
    });
    expect(await codeOf(verdict)).toBe("UNAVAILABLE");
    expect(await store.get(room)).toMatchObject({ topic: null, pending: [] });
  });
});

describe("a user's own feed", () => {
  const feed = async (user: { id: string }) =>
    (await messages.events(user.id, 0, 1000, 1e6)).map(({ kind, data }) => ({ in: kind, ...JSON.parse(data) }));

  test("tells who is let in, by whom and into what, what he is then, and that he is taken out", async () => {
    const room = await channel("plans");
    await rooms.addMember(owner, room, ann.id, undefined, names);
    await rooms.addMember(owner, room, ann.id, "moderator", names);
    await rooms.removeMember(owner, room, ann.id);
    const shown = { id: room, name: "plans", memberCount: 2, role: "member" };
    expect(await feed(ann)).toMatchObject([
      { in: "user", kind: "member", data: { roomId: room, change: "join", by: owner.id, room: shown } },
      { in: "user", kind: "member", data: { roomId: room, change: "role", role: "moderator", by: owner.id } },
      { in: "user", kind: "member", data: { roomId: room, change: "remove", by: owner.id } },
    ]);
    expect((await feed(ann)).slice(1).filter(({ data }) => "room" in data)).toEqual([]);
    expect(await feed(bob)).toEqual([]);
  });

  test("tells one's own coming and going without saying by whom", async () => {
    const room = await channel();
    await rooms.join(ann, room);
    await rooms.leave(ann, room);
    const told = (await feed(ann)).map(({ data }) => data);
    expect(told).toMatchObject([{ change: "join", role: "member" }, { change: "leave" }]);
    for (const data of told) expect(data).not.toHaveProperty("by");
    expect((await feed(owner)).map(({ data }) => data)).toMatchObject([{ change: "join", role: "owner" }]);
  });

  test("tells both people of a direct room, and of a large group not who else is in it", async () => {
    const { conversation } = await rooms.converse(ann.id, "direct", [bob.id], {}, names);
    expect((await feed(bob))[0].data).toMatchObject({
      roomId: conversation.id,
      by: ann.id,
      room: { type: "direct", members: expect.arrayContaining([ann.id, bob.id]) },
    });
    expect((await feed(ann))[0].data).not.toHaveProperty("by");
    const crowd = Array.from({ length: 99 }, () => newId());
    const { conversation: group } = await rooms.converse(owner.id, "group", crowd, { name: "many" }, names);
    expect((await feed({ id: crowd[0] as string }))[0].data.room.members).toHaveLength(100);
    await rooms.addMember(owner, group.id, ann.id, undefined, names);
    expect((await feed(ann))[1].data).not.toHaveProperty("room");
  });

  test("a group takes no more members than it may have, however many are added at once", async () => {
    const limited = new Rooms(store, members, changes, clock, { ...LIMITS, groupMembers: 4 });
    await expect(
      limited.converse(owner.id, "group", Array.from({ length: 4 }, newId), { name: "five" }, names),
    ).rejects.toThrow("At most 4.");
    const { conversation } = await limited.converse(owner.id, "group", [ann.id], { name: "two" }, names);
    const added = await Promise.all(
      Array.from({ length: 5 }, () => codeOf(limited.addMember(owner, conversation.id, newId(), undefined, names))),
    );
    expect(added.filter(code => code === "CONFLICT")).toHaveLength(3);
    expect(await members.count({ where: { room: conversation.id, state: "member" } })).toBe(4);
    // Who is in it already is no newcomer.
    expect(await limited.addMember(owner, conversation.id, ann.id, "moderator", names)).toMatchObject({
      member: { role: "moderator" },
    });
    const room = await channel();
    for (let n = 0; n < 5; n++) await limited.addMember(owner, room, newId(), undefined, names);
  });

  test("gives the ids of members but one page by page, in their order, and how many they are", async () => {
    const room = await channel();
    const people = Array.from({ length: 6 }, newId).toSorted();
    for (const user of people) await rooms.join(identity(user), room);
    await rooms.leave(identity(people[5] as string), room);
    const others = [owner.id, ...people.slice(0, 5)].filter(id => id !== people[2]).toSorted();
    const pages = await Promise.all([0, 2, 4].map(skip => rooms.memberPage(room, people[2] as string, skip, 2)));
    expect(pages.flatMap(({ ids }) => ids)).toEqual(others);
    expect(pages.map(({ total }) => total)).toEqual([5, 5, 5]);
    expect(await rooms.memberPage(room, newId(), 5, 2)).toMatchObject({ total: 6 });
  });

  test("tells of a change only when the record shows it", async () => {
    const room = await channel();
    let roleThen: string | null = null;
    let appends = 0;
    // The log of the room comes first, then the record, then the feed.
    before = async () => {
      if (++appends === 2) roleThen = await roleOf(ann, room);
    };
    await rooms.join(ann, room);
    expect(roleThen).toBe("member");
  });
});

describe("what is unique", () => {
  test("thirty requests at once for a direct room make one, with each person told once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, at) => {
        const [user, other] = at % 2 ? [ann.id, bob.id] : [bob.id, ann.id];
        return rooms.converse(user, "direct", [other], {}, names);
      }),
    );
    const [id, ...rest] = new Set(answers.map(({ conversation }) => conversation.id));
    expect(rest).toEqual([]);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(await entries(id as string, "member")).toHaveLength(2);
    expect(await members.count({ where: { room: id as string, state: "member" } })).toBe(2);
  });

  test("opening a direct room that is there writes nothing", async () => {
    const { conversation } = await rooms.converse(ann.id, "direct", [bob.id], {}, names);
    let writes = 0;
    const update = store.update.bind(store);
    store.update = (id, change) => (writes++, update(id, change));
    expect(await rooms.converse(bob.id, "direct", [ann.id], {}, names)).toMatchObject({ created: false });
    expect(writes).toBe(0);
    expect(await members.get(memberId(conversation.id, ann.id))).toMatchObject({ role: "member" });
  });

  test("of channels made at once under one name, whatever its case, one is made", async () => {
    const made = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) => rooms.createChannel(newId(), { name: at % 2 ? "Plans" : "plans" })),
    );
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const answer of made)
      if (answer.status === "rejected") expect(answer.reason).toMatchObject({ type: "CONFLICT" });
    expect(await store.count()).toBe(1);
  });
});

describe("settings", () => {
  test("an edit that changes nothing writes no entry, one that does writes one without anybody's role", async () => {
    const room = await channel("same");
    await rooms.update(owner, room, { name: "same", isPrivate: false, topic: null });
    expect(await entries(room, "room")).toEqual([]);
    await rooms.update(owner, room, { name: "same", topic: "new" });
    const [told, ...more] = await entries(room, "room");
    expect(more).toEqual([]);
    expect(told).toMatchObject({ id: room, name: "same", topic: "new" });
    expect(told).not.toHaveProperty("role");
  });

  test("of a legal hold nobody is told but who manages channels: no event, no note, no field", async () => {
    const manager = identity(newId(), ["Admin"]);
    const room = await channel();
    await rooms.join(ann, room);
    const { conversation } = await rooms.converse(owner.id, "group", [ann.id], { name: "two" }, names);
    const log = async (id: string) => (await messages.events(id, 0, 100, 1e6)).length;
    const before = await Promise.all([room, conversation.id].map(log));
    for (const id of [room, conversation.id])
      expect((await rooms.update(manager, id, { legalHold: true })).room).toMatchObject({ legalHold: true });
    expect(await Promise.all([room, conversation.id].map(log))).toEqual(before);
    expect(await rooms.retentionOf([room])).toMatchObject([{ hold: true }]);
    await rooms.update(owner, room, { topic: "told" });
    await rooms.addMember(owner, conversation.id, bob.id, undefined, names);
    const shown = async (user: typeof ann) =>
      JSON.stringify([
        await rooms.get(user, room),
        await rooms.listChannels(user, {}),
        await rooms.listConversations(user, {}),
        await rooms.view({ id: user.id, browses: true }, room, 10, names),
        await rooms.shownTo(user.id, [room, conversation.id]),
      ]);
    for (const user of [owner, ann]) expect(await shown(user)).not.toContain("legalHold");
    expect(await rooms.get(manager, room)).toMatchObject({ legalHold: true, topic: "told" });
    expect((await rooms.listChannels(manager, {})).items).toMatchObject([{ legalHold: true }]);
    for (const id of [room, conversation.id, bob.id])
      expect(JSON.stringify(await messages.events(id, 0, 100, 1e6))).not.toContain("legalHold");
    expect((await rooms.update(manager, room, { legalHold: false })).room).not.toHaveProperty("legalHold");
    expect(await rooms.retentionOf([room])).toMatchObject([{ hold: false }]);
  });

  test("the event of a group names its members", async () => {
    const { conversation } = await rooms.converse(owner.id, "group", [ann.id, bob.id], { name: "three" }, names);
    const changed = (await rooms.update(owner, conversation.id, { name: "us" })).room as Conversation;
    const [told] = (await entries(conversation.id, "room")) as Conversation[];
    expect(told).toMatchObject({ name: "us", type: "group" });
    expect(told?.members).toEqual(changed.members);
    expect([...changed.members].sort()).toEqual([owner.id, ann.id, bob.id].sort());
  });

  const unsafe = ["a\0b", "a\nb", "a\u202eb", "a\u2066b", "a\u2069b", "a\ud800b", "a\udc00b", "a\u0085b"];
  const check = (action: "create" | "update" | "converse", params: object): true | object[] => {
    const { params: rules } = RoomsService.actions?.[action] as unknown as { params: object };
    const compiled = new Validator({ useNewCustomCheckerFunction: true }).compile({ ...rules });
    return compiled(params) as true | object[];
  };

  test.each(unsafe)("a name or topic that holds %j is not valid", text => {
    expect(check("create", { name: text })).not.toBe(true);
    expect(check("create", { name: "fine", topic: text })).not.toBe(true);
    expect(check("update", { id: "x", name: text })).not.toBe(true);
    expect(check("update", { id: "x", topic: text })).not.toBe(true);
    expect(check("converse", { type: "group", members: ["x"], name: text })).not.toBe(true);
  });

  test("names and topics in any script and with emoji are valid, and a topic can be cleared", () => {
    expect(check("create", { name: "Ärger 日本 שלום 👩‍👩‍👧", topic: "😀 ok" })).toBe(true);
    expect(check("update", { id: "x", topic: null })).toBe(true);
    expect(check("converse", { type: "group", members: ["x"], name: null })).toBe(true);
    expect(check("create", {})).not.toBe(true);
  });
});

describe("a large public channel", () => {
  /** In what order things came about. */
  let told: string[];
  let failing: boolean;

  beforeEach(() => {
    told = [];
    failing = false;
    const { log } = ground(messages);
    const append: Append = async requests => {
      for (const { entry } of requests) told.push(entry.op === "member" ? `${entry.change} ${entry.user}` : entry.op);
      return log.append(requests);
    };
    const start = async (room: string, users: string[]): Promise<void> => {
      if (failing) throw new Error("away");
      for (const user of users) told.push(`start ${user} ${await roleOf({ id: user }, room)}`);
    };
    changes = new RoomChanges(store, members, append, clock, { largeRoom: 1, start });
    rooms = new Rooms(store, members, changes, clock, { ...LIMITS, largeRoom: 1 });
  });

  const large = async (): Promise<string> => {
    const room = await channel();
    await rooms.join(ann, room);
    told = [];
    return room;
  };

  test("tells nobody but the newcomer, whose mark is at the head before he is a member", async () => {
    const room = await large();
    const before = await entries(room, "member");
    await rooms.join(bob, room);
    expect(told).toEqual([`start ${bob.id} null`, "user"]);
    expect(await entries(room, "member")).toEqual(before);
    expect(await rooms.access({ user: bob.id, browses: true, rooms: [room] })).toMatchObject([
      { role: "member", large: true, visibleFrom: 0 },
    ]);
    expect(await rooms.get(bob, room)).toMatchObject({ memberCount: 3, role: "member" });
    expect(await messages.events(bob.id, 0, 10, 1e6)).toMatchObject([{ kind: "user" }]);
  });

  test("tells of leaving, of being let in by somebody, and of joining where it is private or small again", async () => {
    const room = await large();
    await rooms.join(bob, room);
    await rooms.leave(bob, room);
    await rooms.addMember(owner, room, bob.id, undefined, names);
    await rooms.leave(bob, room);
    await rooms.leave(ann, room);
    await rooms.join(ann, room);
    const tellsOf = (changes: string[]): void =>
      expect(told.filter(what => /^(join|leave) /.test(what))).toEqual(changes);
    tellsOf([`leave ${bob.id}`, `join ${bob.id}`, `leave ${bob.id}`, `leave ${ann.id}`, `join ${ann.id}`]);
    await rooms.update(owner, room, { isPrivate: true });
    told = [];
    await rooms.addMember(owner, room, bob.id, undefined, names);
    tellsOf([`join ${bob.id}`]);
  });

  test("takes in by a sweep whom a failure left half in", async () => {
    const room = await large();
    failing = true;
    expect(await codeOf(rooms.join(bob, room))).toBe("UNKNOWN_OUTCOME");
    expect(await roleOf(bob, room)).toBeNull();
    failing = false;
    clock.advance(5_000);
    expect(await sweep()).toBe(1);
    expect(await roleOf(bob, room)).toBe("member");
  });
});

describe("the list of members", () => {
  const people: People = {
    names: async ids => ids.map(id => ({ id, username: nameOf.get(id) ?? id })),
    startingWith: async (prefix, limit) =>
      [...nameOf]
        .map(([id, username]) => ({ id, username }))
        .filter(({ username }) => username.toLowerCase().startsWith(prefix.toLowerCase()))
        .sort((a, b) => (a.username.toLowerCase() < b.username.toLowerCase() ? -1 : 1))
        .slice(0, limit),
  };
  const nameOf = new Map<string, string>();
  let room: string;
  const list = async (query: MemberQuery, limits: Limits = LIMITS): Promise<MemberRange & Page<Member>> =>
    (await new Rooms(store, members, changes, clock, limits).listMembers(owner, room, query, people)) as never;
  const names = ({ items }: { items: Member[] }) => items.map(({ username }) => username);

  beforeEach(async () => {
    room = await channel();
    nameOf.clear();
    nameOf.set(owner.id, "Olga");
    // Ids and names in different orders, and all but one joined in the same millisecond.
    for (const name of ["dora", "Anna", "carl", "anton", "berta"]) nameOf.set(newId(), name);
    nameOf.set(newId(), "annabella, who is no member");
    await Promise.all([...nameOf.keys()].slice(1, 6).map(user => rooms.join(identity(user), room)));
  });

  test("goes on after any user, member or not, and shows each once while others come and go", async () => {
    const first = await list({ limit: 2 });
    expect(first).toMatchObject({ hasAfter: true, limit: 2 });
    const [, last] = first.items as [Member, Member];
    await rooms.leave(identity(last.userId), room);
    const second = await list({ afterUser: last.userId, limit: 3 });
    const third = await list({ afterUser: (second.items.at(-1) as Member).userId, limit: 3 });
    const seen = [first, second, third].flatMap(({ items }) => items.map(({ userId }) => userId));
    expect(seen).toEqual([...nameOf.keys()].slice(0, 6).sort());
    expect([second.hasAfter, third.hasAfter]).toEqual([true, false]);
    expect(await list({ limit: 1_000 })).toMatchObject({ limit: LIMITS.page, hasAfter: false });
  });

  test.each([LIMITS, { ...LIMITS, largeRoom: 2 }])("finds by what a name begins with (room of %#)", async limits => {
    expect(names(await list({ prefix: "AN" }, limits))).toEqual(["Anna", "anton"]);
    expect(await list({ prefix: "an", limit: 1 }, limits)).toMatchObject({
      items: [{ username: "Anna" }],
      hasAfter: true,
    });
    expect(await list({ prefix: "x" }, limits)).toEqual({ items: [], hasAfter: false, limit: LIMITS.pageDefault });
  });

  test("is a page or a range, not both", async () => {
    expect(await list({ pageSize: 2, page: 3 })).toMatchObject({ page: 3, pageSize: 2, total: 6, items: [{}, {}] });
    expect(await codeOf(list({ page: 1, limit: 2 }))).toBe("INVALID");
    expect(await codeOf(list({ afterUser: owner.id, prefix: "a" }))).toBe("INVALID");
  });

  test.each([
    ["a page", {}, ["joinedAt", "_id"], "joined", ""],
    ["a range", { _id: { $gt: "r:x" } }, ["_id"], "range", " AND id>?"],
  ])("%s is read along an index, and nothing is sorted", async (_what, query, sort, index, range) => {
    const { sql, params } = where({ room: "r", state: "member", ...query });
    const explain = `EXPLAIN QUERY PLAN SELECT id, doc FROM members WHERE ${sql} ${orderBy(sort)} LIMIT 100 OFFSET 9000`;
    const plan = await database.all<{ detail: string }>(explain, params);
    const search = `SEARCH members USING INDEX members.${index} (<expr>=? AND <expr>=?${range})`;
    expect(plan.map(({ detail }) => detail)).toEqual([search]);
  });
});
