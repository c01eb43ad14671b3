import type { ParamsOf } from "../core/contract";
import { newId } from "../core/ids";

/** Sends one report; resolves to whether it was taken. */
export type SendReport = (report: ParamsOf<"presence.report">) => Promise<{ known: boolean }>;

/** Milliseconds for which changes are collected, and at most between reports. */
const TICK = 250;
const BEAT = 5_000;

/** Tells the presence service who is connected here: changes as they come, everybody where a report was missed. */
export class PresenceReport {
  /** One run of this gateway: numbers of reports count within it. */
  private readonly start = newId();
  private readonly online = new Set<string>();
  private readonly changed = new Set<string>();
  private n = 0;
  private full = true;
  private sentAt = -Infinity;
  private sending = false;
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly gateway: string,
    private readonly send: SendReport,
    private readonly now: () => number,
  ) {
    this.timer = setInterval(() => void this.tick(), TICK).unref();
  }

  set(user: string, online: boolean): void {
    if (online) this.online.add(user);
    else this.online.delete(user);
    this.changed.add(user);
  }

  /** Says that everybody is gone from here, without waiting long for an answer. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    this.online.clear();
    await this.report(true).catch(() => undefined);
  }

  private async tick(): Promise<void> {
    if (this.sending) return;
    if (this.changed.size === 0 && !this.full && this.now() - this.sentAt < BEAT) return;
    await this.report(this.full).catch(() => (this.full = true));
  }

  private async report(full: boolean): Promise<void> {
    const changed = [...this.changed];
    this.changed.clear();
    const online = full ? [...this.online] : changed.filter(user => this.online.has(user));
    const offline = full ? [] : changed.filter(user => !this.online.has(user));
    this.sending = true;
    this.sentAt = this.now();
    try {
      const { known } = await this.send({
        gateway: this.gateway,
        start: this.start,
        n: ++this.n,
        full,
        online,
        offline,
      });
      this.full = !known;
    } finally {
      this.sending = false;
    }
  }
}
