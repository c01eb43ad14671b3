import type { Asked } from "../judge/history";
import type { Body } from "../support/rest";
import type { Frame } from "../support/socket";
import { sentOf, type Account } from "./account";
import type { Journal } from "./journal";
import { isPassing, type Outcome } from "./outcome";
import { attempt, Outbox, type Letter } from "./outbox";
import { pick, whole } from "./random";
import { Wire } from "./wire";

/** A room as its client knows it. */
interface Followed {
  /** Offset of the last entry seen; null before the first answer. */
  offset: number | null;
  /** Number of the last message seen. */
  seq: number;
  /** The last messages seen. */
  recent: string[];
  state: "wanted" | "asked" | "live";
}

export interface Surroundings {
  journal: Journal;
  random: () => number;
  /** Addresses of sockets, to choose from. */
  doors: readonly string[];
  /** Something that no rule of the history can show. */
  misbehaved(what: string): void;
}

/** Messages remembered of each room, and of one's own. */
const RECENT = 20;
/** Milliseconds between two tries to come back: at random between these, the upper one growing up to the last. */
const BACK = { least: 50, first: 400, most: 2_000 };
/** Milliseconds between tries of what was refused for now. */
const AGAIN = { least: 200, most: 1_000 };
/** One of so many open letters is put off for this long (milliseconds), and then perhaps goes over REST. */
const PUT_OFF = { oneIn: 10, least: 5_000, most: 90_000 };

/**
 * One device of a user. It follows rooms, comes back after every break where it was and through any door, repeats what was
 * not acknowledged before it says anything new, and records all of it.
 */
export class Recorder {
  readonly outbox: Outbox;
  readonly rooms = new Map<string, Followed>();
  /** Own messages, acknowledged. */
  readonly own: { room: string; id: string }[] = [];
  /** By room the furthest of them. */
  readonly acknowledged = new Map<string, number>();
  private wire: Wire | null = null;
  private epoch: string | null = null;
  private n: number | null = null;
  private ready = false;
  private stopped = false;
  private coming = false;
  private tries = 0;
  private door = "";
  private readonly timers = new Set<NodeJS.Timeout>();

  private static sockets = 0;

  constructor(
    readonly account: Account,
    private readonly with_: Surroundings,
  ) {
    this.outbox = new Outbox(account.client);
  }

  get name(): string {
    return this.account.client;
  }

  /** Whether it said hello on a socket that lives. */
  get isReady(): boolean {
    return this.ready;
  }

  /** Whether it was stopped: it does not come back by itself. */
  get hasLeft(): boolean {
    return this.stopped;
  }

  /** Whether nothing is under way or owed: connected, everything said, every room followed. */
  get isQuiet(): boolean {
    const { wire } = this;
    const followed = [...this.rooms.values()].every(({ state }) => state === "live");
    return this.ready && wire !== null && wire.waiting === 0 && this.outbox.size === 0 && followed;
  }

  /** What is under way or owed, for people. */
  get owes(): string {
    if (!this.ready) return "not connected";
    const rooms = [...this.rooms].filter(([, { state }]) => state !== "live").map(([room]) => room);
    return `${this.outbox.size} to say, ${this.wire?.waiting} unanswered, not followed: ${rooms.join(" ") || "none"}`;
  }

  /** Follows a room, from its head if it was never seen. */
  follow(room: string, from?: number): void {
    if (this.rooms.has(room)) return;
    this.rooms.set(room, { offset: from ?? null, seq: 0, recent: [], state: "wanted" });
    this.subscribe();
  }

  unfollow(room: string): void {
    if (!this.rooms.delete(room) || !this.ready) return;
    this.wire?.ask({ op: "unsubscribe", rooms: [room] }, { t: "unsub", rooms: [room] });
  }

  /** Connects, and from then on comes back by itself until it is stopped. */
  start(): void {
    this.stopped = false;
    this.comeBack(0);
  }

