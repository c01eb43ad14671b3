import { join } from "node:path";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { LIMITS } from "../../../services/core/limits";
import { newId } from "../../../services/core/ids";
import { RoomChanges } from "../../../services/rooms/changes";
import { Decisions } from "../../../services/rooms/decisions";
import { Invites } from "../../../services/rooms/invites";
import { MEMBERS, ROOMS, type StoredMember, type StoredRoom } from "../../../services/rooms/room";
import { Rooms } from "../../../services/rooms/rooms";
import { codeOf, identity, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";
import { ground, openStore, type FaultyStore } from "../messages/ground";

const names = async (ids: string[]) => ids.map(id => ({ id, username: id }));
const active = async () => [];
const HOUR = 3_600_000;

let database: SqliteDatabase;
let messages: FaultyStore;
let clock: TestClock;
let members: Documents<StoredMember>;
let store: Documents<StoredRoom>;
const owner = identity();

beforeEach(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "rooms.db"));
  messages = await openStore();
  clock = new TestClock();
});
afterEach(() => database.close());

/** A node with rooms: others have the same store. */
async function node(groupMembers: number = LIMITS.groupMembers) {
  store = await openDocuments<StoredRoom>(database, ROOMS);
  members = await openDocuments<StoredMember>(database, MEMBERS);
  const { log } = ground(messages);
  const append = log.append.bind(log);
  const changes = new RoomChanges(
    store,
    members,
    append,
    clock,
    { ...LIMITS, start: async () => undefined },
    {
      groupMembers,
    },
  );
  const decisions = new Decisions(store, members, changes, clock);
  return {
    rooms: new Rooms(store, members, changes, clock, LIMITS, decisions),
    invites: new Invites(decisions, clock),
  };
}

const crowd = (size: number) => Array.from({ length: size }, () => identity());
const inside = (room: string) => members.count({ where: { room, state: "member" } });
const wish = { expiresInHours: 1, uses: null, role: "member" } as const;

describe("links into rooms", () => {
  test("of a hundred who come to one for ten, over two nodes, ten get in", async () => {
    const nodes = [await node(), await node()] as const;
    const { id } = await nodes[0].rooms.createChannel(owner.id, { name: newId(), isPrivate: true });
    const { code } = await nodes[0].invites.create(owner, id, { ...wish, uses: 10 });
    const answers = await Promise.all(
      crowd(100).map((user, n) =>
        nodes[n % 2 ? 1 : 0].invites.accept(user, code, active).then(() => "in", codeOfError),
      ),
    );
    expect(answers.filter(answer => answer === "in")).toHaveLength(10);
    expect(answers.filter(answer => answer === "NOT_FOUND")).toHaveLength(90);
    expect(await inside(id)).toBe(11);
    expect((await store.get(id))?.invites).toMatchObject([{ used: 10 }]);
  });

  test("none that is made is lost to those made or used at the same time on another node", async () => {
    const nodes = [await node(), await node()] as const;
    const { id } = await nodes[0].rooms.createChannel(owner.id, { name: newId(), isPrivate: true });
    const { code } = await nodes[0].invites.create(owner, id, wish);
    await Promise.all([
      ...Array.from({ length: 20 }, (_, n) => nodes[n % 2 ? 1 : 0].invites.create(owner, id, wish)),
      ...crowd(10).map((user, n) => nodes[n % 2 ? 1 : 0].invites.accept(user, code, active)),
    ]);
    const { items } = await nodes[0].invites.list(owner, id, active);
    expect(items).toHaveLength(21);
    expect(items.map(({ used }) => used).sort()).toEqual([...Array<number>(20).fill(0), 10]);
  });

  test("one ends with its time, and leaves no room for more than fifty", async () => {
    const { rooms, invites } = await node();
    const { id } = await rooms.createChannel(owner.id, { name: newId() });
    const { code } = await invites.create(owner, id, wish);
    for (let n = 1; n < 50; n++) await invites.create(owner, id, { ...wish, expiresInHours: 2 });
    expect(await codeOf(invites.create(owner, id, wish))).toBe("CONFLICT");
    clock.advance(HOUR);
    const [user] = crowd(1) as [typeof owner];
    expect(await codeOf(invites.accept(user, code, active))).toBe("NOT_FOUND");
    expect(await codeOf(invites.look(user, code, names, active))).toBe("NOT_FOUND");
    await invites.create(owner, id, wish);
    expect((await store.get(id))?.invites).toHaveLength(50);
  });

  test("nobody comes into a group that is full, and his try uses nothing up", async () => {
    const { rooms, invites } = await node(3);
    const { conversation } = await rooms.converse(owner.id, "group", [identity().id], {}, names);
    const { code } = await invites.create(owner, conversation.id, { ...wish, uses: 2 });
    const answers = await Promise.all(
      crowd(4).map(user => invites.accept(user, code, active).then(() => "in", codeOfError)),
    );
    expect(answers.sort()).toEqual(["CONFLICT", "CONFLICT", "CONFLICT", "in"]);
    expect((await store.get(conversation.id))?.invites).toMatchObject([{ used: 1 }]);
  });

  test("what is stored of one does not let anybody in", async () => {
    const { rooms, invites } = await node();
    const { id } = await rooms.createChannel(owner.id, { name: newId(), isPrivate: true });
    const { code } = await invites.create(owner, id, wish);
    const stored = JSON.stringify(await store.get(id));
    expect(stored).not.toContain(code.slice(22, -4));
    const { digest } = (await store.get(id))?.invites?.[0] as { digest: string };
    expect(await codeOf(invites.accept(identity(), code.slice(0, 22) + digest, active))).toBe("NOT_FOUND");
  });
});

const codeOfError = (error: { type?: string }): string => error.type ?? "?";
