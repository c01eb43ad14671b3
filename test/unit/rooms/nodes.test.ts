import { join } from "node:path";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { systemClock } from "../../../services/core/clock";
import { RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { LIMITS } from "../../../services/core/limits";
import type { Identity, UserNotes } from "../../../services/core/model";
import { RoomChanges, type Append } from "../../../services/rooms/changes";
import { seedRooms, SEEDS, type Seed } from "../../../services/rooms/first-rooms";
import { MEMBERS, ROOMS, type StoredMember, type StoredRoom } from "../../../services/rooms/room";
import { Rooms } from "../../../services/rooms/rooms";
import { codeOf, identity } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";
import { ground, openStore, type FaultyStore } from "../messages/ground";

/** Several nodes with the rooms service over one store, each slowed down and now and then cut off as a test wants it. */

const names = async (ids: string[]) => ids.map(id => ({ id, username: id }));

/** Runs around every step a node takes outside of itself; may wait, may throw. */
type Weather = (step: string) => Promise<void>;

interface RoomsNode {
  rooms: Rooms;
  changes: RoomChanges;
  store: Documents<StoredRoom>;
  members: Documents<StoredMember>;
}

let database: SqliteDatabase;
let messages: FaultyStore;

beforeEach(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "rooms.db"));
  messages = await openStore();
});
afterEach(() => database.close());

async function roomsNode(weather: Weather = async () => undefined): Promise<RoomsNode> {
  const store = exposed(await openDocuments<StoredRoom>(database, ROOMS), "rooms", weather);
  const members = exposed(await openDocuments<StoredMember>(database, MEMBERS), "members", weather);
  const { log } = ground(messages);
  const changes = new RoomChanges(
    store,
    members,
    async requests => {
      await weather("append");
      const answers = await log.append(requests);
      await weather("appended");
      return answers;
    },
    systemClock,
    { ...LIMITS, start: async () => undefined },
  );
  return { store, members, changes, rooms: new Rooms(store, members, changes, systemClock, LIMITS) };
}

function exposed<T extends { id: string }>(docs: Documents<T>, name: string, weather: Weather): Documents<T> {
  return new Proxy(docs, {
    get: (target, method: keyof Documents<T>) => async (first: never, second: never) => {
      await weather(`${name}.${method}`);
      const result = await (target[method] as (a: never, b: never) => Promise<unknown>).call(target, first, second);
      await weather(`${name}.${method} done`);
      return result;
    },
  });
}

/** Whole numbers below n, the same for the same seed (mulberry32). */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return n => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) % n;
  };
}

/** Stops at the first such step until it is let go. */
class Barrier {
  private arrive!: () => void;
  private release!: () => void;
  readonly arrived = new Promise<void>(resolve => (this.arrive = resolve));
  private readonly released = new Promise<void>(resolve => (this.release = resolve));
  private armed = true;

  constructor(private readonly at: string) {}

  readonly weather: Weather = async step => {
    if (!this.armed || step !== this.at) return;
    this.armed = false;
    this.arrive();
    await this.released;
  };

  letGo(): void {
    this.release();
  }
}

const entries = async (room: string) =>
  (await messages.events(room, 0, 10_000, 1e7))
    .filter(({ kind }) => kind === "member")
    .map(({ data }) => JSON.parse(data) as { userId: string; change: string; role?: string });

/** What the log says of who is in a room. A room keeps an owner, unless all have left it since. */
async function replayed(room: string): Promise<Map<string, string>> {
  const inside = new Map<string, string>();
  let orphaned = false;
  for (const { userId, change, role } of await entries(room)) {
    if (change === "join") {
      expect(inside.has(userId)).toBe(false);
      inside.set(userId, role ?? "member");
    } else if (change === "role") {
      expect(inside.has(userId)).toBe(true);
      inside.set(userId, role as string);
    } else expect(inside.delete(userId)).toBe(true);
    const owned = [...inside.values()].includes("owner");
    orphaned = !owned && (orphaned || inside.size === 0);
    expect(owned || orphaned).toBe(true);
  }
  return inside;
}

async function expectSound(node: RoomsNode, id: string): Promise<void> {
  const members = await node.members.find({ where: { room: id, state: "member" } });
  const inside = new Map(members.map(({ user, role }) => [user, role]));
  expect(await node.store.get(id)).toMatchObject({ pending: [], pendingSince: null, memberCount: inside.size });
  expect([...inside].sort()).toEqual([...(await replayed(id))].sort());
  await expectTold(id);
}

/** Everybody finds in his own feed what the room's log says of him: all of it, once each, in its order. */
async function expectTold(room: string): Promise<void> {
  const all = await entries(room);
  for (const user of new Set(all.map(({ userId }) => userId))) {
    const notes = (await messages.events(user, 0, 10_000, 1e7)).map(({ data }) => JSON.parse(data).data as Note);
    expect(notes.filter(({ roomId }) => roomId === room).map(({ change, role }) => ({ change, role }))).toEqual(
      all.filter(({ userId }) => userId === user).map(({ change, role }) => ({ change, role })),
    );
  }
}

