import type { Clock } from "../core/clock";
import type { AppendAnswer, AppendRequest, UserOperation } from "../core/contract";
import { publicError, readError, RookeryError, type PublicError } from "../core/errors";
import type { Limits } from "../core/limits";
import { sendOf } from "../core/send";
import { isMethod, isRead, type MethodName } from "../core/methods";
import type { HistoryWindow, Identity } from "../core/model";
import { answer, encode, errorAnswer, sentFrame, welcomeUser, type ClientFrame, type FrameOf } from "../core/protocol";
import type { RoomBus } from "../core/room-bus";
import type { Connection } from "./connection";
import { within } from "../core/deadline";
import type { Hub } from "./hub";
import type { Watchers } from "./watchers";

/** The services, called as a user. */
export interface Services {
  epoch(): Promise<string>;
  history(user: Identity, room: string, query: object): Promise<HistoryWindow>;
  mark(user: Identity, type: "read" | "delivered", room: string, seq: number): Promise<void>;
  isMember(user: Identity, room: string): Promise<boolean>;
  call(user: Identity, method: MethodName, params: object): Promise<unknown>;
}

/** Takes entries to the writers of their rooms; each is answered exactly once. */
export interface Writers {
  add(request: AppendRequest, answered: (answer: AppendAnswer) => void): void;
}

export interface CommandDependencies {
  hub: Hub;
  watchers: Watchers;
  writers: Writers;
  bus: RoomBus;
  services: Services;
  limits: Limits;
  clock: Clock;
  publicLimits: object;
  sent(outcome: string): void;
  /** Meters that somebody is over a limit; true where he is to be refused. */
  overLimit(limit: string): boolean;
}

type Authenticated = Connection & { token: NonNullable<Connection["token"]> };
type Answered = Exclude<ClientFrame, { t: "hello" } | { t: "auth" } | { t: "ping" }>;

/** What a connection is to read from now on. */
interface Wanted {
  rooms: readonly string[];
  /** Offsets after which to go on; null or none: from the head. */
  from: Record<string, number | null>;
  sameEpoch: boolean;
  /** Also its user's own feed, after the note `n`; null: from the head. */
  feed?: { n: number | null };
}

/** Writes of one user that may be under way here. */
const PENDING = 256;
/** Changes of subscriptions of one connection that may wait. */
const TURNS = 100;
/** Milliseconds within which a change of subscriptions is answered, its turn included. */
const ANSWER = 9_000;
/** Milliseconds after which typing ends by itself, and for which a repeat is not told again. */
const TYPING = 6_000;
const TYPING_REPEAT = 3_000;

/** What each frame of a signed-in client does. Answers exactly once where it was asked to. */
export class Commands {
  /** Writes under way by user: one who floods waits for himself, not others for him. */
  private readonly pending = new Map<string, number>();
  private readonly typing = new Map<string, { room: string; user: string; toldAt: number; endsAt: number }>();

  constructor(private readonly with_: CommandDependencies) {}

  hello(connection: Connection, { rooms = {}, epoch, n = null }: FrameOf<"hello">, i: number | undefined): void {
    const { services, publicLimits } = this.with_;
    const refused = (): void => void (connection.greeted = false);
    const greet = async (deadline: number): Promise<void> => {
      const current = await this.before(deadline, services.epoch());
      const sameEpoch = epoch === undefined || epoch === current;
      const wanted = { rooms: Object.keys(rooms), from: rooms, sameEpoch, feed: { n } };
      await this.subscribe(connection, deadline, wanted, (states, feed) => {
        if (i === undefined) return null;
        const { identity } = (connection as Authenticated).token;
        return answer("welcome", i, {
          user: welcomeUser(identity),
          session: identity.sid,
          epoch: current,
          ...feed,
          limits: publicLimits,
          rooms: states,
        });
      });
    };
    this.inTurn(connection, i, greet, refused);
  }

