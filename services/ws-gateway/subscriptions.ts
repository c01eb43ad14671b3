import { CLOSES } from "../core/closes";
import type { Clock } from "../core/clock";
import { Deadlines } from "../core/deadline";
import { invalidField, publicError, readError, RookeryError } from "../core/errors";
import { jittered } from "../core/jitter";
import type { Limits } from "../core/limits";
import { answer, encode, errorAnswer, welcomeFrame, type FrameOf } from "../core/protocol";
import type { VerifiedToken } from "../core/tokens";
import type { Connection } from "./connection";
import type { Hub } from "./hub";
import type { Prepared } from "./preparation";

export interface SubscriptionDependencies {
  hub: Hub;
  /** Of the store; a promise until it is known. */
  epoch(): string | Promise<string>;
  limits: Limits;
  clock: Clock;
  /** As `welcome` tells them. */
  publicLimits: object;
}

/** What a connection is to read from now on. */
interface Wanted {
  rooms: readonly string[];
  /** Offsets after which to go on; null or none: from the head. */
  from: Record<string, number | null>;
  sameEpoch: boolean;
  /** Passively, where the room is large. */
  passive?: boolean;
  /** Also its user's own feed, after the note `n`; null: from the head. */
  feed?: { n: number | null };
}

type OwnFeed = ReturnType<Hub["admitFeed"]>;
/** Makes the answer; null for who wants none. */
type Answered = (rooms: object, feed: OwnFeed | undefined) => string | null;

/** Changes of subscriptions of one connection that may wait. */
const TURNS = 1_000;
/** Milliseconds, on the average, until one comes back who came when too many did. */
const PUT_OFF = 3_000;
/** Milliseconds within which a change of subscriptions is answered, its turn included. */
const ANSWER = 9_000;

/**
 * What connections read: hello, sub and unsub, one after another for each connection. When a thousand come back at once
 * this is what they wait for, so where everything is known already nothing is made but the one question for rights: no
 * timer and few promises.
 */
export class Subscriptions {
  private readonly deadlines: Deadlines;
  /** Hellos that are being answered. */
  private greeting = 0;
  /** JSON, made once. */
  private readonly limits: string;

  constructor(private readonly with_: SubscriptionDependencies) {
    this.deadlines = new Deadlines(() => with_.clock.monotonic());
    this.limits = JSON.stringify(with_.publicLimits);
  }

  hello(connection: Connection, frame: FrameOf<"hello">, i: number | undefined): void {
    if (this.greeting >= this.with_.limits.hellos) return this.putOff(connection, i);
    this.greeting++;
    const { rooms = {}, epoch, n = null } = frame;
    const greet = async (deadline: number): Promise<void> => {
      const known = this.with_.epoch();
      const current = typeof known === "string" ? known : await this.before(deadline, known);
      const sameEpoch = epoch === undefined || epoch === current;
      const wanted = { rooms: Object.keys(rooms), from: rooms, sameEpoch, feed: { n } };
      return this.subscribe(connection, deadline, wanted, (states, feed) => {
        if (i === undefined || !feed) return null;
        const { identity } = connection.token as VerifiedToken;
        return welcomeFrame(i, identity, current, feed, this.limits, states);
      });
    };
    const answered = (): void => void this.greeting--;
    const work = (deadline: number): Promise<void> => greet(deadline).finally(answered);
    this.inTurn(connection, i, work, () => void (connection.greeted = false));
  }

  /** More at a time would only all be late: who comes beyond them does so again when these are through. */
  private putOff(connection: Connection, i: number | undefined): void {
    const retryAfterMs = jittered(PUT_OFF);
    if (i !== undefined)
      connection.reply(errorAnswer(i, publicError(new RookeryError("UNAVAILABLE", undefined, { retryAfterMs }))));
    connection.reply(encode({ t: "reconnect", afterMs: retryAfterMs }));
    connection.end(CLOSES.BUSY);
  }

