import type { Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body, Rest } from "../support/rest";
import type { SocketClient } from "../support/socket";

/** One attempt to say something, and what is known of it. */
export interface Said {
  clientId: string;
  text: string;
  /** The message as it was acknowledged; null while nothing is known. */
  message: Body | null;
}

/** Milliseconds between two tries of somebody who comes back. */
const BREATH = 100;
/** Milliseconds within which a server that is healthy again knows what became of a send. */
const SETTLED = 20_000;

/** Sends one message after the other until it is stopped or the server is gone. Keeps what was acknowledged and what is open. */
export class Sender {
  readonly said: Said[] = [];
  private stopped = false;
  private n = 0;

  constructor(
    readonly client: Client,
    readonly room: string,
    readonly name: string,
    private readonly door: "rest" | "socket",
    /** Milliseconds between an answer and the next message. */
    private readonly pace = 0,
    /** Characters of each text, filled up. */
    private readonly length = 0,
  ) {}

  get acknowledged(): Said[] {
    return this.said.filter(one => one.message !== null);
  }

  get open(): Said[] {
    return this.said.filter(one => one.message === null);
  }

  stop(): void {
    this.stopped = true;
  }

  /** Resolves when it was stopped or nobody answers any more. Throws for an answer that is neither stored nor unknown. */
  async run(): Promise<void> {
    let socket: SocketClient | null = null;
    try {
      if (this.door === "socket") socket = await this.client.socket();
      while (!this.stopped) {
        const one: Said = { clientId: `${this.name}-${++this.n}`, text: this.text(), message: null };
        this.said.push(one);
        if (!(await this.say(one, socket))) return;
        if (this.pace > 0) await new Promise(resolve => setTimeout(resolve, this.pace));
      }
    } catch (error) {
      if (!isLost(error)) throw error;
    } finally {
      socket?.cut();
    }
  }

  /** Like `run`, but comes back after every break and says again what is open, until it is stopped. */
  async keepOn(): Promise<void> {
    while (!this.stopped) {
      await this.run();
      if (this.stopped) return;
      await new Promise(resolve => setTimeout(resolve, BREATH));
      for (const one of this.open) {
        try {
          if (!(await this.say(one, null))) break;
        } catch (error) {
          if (!isLost(error)) throw error;
          break;
        }
      }
    }
  }

  /** Says again what is open, under the same clientId, until its outcome is known: the server may be finding out itself. */
  async settle(): Promise<void> {
    for (const one of this.open)
      await eventually(
        `${one.clientId} is settled`,
        () => this.say(one, null),
        answered => answered,
        SETTLED,
      );
  }

  private text(): string {
    return `${this.name} says ${this.n}`.padEnd(this.length, ".");
  }

  /** False if nobody takes sends any more. */
  private async say(one: Said, socket: SocketClient | null): Promise<boolean> {
    const { clientId, text } = one;
    if (socket) {
      const answer = await socket.request({ t: "send", room: this.room, clientId, text });
      if (answer.t === "ok") one.message = answer.message;
      return answer.t === "ok" || this.refused(answer.code);
    }
    const answer = await this.client.post(`/api/channels/${this.room}/messages`, { clientId, text });
    if (answer.status === 201 || answer.status === 200) one.message = answer.body;
    return one.message !== null || this.refused(answer.body?.code);
  }

  private refused(code: string): boolean {
    if (code === "UNAVAILABLE" || code === "UNKNOWN_OUTCOME") return false;
    throw new Error(`an answer that may not be: ${code}`);
  }
}

/** Whether this is what a client sees when the server goes, or a part of it. */
export function isLost(error: unknown): boolean {
  const { message, cause } = error as { message?: string; cause?: { code?: string } };
  const lost = /ECONNRE|EPIPE|UND_ERR|fetch failed|other side closed/;
  const away = /^closed with|^upgrade refused|^no welcome: .*"(UNAVAILABLE|UNKNOWN_OUTCOME)"/;
  return lost.test(`${cause?.code} ${message}`) || away.test(message ?? "");
}

/** Every message of a room, oldest first. */
export async function wholeHistory(client: Rest, room: string): Promise<Body[]> {
  const all: Body[] = [];
  for (;;) {
    const after = all.at(-1)?.seq ?? 0;
    const { body } = await client.get(`/api/channels/${room}/messages?after=${after}&limit=100`);
    all.push(...body.items);
    if (!body.hasAfter) return all;
  }
}

/** What must hold of a room once all is quiet: each acknowledged send once and unchanged, nothing else, no hole. */
export function judge(senders: readonly Sender[], history: readonly Body[]): void {
  const said = senders.flatMap(sender => sender.said);
  const stored = new Map(history.map(message => [message.clientId as string, message]));
  expect(stored.size).toBe(history.length);
  for (const { clientId, message } of said)
    expect({ clientId, message: stored.get(clientId) }).toEqual({ clientId, message });
  expect(history.length).toBe(said.length);
  expect(history.map(message => message.seq)).toEqual(history.map((_, index) => index + 1));
}
