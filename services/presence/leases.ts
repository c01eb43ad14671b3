import type { PresenceChange, PresenceReport } from "../core/contract";
import type { PresenceStatus } from "../core/model";

interface Lease {
  start: string;
  n: number;
  /** The term of the last full report: of an earlier one it may be outdated. */
  term: number;
  users: Set<string>;
  /** On the monotonic clock. */
  expiresAt: number;
}

export interface LeasesOptions {
  /** Milliseconds that never jump: leases are durations from receipt, and no wall time crosses nodes. */
  monotonic: () => number;
  /** Nodes that are known to run a gateway: until each has reported, nobody is said to have left. */
  gatewayNodes: () => readonly string[];
}

/** Milliseconds a gateway's report holds; gateways report at least every second. */
export const LEASE = 15_000;
/** Milliseconds between two ticks from which on this node was not listening: what was said may still wait to be read. */
export const LAPSE = 1_000;
/** Milliseconds after which gateways that have not reported are no longer waited for. */
export const SETTLING = 30_000;
/** Milliseconds after which a node that others speak for takes it that they have told what it knows. */
export const HEARSAY = 30_000;

/** Who is online: a user is while any gateway with a live lease holds him. */
export class Leases {
  private readonly leases = new Map<string, Lease>();
  /** How many gateways hold a user. */
  private readonly holders = new Map<string, number>();
  /** Users last told to be online, by this node or by the one that speaks for all. */
  private readonly told = new Set<string>();
  /** Users of whom there may be something to tell, and since when. */
  private readonly touched = new Map<string, number>();
  /** Full reports of which a part is still to come. */
  private readonly begun = new Map<string, Lease>();
  /** Nodes whose gateway has reported in full. */
  private readonly heard = new Set<string>();
  /** How often this node could not listen. A gateway learns it by an answer, so what it sends with it is news. */
  term = 0;
  private termSince: number;
  private tickedAt: number;

  constructor(private readonly options: LeasesOptions) {
    this.termSince = this.tickedAt = options.monotonic();
  }

  /**
   * Whether the report was taken. If not, something is missing between it and the last one: a full one is needed.
   * @param node where the gateway runs
   */
  report(report: PresenceReport, node: string): boolean {
    const { gateway, start, n, term = 0, full, more = false } = report;
    if (term !== this.term) return false;
    const lease = this.leases.get(gateway);
    const expiresAt = this.options.monotonic() + LEASE;
    if (full) {
      if (lease?.start === start && n <= lease.n) return false;
      const users = this.parts(report);
      if (!users) return false;
      // Who was there stays until the last part has come.
      if (lease) lease.expiresAt = expiresAt;
      if (more) {
        this.begun.set(gateway, { start, n, term, users, expiresAt });
        return true;
      }
      this.begun.delete(gateway);
      this.replace(gateway, { start, n, term, users: new Set(), expiresAt }, users);
    } else {
      if (lease?.start !== start || n !== lease.n + 1) return false;
      Object.assign(lease, { n, expiresAt });
      for (const user of report.online) this.hold(lease, user);
      for (const user of report.offline) this.release(lease, user);
    }
    this.heard.add(node);
    return true;
  }

  /** The users of a full report so far; undefined if a part before this one is missing. */
  private parts({ gateway, start, n, part = 0, online }: PresenceReport): Set<string> | undefined {
    if (part === 0) return new Set(online);
    const begun = this.begun.get(gateway);
    if (begun?.start !== start || begun.n !== n - 1) return undefined;
    for (const user of online) begun.users.add(user);
    return begun.users;
  }

  private replace(gateway: string, next: Lease, users: Iterable<string>): void {
    const lease = this.leases.get(gateway);
    // Those who stay are held twice for a moment, so that they are never counted as gone.
    for (const user of users) this.hold(next, user);
    if (lease) for (const user of lease.users) this.drop(user);
    this.leases.set(gateway, next);
  }

  /**
   * For a ticker, well below `LAPSE`: ends the leases of gateways that have fallen silent. Whoever could not listen, since
   * the process stood still or is cut off, takes nobody's silence for absence: it keeps what it knows and settles anew.
   * @param linked whether reports can reach this node
   * @returns whether it has listened since the last tick
   */
  tick(linked = true): boolean {
    const now = this.options.monotonic();
    const listened = linked && now - this.tickedAt <= LAPSE;
    this.tickedAt = now;
    if (listened) this.expire(now);
    else this.settleAnew(now);
    return listened;
  }

  private settleAnew(now: number): void {
    this.term++;
    this.termSince = now;
    this.heard.clear();
    this.begun.clear();
    for (const lease of this.leases.values()) lease.expiresAt = now + LEASE;
  }

  private expire(now: number): void {
    for (const [gateway, lease] of this.leases) {
      if (lease.expiresAt > now) continue;
      this.leases.delete(gateway);
      for (const user of lease.users) this.drop(user);
    }
    for (const [gateway, { expiresAt }] of this.begun) if (expiresAt <= now) this.begun.delete(gateway);
  }

  statusOf(user: string): PresenceStatus {
    return this.holders.has(user) ? "online" : "offline";
  }

  /** What differs from what was told last; who came and went in between is not mentioned. */
  changes(): PresenceChange[] {
    const mayLeave = this.settled;
    const changes: PresenceChange[] = [];
    for (const user of this.touched.keys()) {
      const change = { user, status: this.statusOf(user) };
      const before = this.toldOf(user);
      if (change.status === "offline" && before === "online" && !mayLeave) continue;
      this.touched.delete(user);
      if (change.status === before) continue;
      this.note(change);
      changes.push(change);
    }
    return changes;
  }

  /** What another node told everybody. */
  heardOf(changes: readonly PresenceChange[]): void {
    for (const change of changes) {
      this.note(change);
      this.touch(change.user);
    }
  }

  /** For a node that another one speaks for, now and then: keeps only what that one may not have told yet. */
  standBy(): void {
    const old = this.options.monotonic() - HEARSAY;
    for (const [user, since] of this.touched) {
      const status = this.statusOf(user);
      if (status !== this.toldOf(user) && since > old) continue;
      this.note({ user, status });
      this.touched.delete(user);
    }
  }

  /** Whether every gateway has reported in full in this term, so that who is not held is gone. */
  get settled(): boolean {
    if (this.options.monotonic() - this.termSince >= SETTLING) return true;
    // The registry forgets nodes while this one does not listen; their leases do not.
    for (const { term } of this.leases.values()) if (term !== this.term) return false;
    return this.options.gatewayNodes().every(node => this.heard.has(node));
  }

  private toldOf(user: string): PresenceStatus {
    return this.told.has(user) ? "online" : "offline";
  }

  private note({ user, status }: PresenceChange): void {
    if (status === "online") this.told.add(user);
    else this.told.delete(user);
  }

  private touch(user: string): void {
    this.touched.set(user, this.options.monotonic());
  }

  private hold(lease: Lease, user: string): void {
    if (lease.users.has(user)) return;
    lease.users.add(user);
    const holders = this.holders.get(user) ?? 0;
    this.holders.set(user, holders + 1);
    if (holders === 0) this.touch(user);
  }

  private release(lease: Lease, user: string): void {
    if (lease.users.delete(user)) this.drop(user);
  }

  private drop(user: string): void {
    const holders = (this.holders.get(user) ?? 0) - 1;
    if (holders > 0) {
      this.holders.set(user, holders);
      return;
    }
    this.holders.delete(user);
    this.touch(user);
  }
}