type Note = UserNotes["member"];

describe("two nodes with rooms", () => {
  const owner = identity();
  const ann = identity();
  const bob = identity();
  const roleOf = async (node: RoomsNode, user: Identity, room: string) =>
    (await node.rooms.access({ user: user.id, browses: true, rooms: [room] }))[0]?.role ?? null;

  it.each(["leave", "demote"])("leave one owner when both owners %s at once", async how => {
    const [one, two] = [await roomsNode(), await roomsNode()];
    for (let round = 0; round < 10; round++) {
      const { id } = await one.rooms.createChannel(owner.id, { name: newId() });
      await one.rooms.addMember(owner, id, ann.id, "owner", names);
      await one.rooms.join(bob, id);
      if (how === "leave") await Promise.all([one.rooms.leave(owner, id), two.rooms.leave(ann, id)]);
      else
        await Promise.allSettled([
          one.rooms.addMember(owner, id, ann.id, "member", names),
          two.rooms.addMember(ann, id, owner.id, "member", names),
        ]);
      await expectSound(one, id);
    }
  });

  it("do not bring back a member by a join that was told to be carried out long ago", async () => {
    const barrier = new Barrier("appended");
    const [slow, other] = [await roomsNode(barrier.weather), await roomsNode()];
    const { id } = await other.rooms.createChannel(owner.id, { name: "slow" });
    const joining = slow.rooms.join(ann, id);
    await barrier.arrived;
    await other.rooms.join(ann, id);
    await other.rooms.leave(ann, id);
    barrier.letGo();
    await joining;
    expect(await roleOf(other, ann, id)).toBeNull();
    await expectSound(other, id);
  });

  it("show a member that the log tells of already, though who let him in has not come to his record yet", async () => {
    const barrier = new Barrier("appended");
    const [slow, other] = [await roomsNode(barrier.weather), await roomsNode()];
    const { id } = await other.rooms.createChannel(owner.id, { name: "slow" });
    const joining = slow.rooms.join(ann, id);
    await barrier.arrived;
    expect([...(await replayed(id)).keys()]).toContain(ann.id);
    const { items } = await other.rooms.listMembers(owner, id, {}, { names, startingWith: async () => [] });
    expect(items.map(({ userId }) => userId)).toEqual([owner.id, ann.id]);
    expect(await other.rooms.get(owner, id)).toMatchObject({ memberCount: 2 });
    barrier.letGo();
    await joining;
    await expectSound(other, id);
  });

  it("do not end a membership by a leave that was told to be carried out long ago", async () => {
    const barrier = new Barrier("members.update");
    const [slow, other] = [await roomsNode(barrier.weather), await roomsNode()];
    const { id } = await other.rooms.createChannel(owner.id, { name: "slow" });
    await other.rooms.join(ann, id);
    const leaving = slow.rooms.leave(ann, id);
    await barrier.arrived;
    await other.rooms.leave(ann, id);
    await other.rooms.join(ann, id);
    barrier.letGo();
    await leaving;
    expect(await roleOf(other, ann, id)).toBe("member");
    await expectSound(other, id);
  });

  it("do not give back a role by a change that was told to be carried out long ago", async () => {
    const barrier = new Barrier("members.update");
    const [slow, other] = [await roomsNode(barrier.weather), await roomsNode()];
    const { id } = await other.rooms.createChannel(owner.id, { name: "slow" });
    await other.rooms.join(ann, id);
    const raising = slow.rooms.addMember(owner, id, ann.id, "moderator", names);
    await barrier.arrived;
    await other.rooms.addMember(owner, id, ann.id, "owner", names);
    await other.rooms.addMember(owner, id, ann.id, "member", names);
    barrier.letGo();
    await raising;
    expect(await roleOf(other, ann, id)).toBe("member");
    await expectSound(other, id);
  });

  it("judge again what was judged on a room that another node has changed meanwhile", async () => {
    const barrier = new Barrier("members.getMany done");
    const [slow, other] = [await roomsNode(barrier.weather), await roomsNode()];
    const { id } = await other.rooms.createChannel(owner.id, { name: "closing" });
    const joining = codeOf(slow.rooms.join(ann, id));
    await barrier.arrived;
    await other.rooms.update(owner, id, { isPrivate: true });
    barrier.letGo();
    expect(await joining).toBe("NOT_FOUND");
    await expectSound(other, id);
  });

  it("say that an outcome is unknown when a stored change could not be carried out, and the other node finishes it", async () => {
    let cut = false;
    const down: Weather = async step => {
      if (cut && step === "append") throw new RookeryError("UNAVAILABLE");
    };
    const [one, two] = [await roomsNode(down), await roomsNode()];
    const { id } = await two.rooms.createChannel(owner.id, { name: "cut off" });
    cut = true;
    expect(await codeOf(one.rooms.join(ann, id))).toBe("UNKNOWN_OUTCOME");
    expect(await codeOf(one.rooms.join(bob, id))).toBe("UNAVAILABLE");
    await two.rooms.join(owner, id);
    expect([await roleOf(two, ann, id), await roleOf(two, bob, id)]).toEqual(["member", null]);
    await expectSound(two, id);
  });

  it.each(Array.from({ length: 6 }, (_, seed) => seed + 1))(
    "keep every rule whatever they do to one room at the same time (seed %i)",
    async seed => {
      const random = dice(seed);
      // Steps overtake each other; now and then one takes longer than whole changes of others, or fails.
      let calm = false;
      const weather: Weather = async step => {
        if (calm) return;
        const fate = random(100);
        if (fate === 0 && !step.endsWith("done")) throw new RookeryError("UNAVAILABLE");
        for (let ticks = fate < 4 ? 400 : random(6); ticks > 0; ticks--) await new Promise(setImmediate);
      };
      const nodes = [await roomsNode(weather), await roomsNode(weather), await roomsNode(weather)];
      const people = Array.from({ length: 6 }, () => identity());
      const admin = identity(newId(), ["Admin"]);
      const someone = <T>(list: readonly T[]) => list[random(list.length)] as T;
      calm = true;
      const { id } = await (nodes[0] as RoomsNode).rooms.createChannel((people[0] as Identity).id, { name: "busy" });
      calm = false;
      const act = async (): Promise<unknown> => {
        const { rooms, changes } = someone(nodes);
        const [who, whom] = [someone(people), someone(people)];
        switch (random(16)) {
          case 2:
          case 7:
            return rooms.leave(who, id);
          case 3:
          case 8:
          case 9:
            return rooms.addMember(who, id, whom.id, someone(["owner", "moderator", "member"] as const), names);
          case 4:
            return rooms.removeMember(random(3) ? who : admin, id, whom.id);
          case 5:
            return rooms.evict(who.id);
          case 6:
            return rooms.update(who, id, { topic: `topic ${random(1000)}` });
          case 11:
            return Promise.allSettled(
              people.map(({ id: user }) =>
                random(2) ? rooms.join(identity(user), id) : rooms.leave(identity(user), id),
              ),
            );
          case 10:
            return changes.sweep(10, () => undefined);
          default:
            return rooms.join(who, id);
        }
      };
      const outcomes: string[] = [];
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let step = 0; step < 25; step++)
            await act().then(
              () => outcomes.push("ok"),
              (error: { type?: string }) => outcomes.push(error.type ?? String(error)),
            );
        }),
      );
      const honest = ["ok", "FORBIDDEN", "CONFLICT", "UNAVAILABLE", "UNKNOWN_OUTCOME", "RATE_LIMITED"];
      expect(outcomes.filter(outcome => !honest.includes(outcome))).toEqual([]);
      expect(outcomes.filter(outcome => outcome === "ok").length).toBeGreaterThan(20);
      calm = true;
      await (nodes[0] as RoomsNode).changes.settled(id);
      expect((await entries(id)).length).toBeGreaterThan(20);
      await expectSound(nodes[0] as RoomsNode, id);
    },
    60_000,
  );
});

