import { setTimeout as pause } from "node:timers/promises";
import { CLOSES } from "../../../core/closes";
import type { Socket } from "../../engine";
import { ANYBODY, type HttpSessions } from "../http/http-sessions";
import { ENGINE } from "./socketio.packets";

const PROBE = `${ENGINE.ping}probe`;
/** Milliseconds after which it is asked again what a session elsewhere has. */
const TAKE = 20_000;
/** Milliseconds between what ends a poll while the client moves. */
const FLUSH = 100;
/** Packets on their way to a session elsewhere. */
const UNDER_WAY = 1_000;

/**
 * A WebSocket that takes over a session that began with polling, once it has shown that it works. A session of this node
 * moves to it; for one that lives on another it does what polling did, without a client that asks.
 */
export class Upgrading {
  relaying = false;
  private stage: "new" | "probing" | "probed" | "moved" = "new";
  private underWay = 0;
  private sent: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly socket: Socket,
    private readonly id: string,
    private readonly sessions: HttpSessions,
  ) {}

  text(text: string): void {
    if (this.relaying) return this.pass(text);
    if (text === PROBE && this.stage === "new") {
      this.stage = "probing";
      return void this.probe().catch(() => this.stage !== "moved" && this.socket.close());
    }
    if (text !== ENGINE.upgrade || this.stage !== "probed")
      return this.socket.end(CLOSES.BAD_FRAME.code, CLOSES.BAD_FRAME.reason);
    this.stage = "moved";
    if (this.sessions.moveTo(this.id, ANYBODY, this.socket)) return;
    this.relaying = true;
    void this.relay();
  }

  /** Nobody is left who could hear what the session has. */
  closed(): void {
    if (this.relaying) void this.sessions.end(this.id, ANYBODY).catch(() => undefined);
  }

  /** The client moves only between polls: its session hears of the probe too, and ends the one that waits. */
  private async probe(): Promise<void> {
    if (!(await this.sessions.put(this.id, ANYBODY, PROBE))) return this.socket.close();
    this.stage = "probed";
    this.socket.send(`${ENGINE.pong}probe`);
    // It may have polled again before this arrived there.
    for (;;) {
      await pause(FLUSH);
      if (this.stage !== "probed" || this.socket.closed) return;
      await this.sessions.put(this.id, ANYBODY, PROBE);
    }
  }

  private pass(text: string): void {
    if (this.underWay >= UNDER_WAY) return this.socket.end(CLOSES.TOO_SLOW.code, CLOSES.TOO_SLOW.reason);
    this.underWay++;
    // One after the other: they arrive in the order they were said.
    this.sent = this.sent
      .then(() => this.sessions.put(this.id, ANYBODY, text))
      .then(
        () => void this.underWay--,
        () => this.socket.end(CLOSES.BUSY.code, CLOSES.BUSY.reason),
      );
  }

  private async relay(): Promise<void> {
    while (!this.socket.closed) {
      const taken = await this.sessions.take(this.id, ANYBODY, TAKE).catch(() => null);
      for (const text of taken?.texts ?? []) this.socket.send(text);
      // Once this WebSocket breaks, its session is over: there is none who could ask in its place.
      this.sessions.received(this.id, ANYBODY, taken?.number ?? 0);
      if (!taken?.open) return this.socket.end(CLOSES.GOING_AWAY.code, CLOSES.GOING_AWAY.reason);
    }
  }
}
