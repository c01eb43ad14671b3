import WebSocket from "ws";
import type { Body } from "./rest";
import { PATIENCE, within } from "./eventually";

export type Frame = Record<string, Body> & { t: string };

export interface SocketOptions {
  /** Subprotocols to offer; `rookery.v1` unless given. */
  protocols?: string[];
  headers?: Record<string, string>;
}

const ANSWERS = new Set(["welcome", "ok", "err", "pong"]);

/** Milliseconds for what a gateway is told at once. What was lost on the way it would find by itself, in up to 15 s. */
export const TOLD = 10_000;

/**
 * A client of the native wire that keeps everything it gets and holds the server to its word: each `i` is answered once,
 * each room's events come once, in order and without a hole. What breaks that is in `violations`, and makes waiting fail.
 */
export class SocketClient {
  readonly frames: Frame[] = [];
  readonly violations: string[] = [];
  closed: { code: number; reason: string } | null = null;
  /** Texts as they came, before they were split. */
  readonly texts: string[] = [];
  /** Offset of the last event of each room, or where it stood when it was subscribed. */
  readonly position = new Map<string, number>();
  /** Rooms that are read passively, and how far each was said to be: no event may come of them. */
  private readonly passive = new Map<string, number>();
  /** The last note of the user's own feed, or where it stood at the welcome. */
  n: number | null = null;
  private readonly asked = new Map<number, (frame: Frame) => void>();
  private readonly from = new Map<number, Record<string, number | null | undefined>>();
  private readonly leaving = new Map<number, string[]>();
  private readonly waiting = new Set<() => void>();
  private fromNote: number | null = null;
  private last = 0;

