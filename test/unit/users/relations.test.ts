import { join } from "node:path";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { newId } from "../../../services/core/ids";
import { RELATIONS, Relations, type StoredRelation } from "../../../services/users/relations";
import { codeOf, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";

const LIMITS = { friends: 3, friendRequests: 2, friendRequestsPerHour: 5, blocks: 2 };

let database: SqliteDatabase;
let clock: TestClock;
let records: Documents<StoredRelation>;
/** What was told in feeds, once each. */
let feeds: Map<string, { to: string; text: string }>;
let away: boolean;

beforeEach(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "relations.db"));
  clock = new TestClock();
  records = await openDocuments<StoredRelation>(database, RELATIONS);
  feeds = new Map();
  away = false;
});
afterEach(() => database.close());

/** A node; all share the store. */
async function node(): Promise<Relations> {
  const own = await openDocuments<StoredRelation>(database, RELATIONS);
  return new Relations(
    own,
    async (_pair, tellings) => {
      if (away) throw new Error("away");
      for (const { id, to, note } of tellings) {
        const data = note.data as { state?: string; on?: boolean };
        if (!feeds.has(id)) feeds.set(id, { to, text: `${note.kind} ${data.state ?? data.on}` });
      }
    },
    clock,
    LIMITS,
  );
}

const told = (user: string) => [...feeds.values()].filter(({ to }) => to === user).map(({ text }) => text);
const people = (count: number) => Array.from({ length: count }, () => newId());
const ids = (others: readonly { id: string }[]) => others.map(({ id }) => id);
/** All that can be seen of two people. */
async function state(via: Relations, one: string, other: string): Promise<string> {
  const [mine, others] = [await via.requestsOf(one), await via.requestsOf(other)];
  const friends = [ids(await via.friendsOf(one)).includes(other), ids(await via.friendsOf(other)).includes(one)];
  expect(friends[0]).toBe(friends[1]);
  return [
    friends[0] && "friends",
    ids(mine.outgoing).includes(other) && "asks",
    ids(others.incoming).includes(one) && "is heard",
    ids(others.outgoing).includes(one) && "is asked",
    ids(mine.incoming).includes(other) && "hears",
    ids(await via.blocksOf(one)).includes(other) && "blocks",
    ids(await via.blocksOf(other)).includes(one) && "is blocked",
  ]
    .filter(Boolean)
    .join(", ");
}

describe("two people on two nodes", () => {
  it("who ask each other at once are friends, whoever is first", async () => {
    const [one, two] = [await node(), await node()];
    for (let round = 0; round < 20; round++) {
      const [ann, bob] = people(2) as [string, string];
      const states = await Promise.all([one.befriend(ann, bob), two.befriend(bob, ann)]);
      expect(states.sort()).toEqual(["friends", "requested"]);
      expect(await state(one, ann, bob)).toBe("friends");
      for (const user of [ann, bob]) expect(told(user).at(-1)).toBe("friend friends");
    }
  });

  it("of whom one blocks the other are never friends afterwards, nor does the blocker hear of a request", async () => {
    const [one, two] = [await node(), await node()];
    for (let round = 0; round < 20; round++) {
      const [ann, bob] = people(2) as [string, string];
      if (round % 2) await one.befriend(ann, bob);
      await Promise.all([two.befriend(bob, ann), one.block(ann, bob)]);
      expect(["blocks", "is asked, blocks"]).toContain(await state(one, ann, bob));
    }
  });

  it("end in one state whatever they do together", async () => {
    const [one, two] = [await node(), await node()];
    const [ann, bob] = people(2) as [string, string];
    const acts = [
      () => one.befriend(ann, bob),
      () => two.befriend(bob, ann),
      () => one.unfriend(ann, bob),
      () => two.block(bob, ann),
      () => one.unblock(bob, ann),
    ];
    const refused = (error: { type?: string }): void => expect(["CONFLICT", "UNAVAILABLE"]).toContain(error.type);
    for (let round = 0; round < 10; round++)
      await Promise.all(acts.map((_, at) => (acts[(at * 3 + round) % 5] as () => Promise<unknown>)().catch(refused)));
    const known = [
      "",
      "friends",
      "asks, is heard",
      "is asked, hears",
      "is blocked",
      "asks, is blocked",
      "asks",
      "is asked",
    ];
    expect(known).toContain(await state(one, ann, bob));
  });
});

