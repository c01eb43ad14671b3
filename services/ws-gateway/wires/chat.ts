import { CLOSES } from "../../core/closes";
import type { CallName } from "../../core/calls";
import { RookeryError, type ErrorCode } from "../../core/errors";
import type { Conversation, Message, UserNotes } from "../../core/model";
import type { ClientFrame, RoomState } from "../../core/protocol";
import type { Arguments } from "./arguments";
import { outcomeOf, refusedWith, type Answer, type Heard, type Outcome, type Port } from "./wire";

type Done = (outcome: Outcome) => void;

/** Conversations read by one call, the most a page may have. */
const PAGE = 100;
/** Direct rooms that are read without being joined, the newest first. */
const DIRECTS = 5_000;
/** Pages of history fetched for one who joins from far behind; one page more is a client that should use REST. */
const PAGES = 4_000;

/** Messages of a page of history: few enough that no page alone is more than may wait for a client. */
const HISTORY = 25;
/** Joins and leaves of one room that may wait for each other. */
const TURNS = 20;

/** Bytes that may wait for a client before it gets another page, and milliseconds until that is looked at again. */
const AHEAD = 128 * 1024;
const BREATH = 20;

const none = (): void => undefined;

/**
 * What a client of SignalR or Socket.IO may ask for, in native frames. It does what the client itself would have to do:
 * becomes a member when it joins, finds the offset of a seq, and reads its direct rooms without having joined them.
 */
export class Chat {
  private user = "";
  /** People whose presence is told of at most. */
  private watched = 0;
  private readonly directs = new Set<string>();
  /** The others of these. */
  private readonly contacts = new Set<string>();
  private readonly friends = new Set<string>();
  /** Direct rooms heard of while those that are there already are read; null afterwards. */
  private fresh: Conversation[] | null = [];
  /** Joins and leaves of a room that wait for the one under way. */
  private readonly turns = new Map<string, (() => void)[]>();
  /** Rooms of which what was missed is on its way, and who waits for it to be there: what has this offset is the last. */
  private readonly arriving = new Map<string, { offset: number; arrived: (outcome?: Outcome) => void }>();

  constructor(private readonly port: Port) {
    port.heard = frame => this.heard(frame);
  }

  /**
   * Signs in, and reads the direct rooms; `done` is told when both is done, `met` when he reads as many as one call gives, the
   * newest: nothing was told before, and what he fetches from then on goes on with what he is told.
   */
  hello(token: string, done: Done, met = none): void {
    this.port.ask({ t: "hello", token }, answer => {
      if (answer.t !== "welcome") return done(outcomeOf(answer));
      this.watched = (answer["limits"] as { watch: number }).watch;
      this.port.own((this.user = (answer["user"] as { id: string }).id));
      this.readFriends();
      this.readDirects(null, met, () => {
        const { fresh } = this;
        this.fresh = null;
        done(outcomeOf(answer));
        for (const conversation of fresh ?? []) this.readFresh(conversation);
      });
    });
  }

  /**
   * Becomes a member if need be and reads the room, from behind the message `afterSeq` on, if one is given: done when what
   * was missed has been told. Result: `offset`, `lastSeq`.
   */
  private join(channelId: string, afterSeq: number | undefined, done: Done): void {
    this.call("rooms.join", { id: channelId }, joined => {
      if (!joined.ok) return done(joined);
      if (afterSeq === undefined) return this.read(channelId, null, done);
      if (afterSeq === 0) return this.read(channelId, 0, done, afterSeq);
      this.port.ask({ t: "history", room: channelId, after: afterSeq - 1, limit: 1 }, answer => {
        if (answer.t !== "ok") return done(outcomeOf(answer));
        const [next] = answer["items"] as Placed[];
        // Behind all there is, or where the message has left the log: from what is left of it.
        const from = !next ? null : next.seq === afterSeq ? next.offset : next.offset - 1;
        this.read(channelId, from, done, afterSeq);
      });
    });
  }