  private constructor(private readonly socket: WebSocket) {
    socket.on("message", (data, binary) => {
      if (binary) this.violations.push("a binary frame");
      else this.take((data as Buffer).toString("utf8"));
    });
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.wake();
    });
  }

  /** Resolves once the socket is open; rejects with the status of a refused upgrade. */
  static open(url: string, { protocols = ["rookery.v1"], headers = {} }: SocketOptions = {}): Promise<SocketClient> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, protocols, { headers, maxPayload: 16 * 1024 * 1024 });
      const client = new SocketClient(socket);
      socket.once("open", () => resolve(client));
      socket.once("unexpected-response", (_, response) => {
        reject(new Error(`upgrade refused: ${response.statusCode}`));
        response.resume();
      });
      socket.once("error", reject);
    });
  }

  get protocol(): string {
    return this.socket.protocol;
  }

  /** Signs in. `rooms` maps each to the offset after which to resume, or null for the head. */
  hello(token: string, rooms?: Record<string, number | null>, more: Record<string, unknown> = {}): Promise<Frame> {
    return this.request({ t: "hello", token, ...(rooms && { rooms }), ...more });
  }

  /** Subscribes and returns the answer. */
  sub(rooms: string[], from?: Record<string, number | null>, mode?: "active" | "passive"): Promise<Frame> {
    return this.request({ t: "sub", rooms, ...(from && { from }), ...(mode && { mode }) });
  }

  /** Sends with a fresh `i` and resolves with its answer. Rejects if the socket closes first. */
  request(frame: Record<string, unknown>): Promise<Frame> {
    const { i, answer } = this.ask(frame);
    this.write(JSON.stringify({ ...frame, i }));
    return answer;
  }

  /** Several frames in one text frame, joined as the wire allows. */
  requestJoined(frames: Record<string, unknown>[]): Promise<Frame[]> {
    const asked = frames.map(frame => ({ frame, ...this.ask(frame) }));
    this.write(asked.map(({ frame, i }) => JSON.stringify({ ...frame, i })).join("\n"));
    return Promise.all(asked.map(({ answer }) => answer));
  }

  /** Sends an object as it stands. */
  send(frame: Record<string, unknown>): void {
    this.write(JSON.stringify(frame));
  }

  write(text: string | Buffer): void {
    this.socket.send(text);
  }

  /** Events of a room as they came. */
  events(room: string): Frame[] {
    return this.frames.filter(frame => frame.t === "event" && frame.room === room);
  }

  /** Notes of the user's own feed as they came. */
  get notes(): Frame[] {
    return this.all("user");
  }

  /** Frames of a type as they came. */
  all(type: string): Frame[] {
    return this.frames.filter(frame => frame.t === type);
  }

  /** Waits for a frame, also among those that came before. */
  async frame(what: string, wanted: (frame: Frame) => boolean, ms = PATIENCE): Promise<Frame> {
    await this.until(what, () => this.frames.some(wanted), ms);
    return this.frames.find(wanted) as Frame;
  }

  /** The event with this offset of this room. */
  event(room: string, offset: number): Promise<Frame> {
    return this.frame(
      `event ${offset} of ${room}`,
      frame => frame.t === "event" && frame.room === room && frame.offset === offset,
    );
  }

  /** Resolves when the condition holds, looked at after everything that comes. Rejects on a broken promise of the wire. */
  async until(what: string, condition: () => boolean, ms = PATIENCE): Promise<void> {
    const wait = async (): Promise<void> => {
      for (;;) {
        this.check();
        if (condition()) return;
        if (this.closed) throw new Error(`closed with ${this.closed.code} ${this.closed.reason} before: ${what}`);
        await new Promise<void>(resolve => this.waiting.add(resolve));
      }
    };
    await within(ms, what, wait());
  }

  async untilClosed(ms = PATIENCE): Promise<{ code: number; reason: string }> {
    await this.until("close", () => this.closed !== null, ms);
    return this.closed as { code: number; reason: string };
  }

  /** Everything the server sent before now is here: a ping is answered after it. */
  async settle(): Promise<void> {
    await this.request({ t: "ping" });
  }

  /** Throws if the server broke a promise of the wire on this socket. */
  check(): void {
    if (this.violations.length > 0) throw new Error(`the wire was broken: ${this.violations.join("; ")}`);
  }

  /** Leaves in order and throws if a promise was broken. */
  async close(): Promise<void> {
    this.socket.close(1000);
    await this.untilClosed();
    this.check();
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.socket.terminate();
  }

  private ask(frame: Record<string, unknown>): { i: number; answer: Promise<Frame> } {
    const i = ++this.last;
    if (frame.t === "hello") {
      this.from.set(i, (frame.rooms as Record<string, number>) ?? {});
      this.fromNote = (frame.n as number | null | undefined) ?? null;
    }
    if (frame.t === "sub") {
      const offsets = (frame.from ?? {}) as Record<string, number>;
      const rooms = Array.isArray(frame.rooms) ? (frame.rooms as string[]) : [];
      this.from.set(i, Object.fromEntries(rooms.map(room => [room, offsets[room]])));
    }
    if (frame.t === "unsub" && Array.isArray(frame.rooms)) this.leaving.set(i, frame.rooms as string[]);
    let answered: (frame: Frame) => void;
    const answer = new Promise<Frame>(resolve => (answered = resolve));
    this.asked.set(i, frame => answered(frame));
    const lost = this.until(`answer to ${String(frame.t)}`, () => !this.asked.has(i));
    return { i, answer: lost.then(() => answer) };
  }

  private take(text: string): void {
    this.texts.push(text);
    for (const line of text.split("\n")) {
      const frame = JSON.parse(line) as Frame;
      this.frames.push(frame);
      this.judge(frame);
    }
    this.wake();
  }

  private judge(frame: Frame): void {
    if (ANSWERS.has(frame.t) && frame.i !== undefined) this.answered(frame);
    else if (ANSWERS.has(frame.t) && frame.t !== "err")
      this.violations.push(`an answer to nothing: ${JSON.stringify(frame)}`);
    if (frame.t === "event") {
      const before = this.position.get(frame.room);
      if (before === undefined) this.violations.push(`event ${frame.offset} of ${frame.room}, which is not subscribed`);
      else if (frame.offset !== before + 1)
        this.violations.push(`event ${frame.offset} after ${before} in ${frame.room}`);
      this.position.set(frame.room, frame.offset);
    }
    if (frame.t === "user") {
      if (this.n === null) this.violations.push(`note ${frame.n} before the welcome`);
      else if (frame.kind !== "reset" && frame.n !== this.n + 1)
        this.violations.push(`note ${frame.n} after ${this.n} in the user's feed`);
      this.n = frame.n as number;
    }
    if (frame.t === "bump") {
      const before = this.passive.get(frame.room);
      if (before === undefined) this.violations.push(`a bump of ${frame.room}, which is not read passively`);
      else if (frame.offset < before)
        this.violations.push(`a bump to ${frame.offset} after ${before} in ${frame.room}`);
      this.passive.set(frame.room, frame.offset);
    }
    if (frame.t === "reset") this.position.set(frame.room, frame.offset);
    if (frame.t === "unsub") this.forget(frame.room);
  }

  private answered(frame: Frame): void {
    const answer = this.asked.get(frame.i);
    if (!answer) return void this.violations.push(`an answer nobody waits for: ${JSON.stringify(frame)}`);
    this.asked.delete(frame.i);
    if (frame.t === "ok") for (const room of this.leaving.get(frame.i) ?? []) this.forget(room);
    if (frame.t === "welcome") this.n = frame.feed === "replayed" ? this.fromNote : frame.n;
    const from = this.from.get(frame.i);
    for (const [room, state] of Object.entries<Body>(from && frame.rooms ? frame.rooms : {})) {
      this.forget(room);
      if (state.state === "denied") continue;
      if (state.mode === "passive") this.passive.set(room, state.offset);
      else this.position.set(room, state.state === "replayed" ? (from?.[room] ?? NaN) : state.offset);
    }
    answer(frame);
  }

  private forget(room: string): void {
    this.position.delete(room);
    this.passive.delete(room);
  }

  private wake(): void {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
