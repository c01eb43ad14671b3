import type { Wire } from "../../config/metrics";
import { isRecorded, moderated, type AuditNote, type Refusal } from "../core/audit";
import type { Clock } from "../core/clock";
import type { AppendAnswer, AppendRequest, RoomAccess, UserOperation } from "../core/contract";
import {
  archivedRoom,
  invalidField,
  muted,
  publicError,
  readError,
  RookeryError,
  type ErrorCode,
  type PublicError,
} from "../core/errors";
import { isId } from "../core/ids";
import type { Limits } from "../core/limits";
import { sendOf } from "../core/send";
import { isMethod, isRead, type MethodName } from "../core/methods";
import type { HistoryWindow, Identity, Message } from "../core/model";
import { answer, encode, errorAnswer, sentFrame, type ClientFrame, type FrameOf } from "../core/protocol";
import type { RoomBus } from "../core/room-bus";
import type { Connection } from "./connection";
import type { Hub } from "./hub";
import { JoinedMarks, type MarkFrame } from "./joined-marks";
import { Subscriptions } from "./subscriptions";
import { TYPING } from "./typists";
import type { Watchers } from "./watchers";

/** The services, called as a user. */
export interface Services {
  epoch: () => string | Promise<string>;
  history(user: Identity, room: string, query: object): Promise<HistoryWindow>;
  mark(user: Identity, mark: MarkFrame): Promise<void>;
  access(user: Identity, room: string): Promise<RoomAccess>;
  call(user: Identity, method: MethodName, params: object, address: string): Promise<unknown>;
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
  sent(wire: Wire, outcome: string): void;
  /** Records that somebody was refused; resolves when he may be told. */
  refused(connection: Connection, code: ErrorCode, asked: Pick<Refusal, "what" | "object">): Promise<void>;
  /** Records what somebody did; resolves when he may be told. */
  record(connection: Connection, note: AuditNote): Promise<void>;
  /** Meters that somebody is over a limit; true where he is to be refused. */
  overLimit(limit: string): boolean;
}

type Authenticated = Connection & { token: NonNullable<Connection["token"]> };
/** What is asked for, as the audit log names it. */
interface Asked {
  t: string;
  i?: number;
  method?: string;
  params?: Record<string, unknown>;
  room?: string;
}
type Answered = Exclude<ClientFrame, { t: "hello" } | { t: "auth" } | { t: "ping" }>;

/** Writes of one user that may be under way here. */
const PENDING = 256;
/** Milliseconds for which typing that is repeated is not told again: less than half of what it lasts. */
const TYPING_REPEAT = TYPING / 2;

/** What each frame of a signed-in client does. Answers exactly once where it was asked to. */
export class Commands {
  /** Writes under way by user: one who floods waits for himself, not others for him. */
  private readonly pending = new Map<string, number>();
  /** When it was last told that somebody types in a room, and by which of his sockets. */
  private readonly typing = new Map<string, { toldAt: number; by: Connection }>();

  private readonly subscriptions: Subscriptions;
  private readonly marks: JoinedMarks;

  constructor(private readonly with_: CommandDependencies) {
    const { hub, services, limits, clock, publicLimits } = with_;
    this.marks = new JoinedMarks((user, mark) => services.mark(user, mark));
    this.subscriptions = new Subscriptions({ hub, epoch: services.epoch, limits, clock, publicLimits });
  }

  hello(connection: Connection, frame: FrameOf<"hello">, i: number | undefined): void {
    this.subscriptions.hello(connection, frame, i);
  }