  /** What clients may ask for; `done` is told how it ended. */
  run(
    name: CallName,
    { channelId, id, text, emoji, on, isTyping, seq, private: alone, afterSeq, payload }: Arguments,
    done: Done,
  ): void {
    // How much may be sent is a matter of the user, not of the socket.
    if (name !== "message") this.port.throttle();
    switch (name) {
      case "join":
        return this.inTurn(channelId, ended => this.join(channelId, afterSeq, ended), done);
      case "leave":
        // What is read without being joined cannot be left.
        if (this.directs.has(channelId)) return done({ ok: true, result: {} });
        return this.inTurn(channelId, ended => this.ask({ t: "unsub", rooms: [channelId] }, ended), done);
      case "message":
        return this.ask({ ...payload, t: "send", room: channelId }, done);
      case "typing":
        return this.ask({ t: "typing", room: channelId, on: isTyping }, done);
      case "edit":
        return this.message("messages.edit", { id, text }, done);
      case "delete":
        return this.message("messages.remove", { id }, done);
      case "react":
        return this.message(on ? "messages.react" : "messages.unreact", { id, emoji }, done);
      case "read":
        return this.ask({ t: "read", room: channelId, seq, ...(alone && { private: true }) }, done);
      case "delivered":
        return this.ask({ t: "delivered", room: channelId, seq }, done);
    }
  }

  private message(method: string, params: Record<string, unknown>, done: Done): void {
    this.call(method, params, outcome =>
      done(outcome.ok ? { ok: true, result: { message: outcome.result["result"] } } : outcome),
    );
  }

  private call(method: string, params: Record<string, unknown>, done: Done): void {
    this.ask({ t: "call", method, params }, done);
  }

  private ask(frame: ClientFrame, done: Done): void {
    this.port.ask(frame, answer => done(outcomeOf(answer)));
  }

  /** @param afterSeq what the client has, where it is to get what follows even if that is more than is replayed */
  private read(room: string, from: number | null, done: Done, afterSeq?: number, pages = 0): void {
    this.port.ask({ t: "sub", rooms: [room], from: { [room]: from } }, answer => {
      if (answer.t !== "ok") return done(outcomeOf(answer));
      const state = (answer["rooms"] as Record<string, RoomState>)[room] as RoomState;
      if (state.state === "denied") return done(refusedWith(new RookeryError(state.code)));
      // More than is replayed; or what he has was the last when we looked, and is not any more.
      const behind = state.state === "reset" || (from === null && afterSeq !== undefined && state.seq > afterSeq);
      if (behind && afterSeq !== undefined) return this.fetch(room, afterSeq, state.offset, done, pages);
      const joined: Outcome = { ok: true, result: { offset: state.offset, lastSeq: state.seq } };
      if (state.state !== "replayed") return done(joined);
      this.arriving.set(room, { offset: state.offset, arrived: (outcome = joined) => done(outcome) });
    });
  }

  /** A frame that came to this client alone may be the last of what he missed; he is told after it. */
  private arrive({ t, room, offset, code }: Heard): void {
    const waiting = this.arriving.get(room as string);
    if (!waiting || !(t === "unsub" || (t === "event" && (offset as number) >= waiting.offset))) return;
    this.arriving.delete(room as string);
    const lost = t === "unsub" ? refusedWith(new RookeryError(code as ErrorCode)) : undefined;
    queueMicrotask(() => waiting.arrived(lost));
  }

  /** A leave that overtook a join, or a second join, would leave the room read twice or not at all. */
  private inTurn(room: string, work: (ended: Done) => void, done: Done): void {
    const turn = (): void =>
      work(outcome => {
        done(outcome);
        const next = this.turns.get(room)?.shift();
        if (next) next();
        else this.turns.delete(room);
      });
    const waiting = this.turns.get(room);
    if (waiting && waiting.length >= TURNS) throw new RookeryError("RATE_LIMITED", "Too much at once.");
    if (waiting) return void waiting.push(turn);
    this.turns.set(room, []);
    turn();
  }

  /** Too far behind for a replay: what was missed comes page by page, and the rest as a replay. */
  private fetch(room: string, after: number, head: number, done: Done, pages: number): void {
    // What is said meanwhile comes with a later page, and not before it.
    this.port.hold(room, true);
    this.port.ask({ t: "unsub", rooms: [room] }, () => this.port.hold(room, false));
    this.page(room, after, head, done, pages);
  }