  run(connection: Connection, frame: Answered, i: number | undefined): void {
    const { identity } = (connection as Authenticated).token;
    switch (frame.t) {
      case "send":
        return this.append(connection, frame.room, sendOf(frame), i);
      case "edit":
        return this.append(connection, frame.room, { op: "edit", id: frame.id, text: frame.text }, i);
      case "delete":
        return this.append(connection, frame.room, { op: "delete", id: frame.id }, i);
      case "react":
        return this.append(
          connection,
          frame.room,
          { op: "react", id: frame.id, emoji: frame.emoji, on: frame.on ?? true },
          i,
        );
      case "sub":
        return this.inTurn(connection, i, deadline =>
          this.subscribe(
            connection,
            deadline,
            { rooms: frame.rooms, from: frame.from ?? {}, sameEpoch: true },
            rooms => (i === undefined ? null : answer("ok", i, { rooms })),
          ),
        );
      case "unsub":
        return this.inTurn(connection, i, async () => {
          for (const room of frame.rooms) this.with_.hub.leave(connection, room);
          this.done(connection, i);
        });
      case "history": {
        const { t: _t, i: _i, room, before, after, around, limit } = frame;
        return this.read(connection, i, async () => {
          const query = { before, after, around, limit: limit ?? this.with_.limits.pageDefault };
          const { items, hasBefore, hasAfter } = await this.with_.services.history(identity, room, query);
          this.done(connection, i, { items, hasBefore, hasAfter });
        });
      }
      case "read":
      case "delivered":
        return this.later(connection, i, async () => {
          await this.with_.services.mark(identity, frame.t, frame.room, frame.seq);
          this.done(connection, i);
        });
      case "typing":
        return this.read(connection, i, async () => {
          await this.type(connection, identity, frame.room, frame.on ?? true);
          this.done(connection, i);
        });
      case "watch":
        return this.read(connection, i, async () => {
          if (frame.users.length > this.with_.limits.watch) throw tooMany("users", this.with_.limits.watch);
          const changes = await this.with_.watchers.watch(connection, frame.users);
          this.done(connection, i);
          if (changes.length > 0) connection.reply(encode({ t: "presence", changes }));
        });
      case "call":
        return this[isRead(frame.method) ? "read" : "later"](connection, i, async () => {
          if (!isMethod(frame.method)) throw new RookeryError("NOT_FOUND", "There is no such method.");
          this.done(connection, i, {
            result: (await this.with_.services.call(identity, frame.method, frame.params ?? {})) ?? null,
          });
        });
    }
  }

  closed(connection: Connection): void {
    this.with_.watchers.forget(connection);
    const { user } = connection;
    if (user !== undefined && this.typing.size > 0)
      for (const room of connection.rooms.keys()) this.endTyping(room, user);
  }

  /** Ends typing that nobody ended. */
  sweep(): void {
    const now = this.with_.clock.monotonic();
    for (const [key, { room, user, endsAt }] of this.typing) {
      if (endsAt > now) continue;
      this.typing.delete(key);
      this.with_.bus.publish({ type: "signal", room, signal: { type: "typing", user, on: false } });
    }
  }

  private async subscribe(
    connection: Connection,
    deadline: number,
    { rooms, from, sameEpoch, feed }: Wanted,
    answered: (states: object, feed: object | undefined) => string | null,
  ): Promise<void> {
    const { hub, limits } = this.with_;
    const user = connection.user ?? "";
    const wanted = [...new Set(rooms)];
    const all = new Set([...connection.rooms.keys(), ...wanted]);
    all.delete(user);
    if (all.size > limits.rooms) throw tooMany("rooms", limits.rooms);
    const offsets = new Map(wanted.map(room => [room, Object.hasOwn(from, room) ? (from[room] ?? null) : null]));
    const prepare = async () => {
      const [rights] = await Promise.all([
        hub.prepare(connection, user, wanted),
        feed && hub.prepareFeed(user, feed.n),
      ]);
      await hub.reach(new Map([...offsets].filter((entry): entry is [string, number] => entry[1] !== null)), rights);
      return rights;
    };
    const allowed = await this.before(deadline, prepare()).catch((error: unknown) => {
      hub.abandon(connection, wanted);
      throw error;
    });
    if (connection.closed) return hub.abandon(connection, wanted);
    // From here to `run` in one go: the answer comes first, the next event is the one after the offset it names.
    const own = feed && hub.admitFeed(connection, feed.n, sameEpoch);
    const states = hub.admit(connection, wanted, allowed, offsets, sameEpoch);
    const answerText = answered(states, own);
    if (answerText !== null) connection.reply(answerText);
    connection.flush();
    hub.run(connection, feed ? [user, ...wanted] : wanted);
  }