  run(connection: Connection, frame: Answered, i: number | undefined): void {
    const { identity } = (connection as Authenticated).token;
    const { address } = connection.socket;
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
        return this.subscriptions.sub(connection, frame, i);
      case "unsub":
        return this.subscriptions.unsub(connection, frame, i);
      case "history": {
        const { t: _t, i: _i, room, before, after, around, limit } = frame;
        return this.read(connection, frame, async () => {
          const query = { before, after, around, limit: limit ?? this.with_.limits.pageDefault };
          const { items, hasBefore, hasAfter } = await this.with_.services.history(identity, room, query);
          this.done(connection, i, { items, hasBefore, hasAfter });
        });
      }
      case "read":
      case "delivered":
        return this.later(connection, frame, async () => {
          await this.marks.add(identity, frame);
          this.done(connection, i);
        });
      case "typing":
        return this.read(connection, frame, async () => {
          await this.type(connection, identity, frame.room, frame.on ?? true);
          this.done(connection, i);
        });
      case "watch":
        return this.read(connection, frame, async () => {
          if (frame.users.length > this.with_.limits.watch)
            throw invalidField("users", `At most ${this.with_.limits.watch}.`);
          const changes = await this.with_.watchers.watch(connection, frame.users);
          this.done(connection, i);
          if (changes.length > 0) connection.reply(encode({ t: "presence", changes }));
        });
      case "call":
        return this[isRead(frame.method) ? "read" : "later"](connection, frame, async () => {
          if (!isMethod(frame.method)) throw new RookeryError("NOT_FOUND", "There is no such method.");
          this.done(connection, i, {
            result: (await this.with_.services.call(identity, frame.method, frame.params ?? {}, address)) ?? null,
          });
        });
    }
  }

  closed(connection: Connection): void {
    this.with_.watchers.forget(connection);
    const { user } = connection;
    if (user !== undefined && this.typing.size > 0)
      for (const room of connection.rooms.keys())
        if (this.typing.get(`${room} ${user}`)?.by === connection) this.endTyping(room, user);
  }

  /** Forgets typing that has ended by itself wherever it was shown. */
  sweep(): void {
    const since = this.with_.clock.monotonic() - TYPING;
    for (const [key, { toldAt }] of this.typing) if (toldAt <= since) this.typing.delete(key);
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
    connection.begun();
    this.with_.writers.add(request, result => {
      this.settled(user.id);
      this.with_.sent(connection.wire, result.ok ? "ok" : result.error.code);
      if (!result.ok)
        return this.refuse(connection, i, result.error, { t: entry.op, room }, () => connection.answered());
      const told = (): void => {
        if (i !== undefined && !connection.closed)
          connection.reply(sentFrame(i, result.data, result.duplicate === true));
        connection.answered();
      };
      const note = entry.op === "delete" && moderated(JSON.parse(result.data) as Message, result.offset, user.id);
      if (note) void this.with_.record(connection, note).then(told);
      else told();
    });
  }

  private settled(user: string): void {
    const left = (this.pending.get(user) ?? 1) - 1;
    if (left > 0) this.pending.set(user, left);
    else this.pending.delete(user);
  }

  private async type(connection: Connection, identity: Identity, room: string, on: boolean): Promise<void> {
    const { hub, services } = this.with_;
    const key = `${room} ${identity.id}`;
    const now = this.with_.clock.monotonic();
    const told = this.typing.get(key);
    const isMember = connection.rooms.get(room)?.member === true && !hub.isHushed(room, identity.id);
    const repeats = told !== undefined && now - told.toldAt < TYPING_REPEAT;
    if (isMember && on && repeats) return void (told.by = connection);
    let silent = isMember ? hub.silent(room) : null;
    if (silent === null) {
      const access = await services.access(identity, room);
      if (access.role === null) throw new RookeryError("FORBIDDEN", "Only members type here.");
      hub.learn(room, identity.id, access);
      if (on && access.archived) throw archivedRoom();
      if (on && access.mutedUntil !== undefined) throw muted(access.mutedUntil);
      silent = access.large === true || access.blocked === true;
    }
    if (!on) return this.endTyping(room, identity.id);
    if (told) told.by = connection;
    if (silent || repeats) return;
    this.typing.set(key, { toldAt: now, by: connection });
    this.with_.bus.publish({ type: "signal", room, signal: { type: "typing", user: identity.id, on } });
  }

  private endTyping(room: string, user: string): void {
    if (!this.typing.delete(`${room} ${user}`)) return;
    this.with_.bus.publish({ type: "signal", room, signal: { type: "typing", user, on: false } });
  }

  private done(connection: Connection, i: number | undefined, fields: Record<string, unknown> = {}): void {
    if (i !== undefined && !connection.closed) connection.reply(answer("ok", i, fields));
  }

  private later(connection: Connection, frame: Asked, work: () => Promise<void>): void {
    this.work(connection, frame, work, publicError);
  }

  private read(connection: Connection, frame: Asked, work: () => Promise<void>): void {
    this.work(connection, frame, work, readError);
  }

  private work(
    connection: Connection,
    frame: Asked,
    work: () => Promise<void>,
    told: (error: unknown) => PublicError,
  ): void {
    const answered = (): void => connection.answered();
    connection.begun();
    work().then(answered, (error: unknown) => this.refuse(connection, frame.i, told(error), frame, answered));
  }

  /** What is recorded is stored before it is answered. */
  private refuse(
    connection: Connection,
    i: number | undefined,
    error: PublicError,
    asked: Asked,
    answered: () => void,
  ): void {
    const answer = (): void => {
      if (i !== undefined && !connection.closed) connection.reply(errorAnswer(i, error));
      answered();
    };
    if (!isRecorded(error)) return answer();
    void this.with_.refused(connection, error.code, askedOf(asked)).then(answer);
  }
}

function askedOf({ t, method, params, room }: Asked): Pick<Refusal, "what" | "object"> {
  const object = room ?? (method?.startsWith("rooms.") ? params?.["id"] : undefined);
  return { what: method ?? t, ...(isId(object) && { object }) };
}
