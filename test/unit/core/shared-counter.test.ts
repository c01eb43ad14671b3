import { Rendezvous } from "../../../services/core/rendezvous";
import {
  SharedCounter,
  type Allowed,
  type Grant,
  type Told,
  type ToldAnswer,
} from "../../../services/core/shared-counter";
import { eventually } from "../../support/eventually";
import { alone } from "./alone";

/** Nodes that tell each other over a wire that can be cut, and a clock of their own. */
class Nodes {
  readonly counters = new Map<string, SharedCounter>();
  readonly dead = new Set<string>();
  cut = false;
  calls = 0;
  now = 0;
  private size: number;

  constructor(
    names: readonly string[],
    readonly allowed: Allowed,
    sure = false,
  ) {
    this.size = names.length;
    for (const name of names) {
      const peers = {
        of: (key: string) => this.live(name).of(key),
        owns: (key: string) => this.live().of(key) === name,
        tell: (node: string, items: Told[]) => this.tell(node, items),
      };
      const size = () => this.size;
      const reachable = () => !this.cut;
      const known = Object.defineProperties(peers, { size: { get: size }, reachable: { get: reachable } });
      this.counters.set(name, new SharedCounter(allowed, known as never, () => this.now, sure));
    }
  }

  private live(without?: string): Rendezvous {
    return new Rendezvous([...this.counters.keys()].filter(name => name !== without && !this.dead.has(name)));
  }

  owner(key: string): string {
    return this.live().of(key) as string;
  }

  of(name: string): SharedCounter {
    return this.counters.get(name) as SharedCounter;
  }

  get names(): string[] {
    return [...this.counters.keys()].filter(name => !this.dead.has(name));
  }

  private async tell(node: string, items: Told[]): Promise<ToldAnswer[]> {
    this.calls++;
    await new Promise(resolve => setImmediate(resolve));
    if (this.dead.has(node) || this.cut) throw new Error("no answer");
    const answers = this.of(node).told(items);
    await new Promise(resolve => setImmediate(resolve));
    if (this.cut) throw new Error("no answer");
    return answers;
  }

  kill(name: string, forgetAfter = true): void {
    this.dead.add(name);
    if (forgetAfter) for (const other of this.names) this.of(other).moved();
  }

  /** Everybody spends as fast as he can; how much was granted. */
  async burst(each: number, names = this.names, key = "k"): Promise<number> {
    const grants: Grant[] = await Promise.all(
      names.flatMap(name => Array.from({ length: each }, () => Promise.resolve(this.of(name).take(key)))),
    );
    return grants.reduce((sum, { granted }) => sum + granted, 0);
  }

  close(): void {
    for (const counter of this.counters.values()) counter.close();
  }
}

const MINUTE = { most: 1_200, windowMs: 60_000 };

