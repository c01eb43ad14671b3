import type { PresenceReport as Report } from "../core/contract";
import { newId } from "../core/ids";

/** Sends one report to one presence node; resolves to whether it was taken. */
export type SendReport = (report: Report, node: string) => Promise<{ known: boolean; term: number }>;

/** Milliseconds for which changes are collected, and at most between reports. */
const TICK = 250;
const BEAT = 1_000;
/** Users in one report: what a packet between nodes holds with ease. */
const PART = 10_000;

/** A presence node, and what it has still to be told. */
interface Listener {
  /** One run of reports: numbers count within it. A node that was out of sight and is back gets a new one. */
  start: string;
  n: number;
  /** As it answered last. */
  term: number;
  /** Everybody is to be told, since something between it and us is missing. */
  full: boolean;
  changed: Set<string>;
  sentAt: number;
  sending: boolean;
}

/**
 * Tells every presence node who is connected here: changes as they come, everybody where a node is new or missed a report.
 * So each of them can answer, and any of them can speak for all when another one dies.
 */
export class PresenceReport {
  private readonly online = new Set<string>();
  private readonly listeners = new Map<string, Listener>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly gateway: string,
    private readonly send: SendReport,
    /** The presence nodes that are there. */
    private readonly nodes: () => readonly string[],
    private readonly now: () => number,
  ) {
    this.timer = setInterval(() => this.tick(), TICK).unref();
  }

  set(user: string, online: boolean): void {
    if (online) this.online.add(user);
    else this.online.delete(user);
    for (const listener of this.listeners.values()) listener.changed.add(user);
  }

  /** Says that everybody is gone from here, without waiting long for an answer. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    this.online.clear();
    const goodbye = async ([node, listener]: [string, Listener]): Promise<void> => {
      // Refused once if the node's term is new to us.
      for (let attempt = 0; attempt < 2; attempt++) if (await this.everybody(node, listener)) return;
    };
    await Promise.all([...this.listeners].map(one => goodbye(one).catch(() => undefined)));
  }

  private tick(): void {
    const nodes = new Set(this.nodes());
    for (const node of this.listeners.keys()) if (!nodes.has(node)) this.listeners.delete(node);
    for (const node of nodes) {
      const listener = this.listeners.get(node) ?? listenerFromNowOn();
      this.listeners.set(node, listener);
      const due = listener.full || listener.changed.size > 0 || this.now() - listener.sentAt >= BEAT;
      if (due && !listener.sending) void this.report(node, listener);
    }
  }

  private async report(node: string, listener: Listener): Promise<void> {
    listener.sending = true;
    listener.sentAt = this.now();
    const work = listener.full ? this.everybody(node, listener) : this.changes(node, listener);
    listener.full = !(await work.catch(() => false));
    listener.sending = false;
  }

  private async changes(node: string, listener: Listener): Promise<boolean> {
    const users = [...listener.changed].slice(0, PART);
    for (const user of users) listener.changed.delete(user);
    const online = users.filter(user => this.online.has(user));
    const offline = users.filter(user => !this.online.has(user));
    return this.one(node, listener, { full: false, online, offline });
  }

  private async everybody(node: string, listener: Listener): Promise<boolean> {
    // What changes from here on comes after it.
    listener.changed.clear();
    const users = [...this.online];
    for (let part = 0; ; part++) {
      const online = users.slice(part * PART, (part + 1) * PART);
      const more = (part + 1) * PART < users.length;
      if (!(await this.one(node, listener, { full: true, part, more, online, offline: [] }))) return false;
      if (!more) return true;
    }
  }

  private async one(node: string, listener: Listener, what: Part): Promise<boolean> {
    const { start, term } = listener;
    const answer = await this.send({ gateway: this.gateway, start, n: ++listener.n, term, ...what }, node);
    listener.term = answer.term;
    return answer.known;
  }
}

type Part = Omit<Report, "gateway" | "start" | "n" | "term">;

const listenerFromNowOn = (): Listener => ({
  start: newId(),
  n: 0,
  term: 0,
  full: true,
  changed: new Set(),
  sentAt: 0,
  sending: false,
});
