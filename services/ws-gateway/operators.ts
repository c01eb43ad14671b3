import type { Clock } from "../core/clock";
import { CLOSES } from "../core/closes";
import type { GatewayRoom, GatewaySocket } from "../core/contract";
import { Few } from "../core/few";
import type { Connection } from "./connection";
import type { Hub } from "./hub";

export interface OperatorsDependencies {
  /** Open sockets, the oldest first. */
  connections: ReadonlySet<Connection>;
  hub: Hub;
  clock: Clock;
}

/** What operators may see of this gateway and do to it. Nothing that clients said is in it. */
export class Operators {
  constructor(private readonly with_: OperatorsDependencies) {}

  sockets(user: string | undefined, limit: number): { total: number; items: GatewaySocket[] } {
    const { connections, hub, clock } = this.with_;
    const all = user === undefined ? connections : (hub.users.get(user) ?? new Few<Connection>());
    const startOfClock = clock.now() - clock.monotonic();
    const items: GatewaySocket[] = [];
    for (const { socket, token, roomCount, openedAt } of all) {
      if (items.length === limit) break;
      items.push({
        user: token?.identity.id ?? null,
        username: token?.identity.username ?? null,
        session: token?.identity.sid ?? null,
        since: Math.round(startOfClock + openedAt),
        rooms: roomCount,
        address: socket.address,
        backlog: socket.buffered,
      });
    }
    return { total: all.size, items };
  }

  room(id: string): GatewayRoom | null {
    const feed = this.with_.hub.feed(id);
    if (!feed) return null;
    const { readers, replaying } = this.with_.hub.readers(id);
    return {
      subscribers: readers,
      replaying,
      offset: feed.head.offset < 0 ? null : feed.head.offset,
      behind: feed.behind,
      waiting: feed.waiting,
      ring: feed.ringSize,
      tookAt: feed.lastTookAt,
    };
  }

  took(room: string, offset: number): { took: boolean; at: number | null } {
    const feed = this.with_.hub.feed(room);
    return { took: feed?.took(offset) ?? false, at: feed?.tookAt(offset) ?? null };
  }

  /** Closes the sockets of a session, as if it had been revoked. Returns how many. */
  kick(session: string): number {
    const own = [...this.with_.connections].filter(({ token }) => token?.identity.sid === session);
    for (const connection of own) connection.end(CLOSES.SESSION_REVOKED);
    return own.length;
  }
}
