import Validator from "fastest-validator";
import { join } from "node:path";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import type { AppendAnswer } from "../../../services/core/contract";
import { LIMITS } from "../../../services/core/limits";
import type { Conversation } from "../../../services/core/model";
import { newId } from "../../../services/core/ids";
import { RoomChanges, type Append } from "../../../services/rooms/changes";
import { memberId, MEMBERS, ROOMS, type StoredMember, type StoredRoom } from "../../../services/rooms/room";
import { Rooms } from "../../../services/rooms/rooms";
import RoomsService from "../../../services/rooms/rooms.service";
import { codeOf, identity, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";
import { ground, openStore, type FaultyStore } from "../messages/ground";

const names = async (ids: string[]) => ids.map(id => ({ id, username: id }));

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
  const append: Append = async request => {
    await before();
    return (await log.append([request]))[0] as AppendAnswer;
  };
  changes = new RoomChanges(store, members, append, clock);
  rooms = new Rooms(store, members, changes, clock, LIMITS);
});
afterEach(() => database.close());

const owner = identity();
const ann = identity();
const bob = identity();

const channel = async (name = `c-${newId()}`): Promise<string> =>
  (await rooms.createChannel(owner.id, name, false, null)).id;
const sweep = (): Promise<number> => changes.sweep(50, room => reported.push(room));
const roleOf = async (user: { id: string }, room: string): Promise<string | null> =>
  (await rooms.access(user.id, [room]))[0]?.role ?? null;
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
      await rooms.join(ann.id, room);
      expect(await roleOf(ann, room)).toBe("member");
      await rooms.leave(ann.id, room);
      expect(await roleOf(ann, room)).toBeNull();
    }
    await rooms.join(ann.id, room);
    done = true;
    await sweeper;
    expect(await roleOf(ann, room)).toBe("member");
    expect(reported).toEqual([]);
    expect((await entries(room, "member")).length).toBe(1 + 60 * 2 + 1);
  });

  test("a sweep that found a leave half done does not repeat it after a new join", async () => {
    const room = await channel();
    await rooms.join(ann.id, room);
    messages.faults.push("failed");
    await expect(rooms.leave(ann.id, room)).rejects.toThrow();
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
    await rooms.join(ann.id, room);
    goOn();
    await sweeping;
    expect(await roleOf(ann, room)).toBe("member");
  });

  test("what was left half done is finished by the sweep once it has aged, and told once", async () => {
    const room = await channel();
    messages.faults.push("failed");
    await expect(rooms.join(ann.id, room)).rejects.toThrow();
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
    await expect(rooms.join(ann.id, first)).rejects.toThrow();
    clock.advance(1);
    messages.faults.push("failed");
    await expect(rooms.join(ann.id, second)).rejects.toThrow();
    clock.advance(2_000);
    messages.faults.push("failed");
    expect(await sweep()).toBe(1);
    expect(reported).toEqual([first]);
    expect([await roleOf(ann, first), await roleOf(ann, second)]).toEqual([null, "member"]);
  });
});

describe("rights are judged when the change is made", () => {
  test("nobody joins a channel that becomes private before his turn", async () => {
    const room = await channel();
    const closing = rooms.update(owner, room, { isPrivate: true });
    expect(await codeOf(rooms.join(ann.id, room))).toBe("NOT_FOUND");
    await closing;
    expect(await roleOf(ann, room)).toBeNull();
  });

  test("nobody joins, adds or changes anything in a channel that is deleted before his turn", async () => {
    const room = await channel();
    const removing = rooms.remove(owner, room);
    const late = [
      rooms.join(ann.id, room),
      rooms.addMember(owner.id, room, bob.id, "member", names),
      rooms.update(owner, room, { topic: "late" }),
      rooms.remove(owner, room),
    ];
    expect(await Promise.all(late.map(codeOf))).toEqual(late.map(() => "NOT_FOUND"));
    await removing;
    expect(await members.count({ where: { room } })).toBe(1);
    expect(await entries(room, "room")).toHaveLength(1);
  });

  test("a moderator who is taken out before his turn neither adds nor removes", async () => {
    const room = await channel();
    await rooms.addMember(owner.id, room, ann.id, "moderator", names);
    await rooms.join(bob.id, room);
    const taking = rooms.removeMember(owner, room, ann.id);
    const late = [rooms.addMember(ann.id, room, newId(), "member", names), rooms.removeMember(ann, room, bob.id)];
    expect(await Promise.all(late.map(codeOf))).toEqual(["FORBIDDEN", "FORBIDDEN"]);
    await taking;
    expect(await roleOf(bob, room)).toBe("member");
  });
});

describe("roles", () => {
  test("adding a member again without a role leaves the role as it is, the owner's too", async () => {
    const room = await channel();
    await rooms.addMember(owner.id, room, ann.id, "moderator", names);
    expect(await rooms.addMember(owner.id, room, ann.id, undefined, names)).toMatchObject({ role: "moderator" });
    expect(await rooms.addMember(owner.id, room, owner.id, undefined, names)).toMatchObject({ role: "owner" });
    expect(await rooms.addMember(owner.id, room, bob.id, undefined, names)).toMatchObject({ role: "member" });
    expect(await codeOf(rooms.addMember(owner.id, room, owner.id, "member", names))).toBe("CONFLICT");
  });

  test("when the last owner leaves, a moderator takes over before longer-standing members", async () => {
    const room = await channel();
    clock.advance(1);
    await rooms.join(bob.id, room);
    clock.advance(1);
    await rooms.addMember(owner.id, room, ann.id, "moderator", names);
    await rooms.leave(owner.id, room);
    expect([await roleOf(owner, room), await roleOf(ann, room), await roleOf(bob, room)]).toEqual([
      null,
      "owner",
      "member",
    ]);
  });

  test("two owners who leave at the same time leave an heir", async () => {
    const room = await channel();
    await rooms.addMember(owner.id, room, ann.id, "owner", names);
    await rooms.join(bob.id, room);
    await Promise.all([rooms.leave(owner.id, room), rooms.leave(ann.id, room)]);
    expect(await roleOf(bob, room)).toBe("owner");
  });
});

describe("what is unique", () => {
  test("thirty requests at once for a direct room make one, with each person told once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, at) => {
        const [user, other] = at % 2 ? [ann.id, bob.id] : [bob.id, ann.id];
        return rooms.converse(user, "direct", [other], null, names);
      }),
    );
    const [id, ...rest] = new Set(answers.map(({ conversation }) => conversation.id));
    expect(rest).toEqual([]);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(await entries(id as string, "member")).toHaveLength(2);
    expect(await members.count({ where: { room: id as string, state: "member" } })).toBe(2);
  });

  test("opening a direct room that is there writes nothing", async () => {
    const { conversation } = await rooms.converse(ann.id, "direct", [bob.id], null, names);
    let writes = 0;
    const update = store.update.bind(store);
    store.update = (id, change) => (writes++, update(id, change));
    expect(await rooms.converse(bob.id, "direct", [ann.id], null, names)).toMatchObject({ created: false });
    expect(writes).toBe(0);
    expect(await members.get(memberId(conversation.id, ann.id))).toMatchObject({ role: "member" });
  });

  test("of channels made at once under one name, whatever its case, one is made", async () => {
    const made = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) => rooms.createChannel(newId(), at % 2 ? "Plans" : "plans", false, null)),
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

  test("the event of a group names its members", async () => {
    const { conversation } = await rooms.converse(owner.id, "group", [ann.id, bob.id], "three", names);
    const changed = (await rooms.update(owner, conversation.id, { name: "us" })) as Conversation;
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