  sub(connection: Connection, { rooms, from = {}, mode }: FrameOf<"sub">, i: number | undefined): void {
    const wanted = { rooms, from, sameEpoch: true, passive: mode === "passive" };
    this.inTurn(connection, i, deadline =>
      this.subscribe(connection, deadline, wanted, states =>
        i === undefined ? null : answer("ok", i, { rooms: states }),
      ),
    );
  }

  unsub(connection: Connection, { rooms }: FrameOf<"unsub">, i: number | undefined): void {
    this.inTurn(connection, i, async () => {
      for (const room of rooms) this.with_.hub.leave(connection, room);
      if (i !== undefined) connection.reply(answer("ok", i));
    });
  }

  private async subscribe(
    connection: Connection,
    deadline: number,
    { rooms, from, sameEpoch, passive, feed }: Wanted,
    answered: Answered,
  ): Promise<void> {
    const { hub } = this.with_;
    const user = connection.user ?? "";
    const wanted = rooms.length > 1 ? [...new Set(rooms)] : rooms;
    this.checkCount(connection, wanted, user);
    const offsets = new Map<string, number>();
    for (const room of wanted) if (Object.hasOwn(from, room) && from[room] != null) offsets.set(room, from[room]);
    const allowed = await this.before(deadline, this.prepare(connection, user, wanted, offsets, feed)).catch(
      (error: unknown) => {
        hub.abandon(connection, wanted);
        throw error;
      },
    );
    if (connection.closed) return hub.abandon(connection, wanted);
    // From here to `run` in one go: the answer comes first, the next event is the one after the offset it names.
    const own = feed && hub.admitFeed(connection, feed.n, sameEpoch);
    const states = hub.admit(connection, wanted, allowed, offsets, sameEpoch, passive);
    const text = answered(states, own);
    if (text !== null) connection.reply(text);
    connection.flush();
    hub.run(connection, feed ? [user, ...wanted] : wanted);
  }

  /** Follows what is wanted, as far as the reader knows of it, and finds out what he may read. */
  private prepare(
    connection: Connection,
    user: string,
    wanted: readonly string[],
    offsets: ReadonlyMap<string, number>,
    feed: Wanted["feed"],
  ): Promise<Map<string, Prepared>> {
    const { hub } = this.with_;
    const rights = hub.prepare(connection, user, wanted);
    const followed = feed && hub.prepareFeed(user, feed.n);
    if (!followed && offsets.size === 0) return rights;
    return Promise.all([rights, followed]).then(async ([prepared]) => {
      await hub.reach(offsets, prepared);
      return prepared;
    });
  }

  private checkCount({ rooms, socket }: Connection, wanted: readonly string[], user: string): void {
    const limit = this.with_.limits.rooms + (socket.ownRooms ?? 0);
    if (rooms.size + wanted.length <= limit) return;
    const all = new Set([...rooms.keys(), ...wanted]);
    all.delete(user);
    if (all.size > limit) throw invalidField("rooms", `At most ${this.with_.limits.rooms}.`);
  }

  /**
   * Answers errors, after what the connection asked for before.
   * @param work is told by when (monotonic) it must be done
   */
  private inTurn(
    connection: Connection,
    i: number | undefined,
    work: (deadline: number) => Promise<void>,
    refused?: () => void,
  ): void {
    const deadline = this.with_.clock.monotonic() + ANSWER;
    const turn = (): void => {
      if (connection.closed) return;
      const next = (): void => {
        const after = connection.turns?.shift();
        if (after) after();
        else connection.turns = null;
      };
      work(deadline).then(next, (error: unknown) => {
        refused?.();
        if (i !== undefined && !connection.closed) connection.reply(errorAnswer(i, readError(error)));
        next();
      });
    };
    if (!connection.turns) {
      connection.turns = [];
      turn();
    } else if (connection.turns.length < TURNS) connection.turns.push(turn);
    else throw new RookeryError("RATE_LIMITED", "Too many subscriptions at once.");
  }

  private before<T>(deadline: number, work: Promise<T>): Promise<T> {
    return this.deadlines.within(deadline, work);
  }
}
