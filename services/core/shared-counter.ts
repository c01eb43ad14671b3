import { digest } from "./ids";

/** What is allowed of each key: `most` in a window that begins with its first, or `most` at once, refilled `perSecond`. */
export type Allowed = { most: number; windowMs: number } | { most: number; perSecond: number };

/** One node tells another of a key. */
export interface Told {
  key: string;
  /** All that is known to be spent of it, what is told now included. */
  used: number;
  /** Milliseconds until its window ends; 0 where there is none. */
  endsInMs: number;
  /** Spent by the teller since he last told. */
  spent: number;
  /** He wants to spend so much more, and waits for the answer. */
  want: number;
}

export interface ToldAnswer {
  used: number;
  endsInMs: number;
  /** Of what was wanted. */
  granted: number;
}

export interface Grant {
  granted: number;
  /** Spent in all, this included. */
  used: number;
  /** Milliseconds until the window ends, or until there is one more. */
  endsInMs: number;
}

/** The other nodes that count the same. */
export interface Peers {
  /** How many there were at most a moment ago, this one included. */
  readonly size: number;
  /** Whether they can be asked at all. */
  readonly reachable: boolean;
  /** The other node that is to know of a key; undefined: there is no other. */
  of(key: string): string | undefined;
  /** Whether this node has the last word on a key. */
  owns(key: string): boolean;
  tell(node: string, items: Told[]): Promise<ToldAnswer[]>;
}

interface Entry {
  readonly key: string;
  /** Spent by all, as far as is known here. */
  used: number;
  /** Of that, spent here. */
  mine: number;
  /** Spent here and told nobody; and being told now. */
  untold: number;
  telling: number;
  /** End of the window, or when `used` was right. Monotonic milliseconds. */
  at: number;
  asks: Ask[];
}

interface Ask {
  count: number;
  answered: (grant: Grant) => void;
}

/** Part of the limit that nodes together may spend before they tell: by so much the limit may be missed. */
const SHARE = 0.1;
/** Milliseconds after which is told what nobody waits for. */
const LATER = 50;
/** Milliseconds for which a node that did not answer is not waited for. */
const SILENCE = 1_000;
/** Keys of one call. */
const TOGETHER = 1_000;
/** Keys counted apart. Beyond it, new ones share a few counters: memory stays bounded, known keys are not disturbed. */
const MAX_KEYS = 50_000;
const SHARED_KEYS = 256;

/**
 * Counts what is spent of each key on all nodes together. Each key has an owner, who has the last word, and whoever spends
 * tells him, in one call for all keys of a moment. A small share may be spent before; beyond it, whoever wants more waits for
 * the owner. The owner tells the node that would follow him in the same way, and all tell a new owner what they know: with a
 * node that dies no more than its share is forgotten. While the others cannot be asked each allows its part of the limit, and
 * no more than it knows to be left.
 */
export class SharedCounter {
  private readonly entries = new Map<string, Entry>();
  /** Keys to be told, by node. */
  private readonly dirty = new Map<string, Set<string>>();
  private readonly calling = new Set<string>();
  private readonly due = new Map<string, () => void>();
  private readonly silentUntil = new Map<string, number>();
  private sweptAt: number;

  /**
   * @param now monotonic milliseconds
   * @param sure nothing is spent before the owner knows of it
   */
  constructor(
    readonly allowed: Allowed,
    private readonly peers: Peers,
    private readonly now: () => number,
    private readonly sure = false,
    private readonly maxKeys = MAX_KEYS,
  ) {
    this.sweptAt = now();
  }

  /** Spends, all of it or as much as is left. A promise only where another node has to be asked. */
  take(key: string, count = 1): Grant | Promise<Grant> {
    const now = this.now();
    const entry = this.entryOf(key, now);
    const { peers } = this;
    if (!peers.reachable) return this.spendAlone(entry, count, now);
    const node = peers.of(entry.key);
    if (node === undefined) return this.spend(entry, count, now);
    const owns = peers.owns(entry.key);
    const known = entry.untold + entry.telling + count;
    const silent = (this.silentUntil.get(node) ?? 0) > now;
    if (this.left(entry) < 1) return this.grant(entry, 0, now);
    if (silent) {
      this.tellOf(node, entry.key, false);
      return this.spendAlone(entry, count, now);
    }
    if (known <= this.share(owns)) {
      const grant = this.spend(entry, count, now);
      entry.untold += grant.granted;
      this.tellOf(node, entry.key, false);
      return grant;
    }
    return new Promise(answered => {
      entry.asks.push({ count, answered });
      this.tellOf(node, entry.key, true);
    });
  }

