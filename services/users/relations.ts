import type { CollectionSpec, Documents } from "../../mixins/documents";
import { StagedChanges, type Stage, type Staged, type Verdict } from "../../mixins/staged-changes";
import { timestamp, type Clock } from "../core/clock";
import type { RelationChange } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { FriendState, UserNote } from "../core/model";
import { Turns } from "../core/turns";

/** What one of the two is told in his own feed. */
export interface Telling {
  to: string;
  note: UserNote;
}

/**
 * What two people are to each other: one record for both, so that whatever they do at the same time ends in one state that
 * both see. Kept once made.
 */
export interface StoredRelation extends Stage<Telling> {
  /** Both in order; the id is the two with a colon between. */
  a: string;
  b: string;
  friends?: true;
  /** Since when they are friends, or the request is open. */
  since?: string;
  /** Who has asked. */
  asks?: string;
  /** Who knows that he was asked; absent where it is kept from him: to the one who asks it looks like any request. */
  asked?: string;
  /** Who has asked last, when in milliseconds since 1970, and how often in the hour before. */
  asker?: string;
  askedAt?: number;
  asksInHour?: number;
  /** Whose request was declined, and when, milliseconds since 1970. */
  declined?: string;
  declinedAt?: number;
  /** Since when one of them blocks the other. */
  aBlocks?: string;
  bBlocks?: string;
  /** Milliseconds since 1970. */
  changedAt: number;
}

export const RELATIONS: CollectionSpec = {
  collection: "relations",
  indexes: [
    { name: "friends_a", fields: ["a", "friends"] },
    { name: "friends_b", fields: ["b", "friends"] },
    { name: "asks", fields: ["asks", "since"] },
    { name: "asked", fields: ["asked", "since"] },
    { name: "asker", fields: ["asker", "askedAt"] },
    { name: "blocks_a", fields: ["a", "aBlocks"] },
    { name: "blocks_b", fields: ["b", "bBlocks"] },
    { name: "changed", fields: ["changedAt"] },
    { name: "pending_since", fields: ["pendingSince"] },
  ],
};

/** Somebody else, and since when he is what he is asked for. */
export interface Other {
  id: string;
  since: string;
}

/** What somebody is to one. */
export interface Bond {
  friends: boolean;
  /** One blocks him. */
  blocks: boolean;
  /** He blocks one. */
  blockedBy: boolean;
}

export const STRANGERS: Bond = { friends: false, blocks: false, blockedBy: false };

/** Requests that are shown of those that wait for an answer; anybody may ask. */
const SHOWN_REQUESTS = 1_000;
/** Of those who block one, so many are left out of a list by its query. */
const MOST_BLOCKERS = 10_000;
/** Milliseconds for which who was declined is not heard when he asks again. */
const DECLINED = 7 * 86_400_000;
/** Milliseconds of the rates, and how often one and the same may be asked in that time: each time he is told. */
const HOUR = 3_600_000;
const SAME = 5;
/** A text that every time is behind. */
const EVER = { $gt: "" } as const;

type Wanted = Partial<Omit<StoredRelation, keyof Stage<Telling> | "a" | "b" | "changedAt">>;

/** Friends, requests to be friends, and blocks. */
export class Relations {
  private readonly staged: StagedChanges<Telling, StoredRelation>;
  /** By who asks: of his requests at once each counts those before it. */
  private readonly asking = new Turns();

  constructor(
    private readonly records: Documents<StoredRelation>,
    /** Tells everybody whom it concerns; may be repeated, each telling under its id. */
    tell: (pair: RelationChange, tellings: readonly Staged<Telling>[]) => Promise<void>,
    private readonly clock: Clock,
    private readonly limits: Pick<Limits, "friends" | "friendRequests" | "friendRequestsPerHour" | "blocks">,
    /** What is over a rate is refused. */
    private readonly brakes = true,
  ) {
    const all = async ({ a, b, pending }: StoredRelation): Promise<object> => {
      await tell({ user: a, other: b }, pending);
      return {};
    };
    this.staged = new StagedChanges(records, all, clock);
  }

  /**
   * Asks the other, or says yes to him. Who was declined is answered as ever, and for a week not heard. Throws CONFLICT over a
   * bound, and where the user blocks the other, RATE_LIMITED.
   * @param mayAsk throws where the other wants no such request
   */
  async befriend(
    user: string,
    other: string,
    mayAsk: () => Promise<void> = async () => undefined,
  ): Promise<"requested" | "friends"> {
    const after = await this.asking.run(user, () => this.ask(user, other, mayAsk));
    return after.friends ? "friends" : "requested";
  }