describe("the first rooms", () => {
  it("are made once by nodes that start at the same time, and wait for the admin", async () => {
    const admin = identity(newId(), ["Admin"]);
    let there = false;
    const start = async () => {
      const { rooms, store } = await roomsNode();
      const seeds = await openDocuments<Seed>(database, SEEDS);
      const { log } = ground(messages);
      const append: Append = requests => log.append(requests);
      return () =>
        seedRooms({ seeds, store, rooms, append, maxText: 4_000, admin: async () => (there ? admin : null) });
    };
    const [one, two] = [await start(), await start()];
    expect([await one(), await two()]).toEqual([false, false]);
    there = true;
    expect(await Promise.all([one(), two()])).toEqual([true, true]);
    const node = await roomsNode();
    const rooms = await node.store.find({ sort: "name" });
    expect(rooms.map(({ name }) => name)).toEqual(["general", "random"]);
    const told = await Promise.all(rooms.map(({ id }) => messages.events(id, 0, 100, 1e6)));
    expect(told.map(events => events.map(({ kind }) => kind))).toEqual([
      ["member", "message", "message", "message"],
      ["member", "message"],
    ]);
    for (const { id } of rooms) await node.rooms.remove(admin, id);
    expect(await two()).toBe(true);
    expect(await node.store.count({ where: { deletedAt: null } })).toBe(0);
  });
});
