import { CLOSES, type Close } from "../../core/closes";
import type { PresenceStatus } from "../../core/model";
import type { ClientFrame, RawFrame } from "../../core/protocol";
import type { Socket } from "../engine";
import type { Framed } from "../ring";
import { framesOf, happenedIn } from "./happened";
import { topicOf, type Topics } from "./topics";
import type { Answer, Happened, Heard, Port, Session, Wire } from "./wire";

/** What the gateway does for a socket whatever its wire. */
export interface Inside {
  ask(socket: Socket, frame: RawFrame): void;
  heeds(socket: Socket): boolean;
  throttle(socket: Socket): void;
}

/** Calls of a client that are not answered yet; more are refused. */
const ASKED = 10_000;
const TOO_MANY: Answer = {
  t: "err",
  code: "RATE_LIMITED",
  status: 429,
  detail: "Too much at once.",
  retryAfterMs: 100,
};

/** A client of another wire, as the gateway sees it: a socket with native frames. Outside it is the transport's. */
export class WireSocket implements Socket, Port {
  data: unknown;
  readonly protocol = "";
  readonly session: Session;
  heard: (frame: Heard) => void = () => undefined;
  private readonly rooms = new Set<string>();
  private readonly held = new Set<string>();
  private readonly directs = new Map<string, readonly string[]>();
  private readonly asked = new Map<number, (answer: Answer) => void>();
  private lastAsked = 0;
  private pinged = false;
  private user: string | null = null;
  private readonly statuses = new Map<string, PresenceStatus>();
  /** Of the first transport: by it the gateway counts. */
  readonly address: string;

  constructor(
    private readonly spoken: Wire,
    readonly token: string,
    readonly name: string,
    private transport: Socket,
    private readonly topics: Topics,
    private readonly inside: Inside,
  ) {
    this.address = transport.address;
    this.session = spoken.session(this);
  }

  get wire(): Wire["name"] {
    return this.spoken.name;
  }

  get helloWithin(): number | undefined {
    return this.spoken.helloWithin;
  }

  get requests(): boolean {
    return this.transport.id < 0;
  }

  get id(): number {
    return this.transport.id;
  }

  get closed(): boolean {
    return this.transport.closed;
  }

  get buffered(): number {
    return this.transport.buffered;
  }

  ask(frame: ClientFrame, answered: (answer: Answer) => void): void {
    if (this.asked.size >= ASKED) return answered(TOO_MANY);
    const i = ++this.lastAsked;
    this.asked.set(i, answered);
    this.inside.ask(this, { ...frame, i });
  }

  heeds(): boolean {
    return this.inside.heeds(this);
  }

  throttle(): void {
    this.inside.throttle(this);
  }

  get ownRooms(): number {
    return this.directs.size;
  }

  /** He has said who he is. */
  get known(): boolean {
    return this.user !== null;
  }

  direct(room: string, members: readonly string[]): void {
    this.directs.set(room, members);
  }

  own(user: string): void {
    this.user = user;
  }

  hold(room: string, on: boolean): void {
    if (on) this.held.add(room);
    else this.held.delete(room);
  }

  missed(room: string, message: unknown): void {
    this.tell([{ t: "event", room, kind: "message", data: message }]);
  }

  transmit(text: string): void {
    this.transport.send(text);
  }

  ready(): void {
    this.pinged = true;
    this.transport.subscribe(this.spoken.name);
  }

  /** What the client says. What nobody foresaw in it ends him, and nobody else. */
  hear(text: string): void {
    try {
      this.session.text(text);
    } catch {
      this.end(CLOSES.BAD_FRAME);
    }
  }

  hearBinary(): void {
    if (!this.session.binary) this.end(CLOSES.BAD_FRAME);
    else if (this.heeds()) this.session.binary();
  }