describe("who blocks", () => {
  it("is not betrayed: what the blocked has asked goes on waiting, and what he asks then is kept from the blocker", async () => {
    const relations = await node();
    const [ann, bob] = people(2) as [string, string];
    await relations.befriend(bob, ann);
    await relations.block(ann, bob);
    expect(await state(relations, bob, ann)).toBe("asks, is blocked");
    expect(await relations.befriend(bob, ann)).toBe("requested");
    expect(told(bob)).toEqual(["friend requested"]);
    await relations.unfriend(bob, ann);
    expect(await relations.befriend(bob, ann)).toBe("requested");
    expect(told(ann)).toEqual(["friend received", "block true", "friend none"]);
    expect(await codeOf(relations.befriend(ann, bob))).toBe("CONFLICT");
    await relations.unblock(ann, bob);
    expect(await state(relations, bob, ann)).toBe("asks");
    // Asked again it is a request like any other.
    expect(await relations.befriend(bob, ann)).toBe("requested");
    expect(await state(relations, bob, ann)).toBe("asks, is heard");
  });

  it("ends a friendship, of which the other is told as of any end, and unblocking does not bring it back", async () => {
    const relations = await node();
    const [ann, bob] = people(2) as [string, string];
    await relations.befriend(ann, bob);
    await relations.befriend(bob, ann);
    await relations.block(ann, bob);
    expect(told(bob)).toEqual(["friend received", "friend friends", "friend none"]);
    await relations.unblock(ann, bob);
    expect(await state(relations, ann, bob)).toBe("");
  });
});

it("what could not be told is told once, later, and nothing is lost by it", async () => {
  const [one, two] = [await node(), await node()];
  const [ann, bob] = people(2) as [string, string];
  away = true;
  expect(await codeOf(one.befriend(ann, bob))).toBe("UNKNOWN_OUTCOME");
  expect(await state(two, ann, bob)).toBe("asks, is heard");
  expect(await codeOf(two.befriend(bob, ann))).toBe("UNAVAILABLE");
  away = false;
  clock.advance(2_000);
  await Promise.all([one.sweep(10, () => undefined), two.sweep(10, () => undefined)]);
  expect([told(ann), told(bob)]).toEqual([["friend requested"], ["friend received"]]);
  expect(await two.befriend(bob, ann)).toBe("friends");
});

it("bounds hold for friends, for requests that wait, and for blocks", async () => {
  const relations = await node();
  const [ann, ...others] = people(6) as [string, ...string[]];
  const [a, b, c, d, e] = others as [string, string, string, string, string];
  for (const other of [a, b]) await relations.befriend(ann, other);
  expect(await codeOf(relations.befriend(ann, c))).toBe("CONFLICT");
  expect(await relations.befriend(ann, a)).toBe("requested");
  for (const other of [a, b, c]) await relations.befriend(other, ann);
  await relations.befriend(ann, c);
  await relations.befriend(d, ann);
  expect(await codeOf(relations.befriend(ann, d))).toBe("CONFLICT");
  expect(ids(await relations.friendsOf(ann)).sort()).toEqual([a, b, c].sort());
  for (const other of [d, e]) await relations.block(ann, other);
  expect(await codeOf(relations.block(ann, a))).toBe("CONFLICT");
  expect(await relations.blockersOf(e)).toEqual([ann]);
});

it("who is removed is nothing to anybody", async () => {
  const relations = await node();
  const [ann, bob, eve] = people(3) as [string, string, string];
  await relations.befriend(ann, bob);
  await relations.befriend(bob, ann);
  await relations.block(eve, ann);
  await relations.forget(ann);
  expect(await records.count()).toBe(0);
});

it("who was declined is heard again after a week", async () => {
  const relations = await node();
  const [ann, bob] = people(2) as [string, string];
  await relations.befriend(ann, bob);
  await relations.unfriend(bob, ann);
  clock.advance(7 * 86_400_000 - 1);
  expect(await relations.befriend(ann, bob)).toBe("requested");
  expect(await state(relations, ann, bob)).toBe("asks");
  clock.advance(1);
  expect(await relations.befriend(ann, bob)).toBe("requested");
  expect(await state(relations, ann, bob)).toBe("asks, is heard");
  expect(told(bob)).toEqual(["friend received", "friend none", "friend received"]);
});

it("one asks so many people an hour, and the same one so often, also at once", async () => {
  const relations = await node();
  const [ann, ...others] = people(LIMITS.friendRequestsPerHour + 2) as [string, ...string[]];
  const ask = async (other: string) => {
    const state = await relations.befriend(ann, other);
    await relations.unfriend(ann, other);
    return state;
  };
  const codes = await Promise.all(others.map(other => codeOf(ask(other))));
  expect(codes.filter(code => code === "RATE_LIMITED")).toHaveLength(1);
  clock.advance(3_600_000);
  const [bob] = others as [string];
  for (let round = 0; round < 5; round++) expect(await ask(bob)).toBe("requested");
  expect(await codeOf(ask(bob))).toBe("RATE_LIMITED");
  clock.advance(3_600_000);
  expect(await ask(bob)).toBe("requested");
});