  private ask(user: string, other: string, mayAsk: () => Promise<void>): Promise<StoredRelation> {
    return this.decide(user, other, async relation => {
      const { friends, blocks, blockedBy } = bond(relation, user);
      if (blocks) throw new RookeryError("CONFLICT", "You block this user.");
      const now = this.clock.now();
      const unheard = blockedBy || (relation.declined === user && now - (relation.declinedAt ?? 0) < DECLINED);
      const waits = relation.asks === user && (relation.asked !== undefined || unheard);
      if (friends || waits) return null;
      const since = timestamp(this.clock);
      if (relation.asks === other) {
        await this.room(user, other);
        return this.verdict({ ...NOTHING, friends: true, since, declined: undefined, declinedAt: undefined }, [
          told(user, other, "friends"),
          told(other, user, "friends"),
        ]);
      }
      if (relation.asks !== user && (await this.records.count({ where: { asks: user } })) >= this.limits.friendRequests)
        throw new RookeryError("CONFLICT", `At most ${this.limits.friendRequests} requests wait for an answer.`);
      await mayAsk();
      const tally = await this.tally(relation, user, now);
      return this.verdict({ since, asks: user, asked: unheard ? undefined : other, ...tally }, [
        told(user, other, "requested"),
        ...(unheard ? [] : [told(other, user, "received")]),
      ]);
    });
  }

  /** Ends a friendship, withdraws a request or declines one. What is not there is ended already. */
  async unfriend(user: string, other: string): Promise<void> {
    if (!(await this.records.get(pairOf(user, other)))) return;
    await this.decide(user, other, async relation => {
      const { friends, asks, asked } = relation;
      const own = asks === user;
      if (!friends && !own && asked !== user) return null;
      const declined = asked === user && { declined: other, declinedAt: this.clock.now() };
      return this.verdict({ ...NOTHING, ...declined }, [
        told(user, other, "none"),
        // Of a request that was kept from him he is not told that it has ended.
        ...(own && asked === undefined ? [] : [told(other, user, "none")]),
      ]);
    });
  }

  /**
   * From now on the other cannot write to the user, see whether he is there, or find him. He is not told: a friendship ends
   * as if it had been removed, and what he has asked goes on waiting for an answer.
   */
  async block(user: string, other: string): Promise<void> {
    await this.decide(user, other, async relation => {
      const { blocks } = bond(relation, user);
      if (blocks) return null;
      if ((await this.blocksOf(user)).length >= this.limits.blocks)
        throw new RookeryError("CONFLICT", `At most ${this.limits.blocks} users are blocked.`);
      const { friends, asks, asked, since } = relation;
      const own = asks === user;
      const known = friends || own || asked === user;
      const ended: Wanted = asks === other ? { friends: undefined, asks, asked: undefined, since } : NOTHING;
      return this.verdict({ ...ended, [blockField(relation, user)]: timestamp(this.clock) }, [
        { to: user, note: { kind: "block", data: { userId: other, on: true } } },
        ...(known ? [told(user, other, "none")] : []),
        ...(friends || (own && asked !== undefined) ? [told(other, user, "none")] : []),
      ]);
    });
  }

  async unblock(user: string, other: string): Promise<void> {
    if (!(await this.records.get(pairOf(user, other)))) return;
    await this.decide(user, other, async relation => {
      if (!bond(relation, user).blocks) return null;
      const note: UserNote = { kind: "block", data: { userId: other, on: false } };
      return this.verdict({ [blockField(relation, user)]: undefined }, [{ to: user, note }]);
    });
  }

  async friendsOf(user: string): Promise<Other[]> {
    const [first, second] = await Promise.all([
      this.records.find({ where: { a: user, friends: true } }),
      this.records.find({ where: { b: user, friends: true } }),
    ]);
    return newestFirst([...first, ...second].map(relation => otherIn(relation, user, relation.since)));
  }

  async requestsOf(user: string): Promise<{ incoming: Other[]; outgoing: Other[] }> {
    const [asked, asks] = await Promise.all([
      this.records.find({ where: { asked: user }, sort: "-since", limit: SHOWN_REQUESTS }),
      this.records.find({ where: { asks: user } }),
    ]);
    const others = (found: StoredRelation[]) => newestFirst(found.map(one => otherIn(one, user, one.since)));
    return { incoming: others(asked), outgoing: others(asks) };
  }

  /** Whom the user blocks. */
  async blocksOf(user: string): Promise<Other[]> {
    const [first, second] = await Promise.all([
      this.records.find({ where: { a: user, aBlocks: EVER } }),
      this.records.find({ where: { b: user, bBlocks: EVER } }),
    ]);
    return newestFirst([
      ...first.map(relation => otherIn(relation, user, relation.aBlocks)),
      ...second.map(relation => otherIn(relation, user, relation.bBlocks)),
    ]);
  }

