import type { Wire } from "../../config/metrics";
import type { Close } from "../core/closes";
import type { ErrorCode } from "../core/errors";
import { browses, findsAll } from "../core/permissions";
import type { RawFrame } from "../core/protocol";
import type { VerifiedToken } from "../core/tokens";
import type { Socket } from "./engine";
import type { PendingRights } from "./rights";

/** The end of a subscription whose reader was taken out while he was behind. */
export interface Ending {
  /** Offset of the entry that took him out: the last he gets. */
  at: number;
  code: ErrorCode;
  /** Offsets of messages that were changed after it: as they are now they are not for him. */
  changed: Set<number>;
}

/** A room of a connection. */
export interface Subscription {
  /** May send, type and mark there; follows the room's log. */
  member: boolean;
  /** Anybody may read it, so leaving does not end the reading. */
  open: boolean;
  /** Gets bumps in place of entries, and is never behind. */
  passive: boolean;
  /** Offset up to which messages are not for him, nor what happens to them; 0: he sees all. Of passive ones always 0. */
  visibleFrom: number;
  /** Entries up to here were sent or announced; null once nothing is left to be replayed. */
  cursor: number | null;
  /** Bytes replayed so far. */
  replayed: number;
  /** Until it is known whether he may still read, and from where on, he gets nothing; else null. */
  pending: PendingRights | null;
  /** The last entry he got before that, if he goes on after it; null: what passes meanwhile is skipped. */
  resume: number | null;
  /** Nothing but the rest of its replay is left of it; else null. */
  ending: Ending | null;
}

/** How somebody reads a room. */
export type Manner = Pick<Subscription, "member" | "open" | "passive" | "visibleFrom">;

/** Nothing is left to be done for most, so these eight are theirs: one of its own for each takes half a KiB of five rooms. */
const LIVE = Array.from({ length: 8 }, (_, bits) =>
  Object.freeze(fresh({ member: (bits & 4) !== 0, open: (bits & 2) !== 0, passive: (bits & 1) !== 0, visibleFrom: 0 })),
);

const live = ({ member, open, passive }: Manner): Readonly<Subscription> =>
  LIVE[(member ? 4 : 0) + (open ? 2 : 0) + (passive ? 1 : 0)] as Subscription;

function fresh({ member, open, passive, visibleFrom }: Manner): Subscription {
  return { member, open, passive, visibleFrom, cursor: null, replayed: 0, pending: null, resume: null, ending: null };
}

/** A subscription as it begins. @param cursor null: from now on */
export const subscription = (manner: Manner, cursor: number | null): Readonly<Subscription> =>
  cursor === null && manner.visibleFrom === 0 ? live(manner) : { ...fresh(manner), cursor };

/** The same for all who have none. */
const NOBODY: ReadonlySet<string> = new Set();
const NO_ROOMS: readonly string[] = [];

/** The engine's publish of entries does all that is left to do. */
export const isLive = ({ cursor, pending, passive }: Subscription): boolean =>
  cursor === null && pending === null && !passive;

/**
 * One socket's state. Answers are collected and leave together at the end of the tick; whatever must keep its place before
 * a subscription goes live is flushed at once.
 */
export class Connection {
  token: VerifiedToken | null = null;
  /** By id; under the id of its user, his own feed. */
  readonly rooms = new Map<string, Readonly<Subscription>>();
  /** Rooms still being replayed, in turn. */
  replaying: readonly string[] = NO_ROOMS;
  pumping = false;
  /** Changes of subscriptions that wait for the one under way, in the order they were asked for; null while none is. */
  turns: (() => void)[] | null = null;
  watched: ReadonlySet<string> = NOBODY;
  /** Of these, whose presence is not for its user, and when that was asked, counted as `Watchers` counts. */
  unseen: ReadonlySet<string> = NOBODY;
  sightAt = 0;
  /** Told that the token is about to expire. */
  warned = false;
  /** Hello was said and is answered, or not refused yet. */
  greeted = false;
  /** Hello was refused because we could not tell who it is: he may try again. */
  putOff = false;
  /** Monotonic milliseconds at which a gateway that is drained closes it; else null. */
  leaveAt: number | null = null;
  /** What it asked for and is not answered yet, subscriptions left out. */
  private underWay = 0;
  /** It is to be closed when that is answered; null: it goes on. */
  private leaving: Close | null = null;
  /** Monotonic milliseconds at which it is closed though something was not answered. */
  endBy = Infinity;
  /** The token of a program that its access token was made for. */
  bearer: string | null = null;
  /** What it said while its token is looked up; null: nothing is. */
  held: RawFrame[] | null = null;
  /** Its bucket of frames, see `untilToken`. */
  framesFullAt = 0;
  /** The same of all it says. */
  saidFullAt = 0;
  private outbox: string[] | null = null;

  constructor(
    readonly socket: Socket,
    /** Monotonic milliseconds. */
    readonly openedAt: number,
    private readonly scheduleFlush: (connection: Connection) => void,
  ) {}

  get wire(): Wire {
    return this.socket.wire ?? "native";
  }

  get user(): string | undefined {
    return this.token?.identity.id;
  }

  /** Public channels are there for its user, also where he is no member. */
  get browses(): boolean {
    return this.token !== null && browses(this.token.identity);
  }

  /** Its user finds also those whom he does not know. */
  get finds(): boolean {
    return this.token !== null && findsAll(this.token.identity);
  }

  /** Rooms it reads; its user's own feed is none. */
  get roomCount(): number {
    return this.rooms.size - (this.rooms.has(this.user ?? "") ? 1 : 0);
  }

  get closed(): boolean {
    return this.socket.closed;
  }

  /** The subscription to a room of which it has one, to be changed. */
  own(room: string): Subscription {
    const known = this.rooms.get(room) ?? fresh({ member: false, open: false, passive: false, visibleFrom: 0 });
    if (!Object.isFrozen(known)) return known;
    const own = { ...known };
    this.rooms.set(room, own);
    return own;
  }

  /** Has a room replayed after those that are. */
  replay(room: string): void {
    if (!this.replaying.includes(room)) this.replaying = [...this.replaying, room];
  }

  /** Sends at the end of the tick, joined with what else goes out. */
  reply(frame: string): void {
    if (this.outbox) return void this.outbox.push(frame);
    this.outbox = [frame];
    this.scheduleFlush(this);
  }

  flush(): void {
    if (!this.outbox) return;
    const text = this.outbox.length === 1 ? (this.outbox[0] as string) : this.outbox.join("\n");
    this.outbox = null;
    this.socket.send(text);
  }

  /** Takes nothing more, and ends when what is under way is answered. */
  leave(close: Close, endBy = Infinity): void {
    this.leaving = close;
    this.endBy = endBy;
    if (this.underWay === 0) this.end(close);
  }

  /** What it leaves with; null: it goes on. */
  get left(): Close | null {
    return this.leaving;
  }

  /** Something begins that is to be answered before a leave. */
  begun(): void {
    this.underWay++;
  }

  /** It was answered. */
  answered(): void {
    this.underWay--;
    if (this.leaving && this.underWay === 0) this.end(this.leaving);
  }

  end({ code, reason }: Close): void {
    this.flush();
    this.socket.end(code, reason);
  }
}

/** A tick's answers to one socket leave in one frame. */
export class Outboxes {
  private dirty: Connection[] = [];

  readonly flushLater = (connection: Connection): void => {
    if (this.dirty.length === 0)
      setImmediate(() => {
        const dirty = this.dirty;
        this.dirty = [];
        for (const one of dirty) one.flush();
      });
    this.dirty.push(connection);
  };
}
