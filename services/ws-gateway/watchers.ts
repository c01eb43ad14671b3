import type { Events, PresenceChange } from "../core/contract";
import type { PresenceStatus } from "../core/model";
import { encode } from "../core/protocol";
import type { Connection } from "./connection";

/** Users of one question. */
const BATCH = 500;
/** Runs of presence nodes whose numbers are remembered. */
const OWNERS = 16;

interface Watched {
  by: Set<Connection>;
  /** As last told; undefined while nobody has said. */
  status: PresenceStatus | undefined;
  /** When it was last known, counted in questions and events: an event is newer than the answer to an earlier question. */
  knownAt: number;
}

/**
 * Who watches whose presence on this gateway. Changes come by events that may be lost: each owner numbers its own, and
 * where a number is missing, or a new owner speaks, everybody watched is asked for again.
 */
export class Watchers {
  private readonly users = new Map<string, Watched>();
  /** Last number by owner, the one longest silent first. */
  private readonly owners = new Map<string, number>();
  private stale = false;
  private asking = false;
  private moment = 0;

  /** @param ask what some users are now */
  constructor(private readonly ask: (users: string[]) => Promise<PresenceChange[]>) {}

  /** Replaces what a connection watches. Rejects if presence does not answer; the set holds all the same. */
  async watch(connection: Connection, users: readonly string[]): Promise<PresenceChange[]> {
    this.replace(connection, users);
    const asked = ++this.moment;
    const changes = await this.ask([...connection.watched]).catch((error: unknown) => {
      // He is told as soon as it is known.
      this.stale = true;
      throw error;
    });
    this.tell(changes, asked, connection);
    return changes.map(({ user, status }) => ({ user, status: this.users.get(user)?.status ?? status }));
  }

  forget(connection: Connection): void {
    this.replace(connection, []);
  }

  changed({ owner, n, changes }: Events["presence.changed"]): void {
    const last = this.owners.get(owner);
    if (last !== undefined && n <= last) return;
    if (last === undefined || n > last + 1) this.refresh();
    this.owners.delete(owner);
    this.owners.set(owner, n);
    for (const oldest of this.owners.keys()) if (this.owners.size > OWNERS) this.owners.delete(oldest);
    this.tell(changes, ++this.moment);
  }

  /** Asks for everybody again: something may have been missed. */
  refresh(): void {
    this.stale = true;
    void this.settle();
  }

  /** For a timer: asks again for what was not answered. */
  async settle(): Promise<void> {
    if (!this.stale || this.asking) return;
    this.asking = true;
    this.stale = false;
    try {
      const users = [...this.users.keys()];
      for (let from = 0; from < users.length; from += BATCH) {
        const asked = ++this.moment;
        this.tell(await this.ask(users.slice(from, from + BATCH)), asked);
      }
    } catch {
      this.stale = true;
    } finally {
      this.asking = false;
    }
  }

  /** Tells what is news, once a connection. The one that has just asked is answered by whoever asked for it. */
  private tell(changes: readonly PresenceChange[], asOf: number, asker?: Connection): void {
    const told = new Map<Connection, PresenceChange[]>();
    for (const change of changes) {
      const watched = this.users.get(change.user);
      if (!watched || watched.knownAt > asOf) continue;
      watched.knownAt = asOf;
      if (watched.status === change.status) continue;
      watched.status = change.status;
      for (const connection of watched.by) {
        if (connection === asker) continue;
        const list = told.get(connection);
        if (list) list.push(change);
        else told.set(connection, [change]);
      }
    }
    for (const [connection, list] of told) connection.reply(encode({ t: "presence", changes: list }));
  }

  private replace(connection: Connection, users: readonly string[]): void {
    for (const user of connection.watched) {
      const watched = this.users.get(user);
      watched?.by.delete(connection);
      if (watched?.by.size === 0) this.users.delete(user);
    }
    connection.watched = new Set(users);
    for (const user of connection.watched) {
      const watched = this.users.get(user);
      if (watched) watched.by.add(connection);
      else this.users.set(user, { by: new Set([connection]), status: undefined, knownAt: 0 });
    }
  }
}