  /** What other nodes tell of keys that this one owns, or would own without its owner. */
  told(items: readonly Told[]): ToldAnswer[] {
    const now = this.now();
    return items.map(({ key, used, endsInMs, spent, want }) => {
      const entry = this.entryOf(key, now);
      if (used > entry.used + spent) {
        entry.used = used;
        if (endsInMs > 0) entry.at = now + endsInMs;
      } else entry.used += spent;
      const granted = Math.min(want, this.left(entry));
      entry.used += granted;
      return { used: entry.used, endsInMs: this.windowLeft(entry, now), granted };
    });
  }

  /** Other nodes own some of the keys now: they are told what is known of them. */
  moved(): void {
    const now = this.now();
    for (const [key, entry] of this.entries) {
      this.refresh(entry, now);
      const node = entry.used > 0 ? this.peers.of(key) : undefined;
      if (node !== undefined) this.tellOf(node, key, entry.asks.length > 0);
    }
    for (const node of this.silentUntil.keys()) if (!this.dirty.has(node)) this.silentUntil.delete(node);
  }

  close(): void {
    for (const cancel of this.due.values()) cancel();
    this.due.clear();
  }

  private spend(entry: Entry, count: number, now: number): Grant {
    const granted = Math.min(count, this.left(entry));
    entry.used += granted;
    entry.mine += granted;
    return this.grant(entry, granted, now);
  }

  /** Nobody can be asked: this node's part of the limit, as if all others spent theirs. */
  private spendAlone(entry: Entry, count: number, now: number): Grant {
    const part = this.allowed.most / this.peers.size;
    const grant = this.spend(entry, Math.min(count, Math.max(0, Math.floor(part - entry.mine))), now);
    entry.untold += grant.granted;
    return { ...grant, used: Math.max(grant.used, Math.min(this.allowed.most, entry.mine * this.peers.size)) };
  }

  private grant(entry: Entry, granted: number, now: number): Grant {
    const { allowed } = this;
    const endsInMs =
      "windowMs" in allowed
        ? this.windowLeft(entry, now)
        : Math.ceil((Math.max(0, entry.used + 1 - allowed.most) / allowed.perSecond) * 1_000);
    return { granted, used: Math.ceil(entry.used), endsInMs };
  }

  private left({ used }: Entry): number {
    return Math.max(0, Math.floor(this.allowed.most - used));
  }

  private share(owns: boolean): number {
    return this.sure && !owns ? 0 : Math.max(owns ? 1 : 0, Math.floor((this.allowed.most * SHARE) / this.peers.size));
  }

  private windowLeft({ at }: Entry, now: number): number {
    return "windowMs" in this.allowed ? Math.max(1, Math.round(at - now)) : 0;
  }

  private tellOf(node: string, key: string, soon: boolean): void {
    let keys = this.dirty.get(node);
    if (!keys) this.dirty.set(node, (keys = new Set()));
    keys.add(key);
    if (!this.calling.has(node)) this.schedule(node, soon);
  }

  private schedule(node: string, soon: boolean): void {
    if (this.due.has(node) && !soon) return;
    this.due.get(node)?.();
    const call = (): void => {
      this.due.delete(node);
      void this.call(node);
    };
    if (soon) {
      const next = setImmediate(call);
      this.due.set(node, () => clearImmediate(next));
    } else {
      const wait = Math.max(LATER, (this.silentUntil.get(node) ?? 0) - this.now());
      const timer = setTimeout(call, wait).unref();
      this.due.set(node, () => clearTimeout(timer));
    }
  }