  /** Leaves and does not come back. */
  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.wire?.leave();
  }

  /** Is away for so many milliseconds. */
  pause(ms: number, inOrder: boolean): void {
    const { wire } = this;
    if (!wire || !this.ready) return;
    this.coming = true;
    if (inOrder) wire.leave();
    else wire.cut();
    this.coming = false;
    this.comeBack(ms);
  }

  /** To be called twice a second. */
  beat(): void {
    this.wire?.beat();
    if (!this.ready) return;
    this.subscribe();
    this.repeat();
  }

  /** Says something new, over REST if wanted. */
  say(room: string, text: string, rest = false): void {
    const letter = this.outbox.write(room, text);
    if (rest) this.post(letter);
    else this.fly([letter]);
  }

  /** Many at once. */
  burst(room: string, texts: readonly string[]): void {
    this.fly(texts.map(text => this.outbox.write(room, text)));
  }

  /** Says again what was acknowledged, perhaps by another device of the same user. */
  again({ room, clientId, text, hash }: Letter, rest: boolean): void {
    const copy: Letter = { room, clientId, text, hash, flying: false, doubtful: false, due: 0 };
    if (rest) this.post(copy);
    else this.fly([copy]);
  }

  /** An operation over the socket, if there is one. */
  ask(asked: Asked, frame: Record<string, unknown>, settled?: (outcome: Outcome) => void): void {
    if (this.ready) this.wire?.ask(asked, frame, settled);
  }

  /** Something that is no operation of the history, and needs no answer. */
  tell(frame: Record<string, unknown>): void {
    if (this.ready) this.wire?.tell(frame);
  }

  history(room: string, window: { after?: number; before?: number }, limit: number): void {
    this.ask({ op: "history", room, ...window, limit }, { t: "history", room, ...window, limit }, outcome => {
      if (outcome.state !== "ok") return;
      for (const { id, seq } of outcome.body.items) this.remember(room, id, seq);
    });
  }

  private comeBack(ms: number): void {
    if (this.stopped || this.coming) return;
    this.coming = true;
    this.later(ms, () => {
      this.connect()
        .catch((error: unknown) => this.misbehaved(String(error)))
        .finally(() => {
          this.coming = false;
          if (!this.wire) this.comeBack(this.breath());
        });
    });
  }

  private breath(): number {
    const most = Math.min(BACK.most, BACK.first * 2 ** this.tries++);
    return whole(this.with_.random, BACK.least, most);
  }

  private async connect(): Promise<void> {
    const { journal, random, doors } = this.with_;
    const token = await this.account.token();
    if (token === null || this.stopped) return;
    const others = doors.filter(door => door !== this.door);
    this.door = pick(random, others.length > 0 ? others : doors) as string;
    const { client, user, sid } = this.account;
    const who = { client, user, session: `s${++Recorder.sockets}`, door: this.door };
    const wire = await Wire.open(this.door, journal, who, sid, {
      took: frame => this.took(frame),
      closed: code => this.closed(code),
      misbehaved: what => this.misbehaved(what),
    });
    this.wire = wire;
    if (this.stopped) return wire?.leave();
    if (wire) this.hello(wire, token);
  }

  private hello(wire: Wire, token: string): void {
    const rooms = Object.fromEntries([...this.rooms].map(([room, { offset }]) => [room, offset]));
    const { epoch, n } = this;
    for (const followed of this.rooms.values()) followed.state = "asked";
    const frame = { t: "hello", token, rooms, ...(epoch !== null && { epoch }), ...(n !== null && { n }) };
    wire.ask({ op: "subscribe", rooms, epoch, n }, frame, outcome => {
      if (outcome.state !== "ok") return this.notWelcome(wire, outcome.code);
      const { body } = outcome;
      // A store that was put back may lack what was acknowledged.
      if (this.epoch !== null && body.epoch !== this.epoch) this.acknowledged.clear();
      this.epoch = body.epoch;
      this.n = body.feed === "replayed" ? n : body.n;
      this.tries = 0;
      this.ready = true;
      // What was not acknowledged goes first.
      this.repeat();
      this.placed(rooms, body.rooms);
    });
  }

  /** A door that cannot let it in now is left for another. */
  private notWelcome(wire: Wire, code: string): void {
    if (code === "INVALID") this.misbehaved("a good hello was called INVALID");
    if (code === "UNAUTHENTICATED") this.account.spoil();
    wire.cut();
  }

  private subscribe(): void {
    const wanted = [...this.rooms].filter(([, { state }]) => state === "wanted");
    if (wanted.length === 0 || !this.ready) return;
    const from = Object.fromEntries(wanted.map(([room, { offset }]) => [room, offset]));
    for (const [, followed] of wanted) followed.state = "asked";
    const frame = { t: "sub", rooms: wanted.map(([room]) => room), from };
    this.ask({ op: "subscribe", rooms: from, epoch: this.epoch, n: null }, frame, outcome => {
      if (outcome.state === "ok") return this.placed(from, outcome.body.rooms);
      for (const [, followed] of wanted) if (followed.state === "asked") followed.state = "wanted";
    });
  }

  /** Takes over where the server says each room stands. */
  private placed(asked: Record<string, number | null>, states: Body): void {
    for (const room of Object.keys(asked)) {
      const followed = this.rooms.get(room);
      const given = states[room];
      if (!given) this.misbehaved(`no state of room ${room}`);
      if (!followed || !given) continue;
      if (given.state === "denied") this.denied(room, followed, given.code);
      else {
        followed.state = "live";
        if (given.state !== "replayed") followed.offset = given.offset;
        if (given.state === "reset") this.reset(room);
      }
    }
  }

  private denied(room: string, followed: Followed, code: string): void {
    if (code === "FORBIDDEN" || code === "NOT_FOUND") this.rooms.delete(room);
    else followed.state = "wanted";
  }

  /** Nothing will be replayed: what was missed is read. */
  private reset(room: string): void {
    const seq = this.rooms.get(room)?.seq ?? 0;
    this.history(room, seq > 0 ? { after: seq } : {}, 100);
  }

  private took(frame: Frame): void {
    const followed = this.rooms.get(frame.room as string);
    switch (frame.t) {
      case "event":
        if (!followed) return;
        followed.offset = frame.offset;
        if (frame.kind === "message") this.remember(frame.room, frame.data.id, frame.data.seq);
        return;
      case "reset":
        if (!followed) return;
        followed.offset = frame.offset;
        return this.reset(frame.room);
      case "unsub":
        return void this.rooms.delete(frame.room);
      case "user":
        return void (this.n = frame.n);
      case "expiring":
        return void this.renew();
      case "reconnect":
        return this.later(whole(this.with_.random, 0, frame.afterMs), () => this.pause(0, true));
    }
  }

  private remember(room: string, id: string, seq: number): void {
    const followed = this.rooms.get(room);
    if (!followed) return;
    followed.seq = Math.max(followed.seq, seq);
    followed.recent.push(id);
    if (followed.recent.length > RECENT) followed.recent.shift();
  }

  private async renew(): Promise<void> {
    const { wire } = this;
    if ((await this.account.renew()) && wire?.isOpen)
      wire.question({ t: "auth", token: await this.account.token() }, outcome => {
        if (outcome.state === "fail" && outcome.code === "INVALID") this.misbehaved("a good token was called INVALID");
      });
  }

  private closed(code: number): void {
    this.wire = null;
    this.ready = false;
    for (const followed of this.rooms.values()) followed.state = "wanted";
    if (this.stopped) return;
    if (code >= 4100 && code < 4200) this.account.spoil();
    if (code >= 4500 && code < 4600) this.misbehaved(`closed with ${code}`);
    this.comeBack(this.breath());
  }

  private repeat(): void {
    const { random, journal } = this.with_;
    const now = journal.now;
    const letters = this.outbox.due(now);
    for (const letter of letters)
      if (letter.doubtful && letter.due === 0 && whole(random, 1, PUT_OFF.oneIn) === 1)
        letter.due = now + whole(random, PUT_OFF.least, PUT_OFF.most);
    const [late, soon] = [letters.filter(({ due }) => due > now), letters.filter(({ due }) => due <= now)];
    if (late.length < letters.length) this.fly(soon);
  }

  private fly(letters: readonly Letter[]): void {
    const { wire } = this;
    if (!wire || !this.ready) return;
    wire.askAll(
      letters.map(letter => {
        letter.flying = true;
        return { ...attempt(letter), settled: outcome => this.landed(letter, outcome) };
      }),
    );
  }

  private post(letter: Letter): void {
    const { room, clientId, text } = letter;
    letter.flying = true;
    this.account
      .ask(attempt(letter).asked, "POST", `/api/channels/${room}/messages`, { clientId, text }, sentOf)
      .then(outcome => this.landed(letter, outcome))
      .catch((error: unknown) => this.misbehaved(String(error)));
  }

  private landed(letter: Letter, outcome: Outcome): void {
    const { random, journal } = this.with_;
    letter.flying = false;
    if (outcome.state === "ok") {
      this.outbox.acknowledged(letter);
      const { id, offset } = outcome.body.message;
      this.own.push({ room: letter.room, id });
      this.acknowledged.set(letter.room, Math.max(offset, this.acknowledged.get(letter.room) ?? 0));
      if (this.own.length > RECENT) this.own.shift();
      return;
    }
    if (outcome.state === "info") letter.doubtful = true;
    else if (!isPassing(outcome.code) && outcome.code !== "REFUSED" && outcome.code !== "UNAUTHENTICATED")
      return this.outbox.forget(letter);
    letter.due = this.ready ? journal.now + whole(random, AGAIN.least, AGAIN.most) : 0;
  }

  private later(ms: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      then();
    }, ms);
    this.timers.add(timer);
  }

  private misbehaved(what: string): void {
    this.with_.misbehaved(`${this.name} at ${this.door}: ${what}`);
  }
}
