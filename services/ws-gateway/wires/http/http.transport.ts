import type { Socket } from "../../engine";
import type { LocalTopics } from "./local-topics";

/** Milliseconds in which whoever was handed texts says that they went on their way, once somebody asks for more. */
const RECEIVED = 2_000;

/** What one request takes; `number` names it to `received`. */
export interface Taken {
  texts: string[];
  number: number;
}

/** Characters that may wait for a client that does not fetch them; counted as bytes, which would have to be counted for each. */
const WAITING = 512 * 1024;

let lastId = 0;

/** A connection that consists of requests: what is sent waits until one of them takes it. */
export class HttpTransport implements Socket {
  /** Engines count upwards. */
  readonly id = --lastId;
  readonly protocol = "";
  data: unknown;
  closed = false;
  buffered = 0;
  /** Monotonic milliseconds since which nobody asks; null while somebody does. */
  idleSince: number | null;
  private readonly subscribed = new Set<string>();
  private texts: string[] = [];
  private asked = false;
  /** More waited than may: it is being closed, and hears its last words. */
  private slow = false;
  private taker: (() => void) | null = null;
  /** Requests that asked. */
  private turns = 0;
  /** The last texts that were handed out, and the last of which it is known that they went on their way. */
  private handed = 0;
  private gone = 0;
  private informed: (() => void) | null = null;

  constructor(
    readonly address: string,
    private readonly topics: LocalTopics,
    private readonly now: () => number,
    private readonly on: { closed(code: number): void; drained(): void; slow(): void; lost(): void },
  ) {
    this.idleSince = now();
  }

  send(text: string | Uint8Array): void {
    if (this.closed || text.length === 0) return;
    this.texts.push(typeof text === "string" ? text : Buffer.from(text).toString("utf8"));
    this.buffered += text.length;
    this.taker?.();
    if (this.buffered <= WAITING || this.slow) return;
    this.slow = true;
    this.on.slow();
  }

  cork(write: () => void): void {
    write();
  }

  subscribe(topic: string): void {
    if (this.closed) return;
    this.subscribed.add(topic);
    this.topics.subscribe(topic, this);
  }

  unsubscribe(topic: string): void {
    if (this.subscribed.delete(topic)) this.topics.unsubscribe(topic, this);
  }

  end(code: number): void {
    if (this.closed) return;
    this.closed = true;
    for (const topic of [...this.subscribed]) this.unsubscribe(topic);
    this.taker?.();
    this.on.closed(code);
  }

  close(): void {
    this.end(1006);
  }

  /** The connection has another transport from here on: returns what still waits, and asks nobody any more. */
  leave(): string[] {
    this.closed = true;
    this.taker?.();
    return this.texts.splice(0);
  }

  /**
   * All that waits, else what comes within `wait` milliseconds; the first who asks does not wait: he learns that it is there.
   * Who asks while another waits takes his place: to the other it is null. What was sent before the end can still be taken.
   */
  async take(wait: number): Promise<Taken | null> {
    const turn = ++this.turns;
    this.taker?.();
    this.taker = null;
    this.informed?.();
    if (this.gone !== this.handed) {
      const known = await this.knowsOfLast();
      if (turn !== this.turns) return null;
      if (!known) this.lose();
    }
    const first = !this.asked;
    this.asked = true;
    if (!first && this.texts.length === 0 && !this.closed && wait > 0 && !(await this.something(wait))) return null;
    this.idleSince = this.now();
    const texts = this.texts;
    this.texts = [];
    this.buffered = 0;
    if (texts.length === 0) return { texts, number: 0 };
    this.on.drained();
    return { texts, number: ++this.handed };
  }

  /**
   * Texts that were handed out are on their way to the client. Until that is said nobody gets what follows them: the gateway
   * or the proxy that asked may have died with them, and a proxy asks again elsewhere for a client that saw nothing of it.
   */
  received(number: number): void {
    this.gone = Math.max(this.gone, number);
    this.informed?.();
  }

  /** What follows would leave a hole. */
  private lose(): void {
    this.texts = [];
    this.buffered = 0;
    this.gone = this.handed;
    this.on.lost();
  }

  /** Resolves to false where it did not become known in time, or another asked meanwhile. */
  private async knowsOfLast(): Promise<boolean> {
    if (this.gone === this.handed) return true;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>(resolve => {
      this.informed = resolve;
      timer = setTimeout(resolve, RECEIVED);
    });
    clearTimeout(timer);
    return this.gone === this.handed;
  }

  /** Resolves when there may be something, or nothing in time; to false if another took the place. */
  private async something(wait: number): Promise<boolean> {
    this.idleSince = null;
    let wake = (): void => undefined;
    const woken = new Promise<void>(resolve => (wake = resolve));
    const timer = setTimeout(wake, wait);
    this.taker = wake;
    await woken;
    clearTimeout(timer);
    // A tick's events leave together.
    await new Promise(resolve => setImmediate(resolve));
    if (this.taker !== wake) return false;
    this.taker = null;
    return true;
  }
}
