import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "../support/client";
import { within } from "../support/eventually";

/** Milliseconds between two of his messages. */
const PACE = 1_000;
/** Milliseconds in which everything is answered, as it is promised. */
const PATIENCE = 10_000;

/** A well-behaved client among hostile ones: he sends numbered messages, and must get every ack and see every event. */
export class Witness {
  sent = 0;
  /** Milliseconds from a message to its ack and event. */
  slowest = 0;
  private stopped = false;
  private readonly work: Promise<void>;

  /** @param own a room that nobody else knows of; `common` is one that everybody writes to */
  constructor(
    private readonly client: Client,
    private readonly own: string,
    private readonly common: string,
    private readonly complain: (what: string) => void,
  ) {
    this.work = this.live();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.work;
  }

  private async live(): Promise<void> {
    try {
      const socket = await this.client.socket([this.own, this.common]);
      while (!this.stopped) {
        const began = performance.now();
        const text = `message ${++this.sent}`;
        const answer = await within(
          PATIENCE,
          `the ack of ${text}`,
          socket.request({ t: "send", room: this.own, clientId: `w${this.sent}`, text }),
        );
        if (answer.t !== "ok") throw new Error(`${text} was refused: ${JSON.stringify(answer)}`);
        await socket.until(`the event of ${text}`, () => socket.events(this.own).length > 0, PATIENCE);
        const seen = socket.events(this.own).map(({ data }) => (data as { text?: string }).text);
        if (seen.length !== 1 || seen[0] !== text) throw new Error(`${text} was seen as ${JSON.stringify(seen)}`);
        const health = await this.client.get("/api/health");
        if (health.status !== 200) throw new Error(`health ${health.status}: ${JSON.stringify(health.body)}`);
        socket.check();
        this.slowest = Math.max(this.slowest, performance.now() - began);
        socket.frames.length = 0;
        socket.texts.length = 0;
        await pause(Math.max(0, PACE - (performance.now() - began)));
      }
      socket.cut();
    } catch (error) {
      this.complain(`the well-behaved client: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