describe("a counter shared by nodes", () => {
  let nodes: Nodes;
  afterEach(() => nodes.close());

  it.each([1, 2, 3, 5])("of %s lets no more through than a tenth over the limit, and no less than it", async n => {
    nodes = new Nodes(["a", "b", "c", "d", "e"].slice(0, n), MINUTE);
    const granted = await nodes.burst(1_500);
    expect(granted).toBeGreaterThanOrEqual(1_200);
    expect(granted).toBeLessThanOrEqual(1_320);
    expect(await nodes.burst(10)).toBe(0);
    nodes.now += 60_001;
    expect(await nodes.burst(1)).toBe(n);
  });

  it("that is sure lets through exactly the limit", async () => {
    nodes = new Nodes(["a", "b", "c"], { most: 30, windowMs: 60_000 }, true);
    expect(await nodes.burst(40)).toBe(30);
  });

  it("asks nobody at a usual pace, and tells all keys of a moment in one call", async () => {
    nodes = new Nodes(["a", "b"], MINUTE);
    for (let key = 0; key < 500; key++)
      for (const name of nodes.names) expect(nodes.of(name).take(`k${key}`)).not.toBeInstanceOf(Promise);
    await eventually("told", () => nodes.calls >= 2);
    expect(nodes.calls).toBeLessThanOrEqual(4);
    const used = await eventually(
      "counted together",
      () =>
        nodes.names.map(name => nodes.of(name).told([{ key: "k0", used: 0, endsInMs: 0, spent: 0, want: 0 }])[0]?.used),
      all => all.every(one => one === 2),
    );
    expect(used).toEqual([2, 2]);
  });

  it("forgets no more than one share when its owner is killed, wherever was spent", async () => {
    for (const where of ["everywhere", "at the owner", "elsewhere"]) {
      nodes = new Nodes(["a", "b", "c"], MINUTE);
      const owner = nodes.owner("k");
      const names = nodes.names.filter(name =>
        where === "everywhere" ? true : where === "at the owner" ? name === owner : name !== owner,
      );
      const before = await nodes.burst(Math.ceil(1_000 / names.length), names);
      nodes.kill(owner);
      const after = await nodes.burst(1_500);
      const over = before + after - 1_200;
      expect([where, over >= 0 && over <= 120 ? "a share at most" : over]).toEqual([where, "a share at most"]);
      nodes.close();
    }
  });

  it("is stricter while a dead owner is still waited for, and while nobody can be asked", async () => {
    for (const trouble of ["dead", "cut"]) {
      nodes = new Nodes(["a", "b", "c"], MINUTE);
      if (trouble === "dead") nodes.kill(nodes.owner("k"), false);
      else nodes.cut = true;
      const granted = await nodes.burst(1_500);
      expect(granted).toBeGreaterThanOrEqual(400);
      expect(granted).toBeLessThanOrEqual(1_200);
      nodes.close();
    }
  });

  it("cut off in the middle counts on from what is known", async () => {
    nodes = new Nodes(["a", "b"], MINUTE);
    const before = await nodes.burst(450);
    nodes.cut = true;
    const during = await nodes.burst(1_500);
    expect(before + during).toBeLessThanOrEqual(1_200 + 60);
    nodes.cut = false;
    nodes.now += 1_001;
    const after = await nodes.burst(1_500);
    expect(before + during + after).toBeGreaterThanOrEqual(1_200);
    expect(before + during + after).toBeLessThanOrEqual(1_320);
  });

  it("refills", async () => {
    nodes = new Nodes(["a", "b"], { most: 60, perSecond: 10 });
    expect(await nodes.burst(100)).toBeLessThanOrEqual(66);
    nodes.now += 3_000;
    expect(await nodes.burst(100)).toBeLessThanOrEqual(36);
    nodes.now += 60_000;
    const grant = await nodes.of("a").take("k", 100);
    expect(grant.granted).toBe(60);
    expect(grant.endsInMs).toBeLessThanOrEqual(200);
  });
});

describe("a counter alone", () => {
  it("answers at once, in windows", () => {
    let now = 0;
    const counter = new SharedCounter({ most: 2, windowMs: 1_000 }, alone, () => now);
    expect(counter.take("k")).toEqual({ granted: 1, used: 1, endsInMs: 1_000 });
    now = 400;
    expect(counter.take("k")).toEqual({ granted: 1, used: 2, endsInMs: 600 });
    expect(counter.take("k")).toEqual({ granted: 0, used: 2, endsInMs: 600 });
    expect(counter.take("other")).toMatchObject({ granted: 1 });
    now = 1_000;
    expect(counter.take("k")).toEqual({ granted: 1, used: 1, endsInMs: 1_000 });
  });

  it("bounds the keys it keeps: strangers beyond the bound share counters, known keys keep theirs", () => {
    let now = 0;
    const counter = new SharedCounter({ most: 10_000, windowMs: 1_000 }, alone, () => now, false, 10);
    const used = (key: string): number => (counter.take(key) as Grant).used;
    for (let n = 0; n < 10; n++) expect(used(`known-${n}`)).toBe(1);
    let largest = 0;
    for (let n = 0; n < 2_000; n++) largest = Math.max(largest, used(`stranger-${n}`));
    expect(largest).toBeGreaterThanOrEqual(2_000 / 256);
    expect(used("known-3")).toBe(2);
    // What nothing is spent of any more is forgotten, and new keys are counted apart again.
    now = 2_000;
    expect(used("stranger-1")).toBe(1);
    expect(used("stranger-1")).toBe(2);
  });
});
