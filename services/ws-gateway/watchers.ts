import type { Events, PresenceChange, RelationChange } from "../core/contract";
import type { PresenceStatus } from "../core/model";
import { encode } from "../core/protocol";
import type { Connection } from "./connection";

/** Users of one question. */
const BATCH = 500;
/** Connections of one question about who may see whom, and users they watch together. */
const VIEWERS = 500;
const VIEWED = 1_000;
/** Runs of presence nodes whose numbers are remembered. */
const OWNERS = 16;

interface Watched {
  by: Set<Connection>;
  /** As last told; undefined while nobody has said. */
  status: PresenceStatus | undefined;
  /** When it was last known, counted in questions and events: an event is newer than the answer to an earlier question. */
  knownAt: number;
}

/** What somebody asks to see of whom. */
export interface SightAsk {
  viewer: string;
  /** Also whom he does not know. */
  finds: boolean;
  users: string[];
}

/**
 * Who watches whose presence on this gateway. Changes come by events that may be lost: each owner numbers its own, and
 * where a number is missing, or a new owner speaks, everybody watched is asked for again. Whose presence is not for him a
 * connection watches all the same, and is told that he is offline: until it is known whether it is, and whenever it is not.
 */
export class Watchers {
  private readonly users = new Map<string, Watched>();
  /** Last number by owner, the one longest silent first. */
  private readonly owners = new Map<string, number>();
  private stale = false;
  private asking = false;
  private moment = 0;

  /** Connections of which it is to be asked anew whom they may see. */
  private unsure = new Set<Connection>();
  private looking = false;

  /**
   * @param ask what some users are now
   * @param askUnseen of each list those whose presence is not for its viewer
   */
  constructor(
    private readonly ask: (users: string[]) => Promise<PresenceChange[]>,
    private readonly askUnseen: (asks: SightAsk[]) => Promise<string[][]>,
  ) {}

  /** Replaces what a connection watches. Rejects if presence does not answer; the set holds all the same. */
  async watch(connection: Connection, users: readonly string[]): Promise<PresenceChange[]> {
    this.replace(connection, users);
    const asked = ++this.moment;
    const wanted = [...connection.watched];
    const [changes] = await Promise.all([this.ask(wanted), this.see([connection], false)]).catch((error: unknown) => {
      // He is told as soon as it is known.
      this.stale = true;
      this.unsure.add(connection);
      throw error;
    });
    this.tell(changes, asked, connection);
    return changes.map(({ user, status }) => ({
      user,
      status: connection.unseen.has(user) ? "offline" : (this.users.get(user)?.status ?? status),
    }));
  }

  /** What people may see of each other may have changed; null: nobody knows of whom. */
  related(changes: readonly RelationChange[] | null): void {
    if (!changes) for (const { by } of this.users.values()) for (const connection of by) this.unsure.add(connection);
    for (const { user, other } of changes ?? []) {
      for (const connection of this.users.get(user)?.by ?? [])
        if (other === null || connection.user === other) this.unsure.add(connection);
      for (const connection of this.users.get(other ?? "")?.by ?? [])
        if (connection.user === user) this.unsure.add(connection);
    }
    void this.look();
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
    void this.look();
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

  /** Asks again, for those of whom it is in doubt, whom they may see. */
  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      while (this.unsure.size > 0) {
        const next = this.takeUnsure();
        await this.see(next, true).catch((error: unknown) => {
          for (const connection of next) this.unsure.add(connection);
          throw error;
        });
      }
    } catch {
      // The timer asks again.
    } finally {
      this.looking = false;
    }
  }

  private takeUnsure(): Connection[] {
    const taken: Connection[] = [];
    let viewed = 0;
    for (const connection of this.unsure) {
      viewed += connection.watched.size;
      if (taken.length === VIEWERS || (viewed > VIEWED && taken.length > 0)) break;
      taken.push(connection);
      this.unsure.delete(connection);
    }
    return taken;
  }

  /** Finds out whom they may see; of two answers the one that was asked for later counts. */
  private async see(connections: readonly Connection[], tells: boolean): Promise<void> {
    const asked = ++this.moment;
    const sets = connections.map(({ watched }) => watched);
    const asks = connections.map(({ user = "", finds, watched }) => ({ viewer: user, finds, users: [...watched] }));
    const answers = asks.some(({ users }) => users.length > 0) ? await this.askUnseen(asks) : [];
    connections.forEach((connection, at) => {
      if (connection.watched !== sets[at] || connection.sightAt > asked) return;
      connection.sightAt = asked;
      const before = connection.unseen;
      connection.unseen = new Set(answers[at]);
      if (tells) this.tellSight(connection, before);
    });
  }

  /** Tells of those who have come into sight, or have gone out of it. */
  private tellSight(connection: Connection, before: ReadonlySet<string>): void {
    const changes = [...connection.watched].flatMap((user): PresenceChange[] => {
      const hidden = connection.unseen.has(user);
      if (hidden === before.has(user) || this.users.get(user)?.status !== "online") return [];
      return [{ user, status: hidden ? "offline" : "online" }];
    });
    if (changes.length > 0) connection.reply(encode({ t: "presence", changes }));
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
        if (connection === asker || connection.unseen.has(change.user)) continue;
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
    connection.unseen = connection.watched;
    if (users.length === 0) this.unsure.delete(connection);
    for (const user of connection.watched) {
      const watched = this.users.get(user);
      if (watched) watched.by.add(connection);
      else this.users.set(user, { by: new Set([connection]), status: undefined, knownAt: 0 });
    }
  }
}