  private async call(node: string): Promise<void> {
    const keys = [...(this.dirty.get(node) ?? [])].slice(0, TOGETHER);
    const sentAt = this.now();
    const sent = keys.flatMap(key => {
      this.dirty.get(node)?.delete(key);
      const entry = this.entries.get(key);
      if (!entry) return [];
      this.refresh(entry, sentAt);
      const { untold: spent, asks, used } = entry;
      entry.untold = 0;
      entry.telling += spent;
      entry.asks = [];
      // The owner asks nobody; he only waits until somebody else knows.
      const want = this.peers.owns(key) ? 0 : asks.reduce((sum, { count }) => sum + count, 0);
      return [{ entry, asks, item: { key, used, endsInMs: this.windowLeft(entry, sentAt), spent, want } }];
    });
    if (sent.length === 0) return;
    this.calling.add(node);
    try {
      const answers = await this.peers.tell(
        node,
        sent.map(({ item }) => item),
      );
      this.silentUntil.delete(node);
      sent.forEach(({ entry, asks, item }, n) => this.settle(entry, asks, item, answers[n], sentAt));
    } catch {
      const now = this.now();
      this.silentUntil.set(node, now + SILENCE);
      for (const { entry, asks, item } of sent) {
        entry.telling -= item.spent;
        entry.untold += item.spent;
        for (const { count, answered } of asks) answered(this.spendAlone(entry, count, now));
        if (entry.untold > 0) this.dirty.get(node)?.add(item.key);
      }
    } finally {
      this.calling.delete(node);
      const left = this.dirty.get(node);
      if (left && left.size === 0) this.dirty.delete(node);
      else if (left)
        this.schedule(
          node,
          [...left].some(key => (this.entries.get(key)?.asks.length ?? 0) > 0),
        );
    }
  }

  private settle(
    entry: Entry,
    asks: Ask[],
    { key, spent }: Told,
    answer: ToldAnswer | undefined,
    sentAt: number,
  ): void {
    const now = this.now();
    this.refresh(entry, now);
    entry.telling -= spent;
    if (this.peers.owns(key)) {
      // He who would follow knows more only where he followed another owner before.
      if (answer && answer.used > entry.used) this.adopt(entry, answer, sentAt);
      return this.spendOwn(entry, asks, now);
    }
    if (answer) this.adopt(entry, answer, sentAt);
    let granted = answer?.granted ?? 0;
    for (const { count, answered } of asks) {
      const part = Math.min(count, granted);
      granted -= part;
      entry.mine += part;
      answered(this.grant(entry, part, now));
    }
  }

  /** What was spent before is known to who would follow; of what waits no more is spent than may be forgotten again. */
  private spendOwn(entry: Entry, asks: Ask[], now: number): void {
    const node = this.peers.of(entry.key);
    for (const [n, { count, answered }] of asks.entries()) {
      const untold = entry.untold + entry.telling;
      if (node !== undefined && untold > 0 && untold + count > this.share(true)) {
        entry.asks.unshift(...asks.slice(n));
        return this.tellOf(node, entry.key, true);
      }
      const grant = this.spend(entry, count, now);
      if (node !== undefined) {
        entry.untold += grant.granted;
        this.tellOf(node, entry.key, false);
      }
      answered(grant);
    }
  }

  private adopt(entry: Entry, { used, endsInMs }: ToldAnswer, sentAt: number): void {
    entry.used = used + entry.untold + entry.telling;
    if ("windowMs" in this.allowed) entry.at = sentAt + endsInMs;
    else entry.at = this.now();
  }

  private entryOf(key: string, now: number): Entry {
    this.sweep(now);
    let name = key;
    let entry = this.entries.get(name);
    if (!entry && this.entries.size >= this.maxKeys) {
      name = `shared:${parseInt(digest(key).slice(0, 8), 36) % SHARED_KEYS}`;
      entry = this.entries.get(name);
    }
    if (!entry) this.entries.set(name, (entry = this.fresh(name, now)));
    this.refresh(entry, now);
    return entry;
  }

  private fresh(key: string, now: number): Entry {
    const at = "windowMs" in this.allowed ? now + this.allowed.windowMs : now;
    return { key, used: 0, mine: 0, untold: 0, telling: 0, at, asks: [] };
  }

  private refresh(entry: Entry, now: number): void {
    const { allowed } = this;
    if ("windowMs" in allowed) {
      if (now < entry.at) return;
      // What was spent in a window that is over is nobody's business any more.
      Object.assign(entry, { used: 0, mine: 0, untold: 0, at: now + allowed.windowMs });
    } else {
      const refilled = (Math.max(0, now - entry.at) / 1_000) * allowed.perSecond;
      entry.used = Math.max(0, entry.used - refilled);
      entry.mine = Math.max(0, entry.mine - refilled / this.peers.size);
      entry.at = now;
    }
  }

  /** Forgets keys of which nothing is spent. */
  private sweep(now: number): void {
    const every =
      "windowMs" in this.allowed ? this.allowed.windowMs : (this.allowed.most / this.allowed.perSecond) * 1_000;
    if (now - this.sweptAt < every) return;
    this.sweptAt = now;
    for (const [key, entry] of this.entries) {
      this.refresh(entry, now);
      if (entry.used === 0 && entry.telling === 0 && entry.asks.length === 0) this.entries.delete(key);
    }
  }
}
