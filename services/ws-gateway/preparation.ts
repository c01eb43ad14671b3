import type { RoomAccess } from "../core/contract";
import { RookeryError } from "../core/errors";
import { isId } from "../core/ids";
import type { Connection } from "./connection";
import { isWhole, type RoomFeed } from "./feed";
import type { FollowedRooms } from "./followed-rooms";
import type { Memberships } from "./memberships";
import { askAccess } from "./rights";

export interface PreparationDependencies {
  rooms: FollowedRooms;
  memberships: Memberships;
  access(user: string, browses: boolean, rooms: string[]): Promise<RoomAccess[]>;
}

/** What a subscription is decided by. The access was true at some time since the feed is whole; absent: there is no feed. */
export interface Prepared {
  access: RoomAccess;
  feed: RoomFeed | undefined;
}

/** Finds out what must be known before somebody reads: how far the rooms are, and whether he may. */
export class Preparation {
  constructor(private readonly with_: PreparationDependencies) {}

  /**
   * Position first, then access, so that whoever is cut meanwhile is not let in. One at a time for a connection: what passes
   * meanwhile is marked once a room.
   */
  async rights(connection: Connection, user: string, rooms: readonly string[]): Promise<Map<string, Prepared>> {
    const wanted = rooms.filter(isId);
    for (const room of wanted) this.with_.memberships.begin(connection, room);
    const followed = wanted.map(room => this.whole(room));
    const who = { user, browses: connection.browses };
    const allowed = await askAccess(this.with_.access, who, wanted);
    const prepared = new Map<string, Prepared>();
    for (const [at, room] of wanted.entries()) {
      const access = allowed.get(room);
      const feed = followed[at];
      // Nearly always all are followed already, and stay so.
      const known = access?.denied !== undefined || (feed !== undefined && this.whole(room) === feed);
      if (!known) return this.withNew(who, wanted, new Set(followed), allowed);
      if (access) prepared.set(room, { access, feed: access.denied === undefined ? feed : undefined });
    }
    return prepared;
  }

  /** The same where some are not followed yet. */
  private async withNew(
    who: { user: string; browses: boolean },
    wanted: readonly string[],
    followed: ReadonlySet<RoomFeed | undefined>,
    allowed: Map<string, RoomAccess>,
  ): Promise<Map<string, Prepared>> {
    const feeds = wanted.filter(room => !allowed.get(room)?.denied).map(room => this.with_.rooms.open(room).feed);
    await Promise.all(feeds.map(feed => feed.ready.catch(() => undefined)));
    // What was not followed while access was asked for is asked again: nothing may slip between the two.
    const fresh = feeds.filter(feed => isWhole(feed) && !followed.has(feed)).map(feed => feed.room);
    for (const [room, access] of await askAccess(this.with_.access, who, fresh)) allowed.set(room, access);
    const feedOf = new Map(feeds.map(feed => [feed.room, feed]));
    return new Map(Array.from(allowed, ([room, access]) => [room, { access, feed: feedOf.get(room) }]));
  }

  /** For readers that know of offsets we do not: looks whether the log is that far. Where it does not tell, they are denied. */
  async reach(from: ReadonlyMap<string, number>, prepared: Map<string, Prepared>): Promise<void> {
    for (const room of await this.with_.rooms.reach(from)) {
      const known = prepared.get(room);
      if (known && !known.access.denied)
        prepared.set(room, { ...known, access: { ...known.access, denied: "UNAVAILABLE" } });
    }
  }

  /** Follows a user's own feed, at least as far as he knows of it. Undefined if that is done already. */
  feed(user: string, n: number | null): Promise<void> | undefined {
    const { feed } = this.with_.rooms.open(user);
    return isWhole(feed) && (n === null || n <= feed.offset) ? undefined : this.reachFeed(feed, user, n);
  }

  private async reachFeed(feed: RoomFeed, user: string, n: number | null): Promise<void> {
    await feed.ready;
    if (n === null) return;
    const [unreached] = await this.with_.rooms.reach(new Map([[user, n]]));
    if (unreached !== undefined) throw new RookeryError("UNAVAILABLE");
  }

  private whole(room: string): RoomFeed | undefined {
    const feed = this.with_.rooms.get(room)?.feed;
    return feed && isWhole(feed) ? feed : undefined;
  }
}