  private append(connection: Connection, room: string, entry: UserOperation, i: number | undefined): void {
    const user = (connection as Authenticated).token.identity;
    const request: AppendRequest = { room, user, entry };
    // Who has sent types no more; his next key is news again.
    if (entry.op === "send") this.endTyping(room, user.id);
    const pending = this.pending.get(user.id) ?? 0;
    if (pending >= PENDING && this.with_.overLimit("pending"))
      throw new RookeryError("RATE_LIMITED", "Too many messages on their way.", { retryAfterMs: 100 });
    this.pending.set(user.id, pending + 1);
    this.with_.writers.add(request, result => {
      this.settled(user.id);
      this.with_.sent(result.ok ? "ok" : result.error.code);
      if (i === undefined || connection.closed) return;
      connection.reply(result.ok ? sentFrame(i, result.data, result.duplicate === true) : errorAnswer(i, result.error));
    });
  }

  private settled(user: string): void {
    const left = (this.pending.get(user) ?? 1) - 1;
    if (left > 0) this.pending.set(user, left);
    else this.pending.delete(user);
  }

  private async type(connection: Connection, { id: user }: Identity, room: string, on: boolean): Promise<void> {
    const known = connection.rooms.get(room);
    if (!known?.member && !(await this.with_.services.isMember((connection as Authenticated).token.identity, room)))
      throw new RookeryError("FORBIDDEN", "Only members type here.");
    const key = `${room} ${user}`;
    const now = this.with_.clock.monotonic();
    const before = this.typing.get(key);
    if (on) {
      const quiet = before !== undefined && now - before.toldAt < TYPING_REPEAT;
      this.typing.set(key, { room, user, toldAt: quiet ? before.toldAt : now, endsAt: now + TYPING });
      if (quiet) return;
    } else return this.endTyping(room, user);
    this.with_.bus.publish({ type: "signal", room, signal: { type: "typing", user, on } });
  }

  private endTyping(room: string, user: string): void {
    if (!this.typing.delete(`${room} ${user}`)) return;
    this.with_.bus.publish({ type: "signal", room, signal: { type: "typing", user, on: false } });
  }

  private done(connection: Connection, i: number | undefined, fields: Record<string, unknown> = {}): void {
    if (i !== undefined && !connection.closed) connection.reply(answer("ok", i, fields));
  }

  /**
   * Like `later`, after what the connection asked for before of this kind.
   * @param work is told by when (monotonic) it must be done
   */
  private inTurn(
    connection: Connection,
    i: number | undefined,
    work: (deadline: number) => Promise<void>,
    refused?: () => void,
  ): void {
    if (connection.waiting >= TURNS) throw new RookeryError("RATE_LIMITED", "Too many subscriptions at once.");
    connection.waiting++;
    const deadline = this.with_.clock.monotonic() + ANSWER;
    const turn = (connection.turn ?? Promise.resolve()).then(async () => {
      connection.waiting--;
      if (connection.closed) return;
      await work(deadline).catch((error: unknown) => {
        refused?.();
        this.refuse(connection, i, readError(error));
      });
      if (connection.turn === turn) connection.turn = null;
    });
    connection.turn = turn;
  }

  private later(connection: Connection, i: number | undefined, work: () => Promise<void>): void {
    work().catch((error: unknown) => this.refuse(connection, i, publicError(error)));
  }

  private read(connection: Connection, i: number | undefined, work: () => Promise<void>): void {
    work().catch((error: unknown) => this.refuse(connection, i, readError(error)));
  }

  private refuse(connection: Connection, i: number | undefined, error: PublicError): void {
    if (i !== undefined && !connection.closed) connection.reply(errorAnswer(i, error));
  }

  private before<T>(deadline: number, work: Promise<T>): Promise<T> {
    return within(deadline - this.with_.clock.monotonic(), work);
  }
}

const tooMany = (field: string, limit: number): RookeryError =>
  new RookeryError("INVALID", `${field}: At most ${limit}.`, { errors: [{ field, message: `At most ${limit}.` }] });
