import type { PresenceChange } from "../core/contract";
import type { PresenceStatus } from "../core/model";

/** What a gateway says of its users: all of them when `full`, else what changed since its report `n` - 1. */
export interface Report {
  gateway: string;
  /** One run of the gateway. */
  start: string;
  n: number;
  full: boolean;
  online: readonly string[];
  offline: readonly string[];
}

interface Lease {
  start: string;
  n: number;
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

/** Milliseconds a gateway's report holds; gateways report at least every 5 s. */
export const LEASE = 15_000;
/** Milliseconds after which gateways that have not reported are no longer waited for. */
export const SETTLING = 30_000;

/** Who is online: a user is while any gateway with a live lease holds him. */
export class Leases {
  private readonly leases = new Map<string, Lease>();
  /** How many gateways hold a user. */
  private readonly holders = new Map<string, number>();
  /** Users last told to be online. */
  private readonly told = new Set<string>();
  private readonly touched = new Set<string>();
  /** Nodes whose gateway has reported in full. */
  private readonly heard = new Set<string>();
  private readonly startedAt: number;

  constructor(private readonly options: LeasesOptions) {
    this.startedAt = options.monotonic();
  }

  /**
   * Whether the report was taken. If not, something is missing between it and the last one: a full one is needed.
   * @param node where the gateway runs
   */
  report({ gateway, start, n, full, online, offline }: Report, node: string): boolean {
    this.expire();
    const lease = this.leases.get(gateway);
    const same = lease?.start === start;
    if (full ? same && n <= lease.n : !same || n !== lease.n + 1) return false;

    const next: Lease = {
      start,
      n,
      users: (full ? undefined : lease?.users) ?? new Set(),
      expiresAt: this.options.monotonic() + LEASE,
    };
    // Those who stay are held twice for a moment, so that they are never counted as gone.
    for (const user of online) this.hold(next, user);
    for (const user of offline) this.release(next, user);
    if (full && lease) for (const user of lease.users) this.drop(user);
    this.leases.set(gateway, next);
    this.heard.add(node);
    return true;
  }

  /** Ends the leases of gateways that have fallen silent. */
  expire(): void {
    const now = this.options.monotonic();
    for (const [gateway, lease] of this.leases) {
      if (lease.expiresAt > now) continue;
      this.leases.delete(gateway);
      for (const user of lease.users) this.drop(user);
    }
  }

  statusOf(user: string): PresenceStatus {
    return this.holders.has(user) ? "online" : "offline";
  }

  /** Whether `changes` may have something to tell. */
  get restless(): boolean {
    return this.touched.size > 0;
  }

  /** What differs from what was told last; who came and went in between is not mentioned. */
  changes(): PresenceChange[] {
    const mayLeave = this.isSettled();
    const changes: PresenceChange[] = [];
    for (const user of this.touched) {
      const status = this.statusOf(user);
      const before: PresenceStatus = this.told.has(user) ? "online" : "offline";
      if (status === "offline" && before === "online" && !mayLeave) continue;
      this.touched.delete(user);
      if (status === before) continue;
      if (status === "online") this.told.add(user);
      else this.told.delete(user);
      changes.push({ user, status });
    }
    return changes;
  }

  private isSettled(): boolean {
    if (this.options.monotonic() - this.startedAt >= SETTLING) return true;
    return this.options.gatewayNodes().every(node => this.heard.has(node));
  }

  private hold(lease: Lease, user: string): void {
    if (lease.users.has(user)) return;
    lease.users.add(user);
    const holders = this.holders.get(user) ?? 0;
    this.holders.set(user, holders + 1);
    if (holders === 0) this.touched.add(user);
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
    this.touched.add(user);
  }
}