  /** @param head where the log was: if there is no page, everything that follows comes after it */
  private page(room: string, after: number, head: number, done: Done, pages: number): void {
    if (this.port.closed) return;
    if (this.port.buffered > AHEAD) return void setTimeout(() => this.page(room, after, head, done, pages), BREATH);
    this.port.ask({ t: "history", room, after, limit: HISTORY }, answer => {
      if (answer.t !== "ok") return done(outcomeOf(answer));
      const items = answer["items"] as Placed[];
      for (const item of items) this.port.missed(room, item);
      const last = items.at(-1);
      if (!last) return this.read(room, head, done, after, pages + 1);
      if (answer["hasAfter"] === true && pages < PAGES) return this.page(room, last.seq, head, done, pages + 1);
      this.read(room, last.offset, done, last.seq, pages + 1);
    });
  }

  /**
   * Everybody's direct rooms are read without being joined, the newest first, and the other of each is a contact. Without
   * them he would miss what is said to him, so who cannot be told of them is to come again.
   * @param page null: the last
   */
  private readDirects(page: number | null, met: () => void, done: () => void): void {
    const pageSize = page === null ? 1 : PAGE;
    this.call("rooms.conversations", { page: page ?? 1, pageSize }, outcome => {
      if (!outcome.ok) return this.port.end(CLOSES.BUSY);
      const { items, total } = outcome.result["result"] as { items: Conversation[]; total: number };
      if (page === null) return total === 0 ? done() : this.readDirects(Math.ceil(total / PAGE), met, done);
      const found = items.filter(({ type, id }) => type === "direct" && !this.directs.has(id));
      for (const conversation of found) this.know(conversation);
      const next = (): void => {
        met();
        if (page > 1 && this.directs.size < DIRECTS) return this.readDirects(page - 1, none, done);
        this.watch();
        done();
      };
      const rooms = found.map(({ id }) => id);
      if (rooms.length === 0) return next();
      this.port.ask({ t: "sub", rooms }, answer => (isRead(answer) ? next() : this.port.end(CLOSES.BUSY)));
    });
  }

  /** Friends are contacts, too. Where they cannot be told now, those of them who have a direct room with him are. */
  private readFriends(): void {
    this.call("users.friendIds", {}, outcome => {
      if (!outcome.ok) return;
      const { items } = outcome.result["result"] as { items: string[] };
      for (const friend of items) this.friends.add(friend);
      if (items.length > 0) this.watch();
    });
  }

  private befriended({ userId, state }: UserNotes["friend"]): void {
    const known = state === "friends" ? !this.friends.has(userId) : this.friends.delete(userId);
    if (state === "friends") this.friends.add(userId);
    if (known) this.watch();
  }

  private know({ id, members }: Conversation): void {
    this.directs.add(id);
    this.port.direct(id, members);
    for (const member of members) if (member !== this.user) this.contacts.add(member);
  }

  private watch(): void {
    const users = [...new Set([...this.friends, ...this.contacts])].slice(0, this.watched);
    this.port.ask({ t: "watch", users }, none);
  }

  private heard(frame: Heard): void {
    if (this.arriving.size > 0) this.arrive(frame);
    // What was skipped he cannot ask for on this wire; coming again he says what he has, and gets what follows.
    if (frame.t === "reset" || (frame.t === "user" && frame["kind"] === "reset")) return this.port.end(CLOSES.BUSY);
    if (frame.t !== "user") return;
    if (frame["kind"] === "friend") return this.befriended(frame["data"] as UserNotes["friend"]);
    if (frame["kind"] !== "member") return;
    const { change, room } = frame["data"] as UserNotes["member"];
    if (change !== "join" || !room || !("type" in room) || room.type !== "direct") return;
    if (this.fresh) this.fresh.push(room);
    else this.readFresh(room);
  }

  private readFresh(room: Conversation): void {
    if (this.directs.has(room.id)) return;
    this.know(room);
    // From its beginning: what was said first may be there before this is heard of.
    this.port.ask({ t: "sub", rooms: [room.id], from: { [room.id]: 0 } }, answer => {
      if (!isRead(answer)) this.port.end(CLOSES.BUSY);
    });
    this.watch();
  }
}

/** Whether nothing was refused that would be granted another time. */
function isRead(answer: Answer): boolean {
  if (answer.t !== "ok") return false;
  const states = Object.values(answer["rooms"] as Record<string, RoomState>);
  return !states.some(state => state.state === "denied" && state.code === "UNAVAILABLE");
}

/** As far as it matters here. */
type Placed = Pick<Message, "seq" | "offset">;
