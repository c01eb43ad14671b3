import type { Clock } from "../core/clock";
import type { Message } from "../core/model";

/** Members remembered; who has waited longest is forgotten first. */
const MEMBERS = 10_000;

/** When the members of one room last sent. */
export class SlowMode {
  /** Monotonic milliseconds by user, the longest ago first. */
  private readonly sent = new Map<string, number>();
  /** What is stored has been looked at since another may have written. */
  known = false;

  constructor(private readonly clock: Clock) {}

  /** @param messages of the room, in any order */
  learn(messages: readonly Pick<Message, "senderId" | "createdAt">[]): void {
    const [now, monotonic] = [this.clock.now(), this.clock.monotonic()];
    for (const { senderId, createdAt } of messages) {
      const at = monotonic - Math.max(now - Date.parse(createdAt), 0);
      if (at > (this.sent.get(senderId) ?? -Infinity)) this.note(senderId, at);
    }
  }

  /** Milliseconds until the user may send again, 0 if now. */
  wait(user: string, seconds: number): number {
    const last = this.sent.get(user);
    return last === undefined ? 0 : Math.max(last + seconds * 1_000 - this.clock.monotonic(), 0);
  }

  took(user: string): void {
    this.note(user, this.clock.monotonic());
  }

  private note(user: string, at: number): void {
    this.sent.delete(user);
    this.sent.set(user, at);
    const [oldest] = this.sent.keys();
    if (this.sent.size > MEMBERS && oldest !== undefined) this.sent.delete(oldest);
  }
}