  /** Those who block the user. */
  async blockersOf(user: string): Promise<string[]> {
    const [first, second] = await Promise.all([
      this.records.find({ where: { a: user, bBlocks: EVER }, limit: MOST_BLOCKERS }),
      this.records.find({ where: { b: user, aBlocks: EVER }, limit: MOST_BLOCKERS }),
    ]);
    return [...first.map(({ b }) => b), ...second.map(({ a }) => a)].slice(0, MOST_BLOCKERS);
  }

  /** What others are to each of the viewers. Those who are nothing to him are left out. */
  async among(asks: readonly { viewer: string; users: readonly string[] }[]): Promise<Map<string, Bond>[]> {
    const ids = asks.flatMap(({ viewer, users }) => users.map(user => pairOf(viewer, user)));
    const found = await this.records.pick(ids, ["a", "b", "friends", "aBlocks", "bBlocks"]);
    return asks.map(({ viewer, users }) => {
      const bonds = new Map<string, Bond>();
      for (const user of users) {
        const relation = found.get(pairOf(viewer, user));
        if (relation) bonds.set(user, bond(relation, viewer));
      }
      return bonds;
    });
  }

  /** Of the pairs that changed since then, milliseconds since 1970, at most so many. */
  async changedSince(since: number, limit: number): Promise<RelationChange[]> {
    const found = await this.records.find({ where: { changedAt: { $gte: since } }, limit });
    return found.map(({ a, b }) => ({ user: a, other: b }));
  }

  /** A user was removed: nobody is anything to him any more. */
  async forget(user: string): Promise<void> {
    await this.records.removeWhere({ a: user });
    await this.records.removeWhere({ b: user });
  }

  /** Tells what was left untold. */
  async sweep(limit: number, report: (id: string, error: unknown) => void): Promise<void> {
    await this.staged.sweep(limit, report);
  }

  /** Throws CONFLICT where one of the two has as many friends as one may have. */
  private async room(user: string, other: string): Promise<void> {
    for (const one of [user, other])
      if ((await this.friendsOf(one)).length >= this.limits.friends)
        throw new RookeryError("CONFLICT", `One has at most ${this.limits.friends} friends.`);
  }

  /** What the record says after one more request. Throws RATE_LIMITED. */
  private async tally(
    { asker, askedAt = 0, asksInHour = 0 }: StoredRelation,
    user: string,
    now: number,
  ): Promise<Wanted> {
    const again = asker === user && now - askedAt < HOUR;
    const asked = again ? asksInHour : 0;
    const where = { asker: user, askedAt: { $gt: now - HOUR } };
    const over = again ? asked >= SAME : (await this.records.count({ where })) >= this.limits.friendRequestsPerHour;
    if (over && this.brakes)
      throw new RookeryError("RATE_LIMITED", "Too many requests to be friends.", { retryAfterMs: HOUR });
    return { asker: user, askedAt: again ? askedAt : now, asksInHour: asked + 1 };
  }

  private verdict(wanted: Wanted, changes: Telling[]): Verdict<StoredRelation, Telling> {
    return { edit: { ...wanted, changedAt: this.clock.now() }, changes };
  }

  private async decide(
    user: string,
    other: string,
    judge: (relation: StoredRelation) => Promise<Verdict<StoredRelation, Telling> | null>,
  ): Promise<StoredRelation> {
    if (user === other) throw new RookeryError("INVALID", "userId: Name somebody else.");
    const id = pairOf(user, other);
    const [a, b] = id.split(":") as [string, string];
    await this.staged.begin({ id, a, b, changedAt: 0 });
    return this.staged.decide(id, judge);
  }
}

/** Neither friends nor about to be. */
const NOTHING: Wanted = { friends: undefined, since: undefined, asks: undefined, asked: undefined };

const pairOf = (one: string, other: string): string => [one, other].sort().join(":");

const told = (to: string, userId: string, state: FriendState): Telling => ({
  to,
  note: { kind: "friend", data: { userId, state } },
});

const blockField = ({ a }: StoredRelation, user: string): "aBlocks" | "bBlocks" => (user === a ? "aBlocks" : "bBlocks");

interface Facts {
  a: string;
  friends?: true | null;
  aBlocks?: string | null;
  bBlocks?: string | null;
}

/** What the other of the two is to the user. */
function bond({ a, friends, aBlocks, bBlocks }: Facts, user: string): Bond {
  const [own, others] = user === a ? [aBlocks, bBlocks] : [bBlocks, aBlocks];
  return { friends: friends === true, blocks: typeof own === "string", blockedBy: typeof others === "string" };
}

const otherIn = ({ a, b }: StoredRelation, user: string, since = ""): Other => ({ id: user === a ? b : a, since });

const newestFirst = (others: Other[]): Other[] =>
  others.sort((one, two) => (one.since === two.since ? (one.id < two.id ? -1 : 1) : one.since < two.since ? 1 : -1));