  /** Native frames: answers go to who asked, the rest is told; what comes together is told together. */
  send(text: string | Uint8Array): void {
    let told: Heard[] = [];
    for (const frame of framesOf(text)) {
      const answered = typeof frame["i"] === "number" ? this.asked.get(frame["i"]) : undefined;
      if (!answered) {
        this.heard(frame);
        told.push(frame);
        continue;
      }
      this.tell(told);
      told = [];
      this.asked.delete(frame["i"] as number);
      answered(frame as Answer);
    }
    this.tell(told);
  }

  /** Of a replay: each is encoded once for all who have this wire. */
  entries(room: string, entries: readonly Framed[]): void {
    if (room === this.user) return this.send(entries.map(({ bytes }) => bytes.toString("utf8")).join("\n"));
    if (this.held.has(room)) return;
    const direct = this.directs.get(room);
    this.cork(() => {
      for (const entry of entries) {
        const { offset, kind } = entry.event;
        const messages = entry.form(`${this.spoken.name} ${direct ? "direct" : ""}`, text =>
          this.spoken.encode({ text: () => text, events: happenedIn(JSON.parse(text) as Heard, direct) }),
        );
        this.heard({ t: "event", room, offset, kind });
        for (const message of messages) this.transport.send(message);
      }
    });
  }

  private tell(frames: readonly Heard[]): void {
    if (frames.length === 0) return;
    const events = frames
      .flatMap(frame => happenedIn(frame, this.directs.get(frame["room"] as string)))
      .flatMap(event => this.news(event));
    const text = (): string => frames.map(frame => JSON.stringify(frame)).join("\n");
    for (const message of this.spoken.encode({ text, events })) this.transport.send(message);
  }

  /** Goes on over another transport; what the old one has not passed on is the caller's to send. */
  moveTo(transport: Socket): void {
    const old = this.transport;
    this.transport = transport;
    const topics = this.topicNames();
    for (const topic of topics) old.unsubscribe(topic);
    for (const topic of topics) transport.subscribe(topic);
  }

  cork(write: () => void): void {
    this.transport.cork(write);
  }

  subscribe(room: string): void {
    if (this.rooms.has(room) || this.held.has(room)) return;
    if (room === this.user) return this.topics.listen(room, this);
    this.rooms.add(room);
    // Forgotten with the last reader, who may have stepped aside for a moment.
    const direct = this.directs.get(room);
    if (direct) this.topics.direct(room, direct);
    this.transport.subscribe(this.topics.enter(this.spoken, room));
  }

  unsubscribe(room: string): void {
    if (room === this.user) this.topics.unlisten(room, this);
    if (this.rooms.delete(room)) this.transport.unsubscribe(this.topics.leave(this.spoken, room));
  }

  end(reason: Close | number, text = ""): void {
    const close = typeof reason === "number" ? { code: reason, reason: text } : reason;
    if (this.closed) return;
    const last = this.session.closing(close);
    if (last !== null) this.transport.send(last);
    this.transport.end(close.code, close.reason);
  }

  close(): void {
    this.transport.close();
  }

  /** Presence is told as it is when it is first asked for; what is no change is no news, nor who is not there at first. */
  private news(event: Happened): Happened[] {
    if (event.name !== "presence") return [event];
    const { userId, status } = event;
    const before = this.statuses.get(userId);
    this.statuses.set(userId, status);
    if (status === (before ?? "offline")) return [];
    if (before === undefined || (before !== "offline" && status !== "offline")) return [event];
    return [{ ...event, came: status !== "offline" }];
  }

  private topicNames(): string[] {
    const rooms = [...this.rooms].map(room => topicOf(this.spoken, room));
    return this.pinged ? [this.spoken.name, ...rooms] : rooms;
  }

  /** To be called when the transport has closed. */
  left(): void {
    if (this.user !== null) this.topics.unlisten(this.user, this);
    for (const room of this.rooms) this.topics.leave(this.spoken, room);
    this.rooms.clear();
    // Who waits for an answer of his own, as a request of HTTP, gets one.
    const asked = [...this.asked.values()];
    this.asked.clear();
    for (const answered of asked) answered({ t: "err", code: "UNKNOWN_OUTCOME", status: 504 });
  }
}
