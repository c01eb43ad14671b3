import type { PresenceReport } from "../../../services/core/contract";
import { HEARSAY, LAPSE, LEASE, Leases, SETTLING } from "../../../services/presence/leases";
import { TestClock } from "../../support/broker";

describe("presence leases", () => {
  let clock: TestClock;
  let leases: Leases;
  let nodes: string[];
  const report = (gateway: string, n: number, change: Partial<PresenceReport> = {}, node = gateway) =>
    leases.report({ gateway, start: "run-1", n, full: false, online: [], offline: [], ...change }, node);
  const full = (gateway: string, n: number, online: string[], start = "run-1") =>
    report(gateway, n, { full: true, online, start });
  /** Time that passes while the node listens. */
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= LAPSE) {
      clock.advance(Math.min(left, LAPSE));
      leases.tick();
    }
  };
  const changes = () => leases.changes().map(({ user, status }) => `${user} ${status}`);

  beforeEach(() => {
    clock = new TestClock(1_000);
    nodes = [];
    leases = new Leases({ monotonic: () => clock.monotonic(), gatewayNodes: () => nodes });
  });

  it("say who is online from a full report on, and ask for one if they know nothing of a gateway", () => {
    expect(report("g1", 7, { online: ["ann"] })).toBe(false);
    expect(leases.statusOf("ann")).toBe("offline");
    expect(full("g1", 8, ["ann", "bob"])).toBe(true);
    expect(changes()).toEqual(["ann online", "bob online"]);
    expect(changes()).toEqual([]);
    expect(leases.statusOf("ann")).toBe("online");
  });

  it("take a change only if it is the next one of the same run", () => {
    full("g1", 1, ["ann"]);
    expect(report("g1", 2, { offline: ["ann"], online: ["bob"] })).toBe(true);
    for (const n of [2, 1, 4]) expect(report("g1", n, { online: ["eve"] })).toBe(false);
    expect(report("g1", 3, { online: ["eve"], start: "run-2" })).toBe(false);
    expect(full("g1", 2, ["eve"])).toBe(false);
    expect([leases.statusOf("ann"), leases.statusOf("bob"), leases.statusOf("eve")]).toEqual([
      "offline",
      "online",
      "offline",
    ]);
    expect(report("g1", 3)).toBe(true);
  });

  it("replace all a gateway said by its full report, and tell only the difference", () => {
    full("g1", 1, ["ann", "bob"]);
    changes();
    expect(full("g1", 5, ["bob", "eve"])).toBe(true);
    expect(changes()).toEqual(["eve online", "ann offline"]);
    expect(full("g1", 1, ["bob"], "run-2")).toBe(true);
    expect(changes()).toEqual(["eve offline"]);
  });

  it("keep a user online while any gateway holds him", () => {
    full("g1", 1, ["ann"]);
    full("g2", 1, ["ann"]);
    changes();
    report("g1", 2, { offline: ["ann"] });
    expect(changes()).toEqual([]);
    report("g2", 2, { offline: ["ann", "ann", "nobody"] });
    expect(changes()).toEqual(["ann offline"]);
  });

  it("do not mention who came and went, or went and came back, between two tellings", () => {
    full("g1", 1, ["ann"]);
    changes();
    report("g1", 2, { online: ["bob"] });
    report("g1", 3, { offline: ["bob", "ann"] });
    report("g1", 4, { online: ["ann"] });
    expect(changes()).toEqual([]);
  });

  it("end with the silence of a gateway, counted from the receipt of its last report", () => {
    full("g1", 1, ["ann"]);
    full("g2", 1, ["bob"]);
    changes();
    pass(LEASE - 1);
    report("g2", 2);
    expect(changes()).toEqual([]);
    pass(1);
    expect(changes()).toEqual(["ann offline"]);
    expect(report("g1", 2)).toBe(false);
    expect(leases.statusOf("bob")).toBe("online");
  });

  it("let nobody leave before every known gateway has reported", () => {
    nodes = ["n1", "n2"];
    report("g1", 1, { full: true, online: ["ann"] }, "n1");
    expect(changes()).toEqual(["ann online"]);
    report("g1", 2, { offline: ["ann"] }, "n1");
    expect(changes()).toEqual([]);
    report("g2", 1, { full: true, online: ["ann"] }, "n2");
    expect(changes()).toEqual([]);
    report("g2", 2, { offline: ["ann"] }, "n2");
    expect(changes()).toEqual(["ann offline"]);
  });

  it("wait 30 s for a gateway that does not report, and no longer", () => {
    nodes = ["n1", "dead"];
    report("g1", 1, { full: true, online: ["ann"] }, "n1");
    changes();
    report("g1", 2, { offline: ["ann"] }, "n1");
    clock.advance(SETTLING - 1);
    expect(changes()).toEqual([]);
    clock.advance(1);
    expect(changes()).toEqual(["ann offline"]);
  });

  describe.each([
    ["stood still", () => clock.advance(19_000), true],
    ["was cut off", () => undefined, false],
  ])("of a node that %s", (_, lapse, linked) => {
    beforeEach(() => {
      nodes = ["g1", "g2"];
      full("g1", 1, ["ann"]);
      full("g2", 1, ["bob"]);
      expect(changes()).toEqual(["ann online", "bob online"]);
      lapse();
      expect(leases.tick(linked)).toBe(false);
    });
    const again = (gateway: string, online: string[]) =>
      report(gateway, 9, { full: true, online, start: "run-2", term: leases.term });

    it("keep what they know, and are not settled until every gateway has answered", () => {
      // Who was there before is waited for, even if the registry has forgotten him.
      nodes = [];
      expect([leases.settled, changes(), leases.statusOf("ann")]).toEqual([false, [], "online"]);
      expect(again("g1", [])).toBe(true);
      expect([leases.settled, changes()]).toEqual([false, []]);
      expect(again("g2", ["bob"])).toBe(true);
      expect([leases.settled, changes()]).toEqual([true, ["ann offline"]]);
      expect(leases.tick()).toBe(true);
    });

    it("take nothing that was sent before, in full or not, since more may have been said since", () => {
      expect(report("g1", 2, { offline: ["ann"] })).toBe(false);
      expect(report("g1", 3, { full: true })).toBe(false);
      expect([leases.settled, changes(), leases.statusOf("ann")]).toEqual([false, [], "online"]);
    });

    it("end with the silence of a gateway that does not come back, counted anew", () => {
      again("g1", ["ann"]);
      pass(LEASE - 1);
      again("g1", ["ann"]);
      report("g1", 10, { start: "run-2", term: leases.term });
      expect(changes()).toEqual([]);
      pass(1);
      expect([leases.statusOf("ann"), leases.statusOf("bob"), changes()]).toEqual(["online", "offline", []]);
      nodes = ["g1"];
      expect(changes()).toEqual(["bob offline"]);
    });
  });

  it("hold on while the node is cut off, however long", () => {
    full("g1", 1, ["ann"]);
    changes();
    for (let ms = 0; ms < 2 * SETTLING; ms += LAPSE) {
      clock.advance(LAPSE);
      leases.tick(false);
    }
    expect([leases.settled, changes(), leases.statusOf("ann")]).toEqual([false, [], "online"]);
  });

  it("take a full report in parts, and let nobody go before the last one has come", () => {
    full("g1", 1, ["ann", "bob"]);
    changes();
    expect(report("g1", 2, { full: true, part: 0, more: true, online: ["bob"] })).toBe(true);
    expect([leases.statusOf("ann"), changes()]).toEqual(["online", []]);
    expect(report("g1", 3, { full: true, part: 1, more: false, online: ["eve"] })).toBe(true);
    expect(changes()).toEqual(["eve online", "ann offline"]);
    expect(report("g1", 4, { offline: ["bob"] })).toBe(true);
  });

  it("do not take the rest of a full report for a whole one", () => {
    full("g1", 1, ["ann"]);
    expect(report("g1", 2, { full: true, part: 1, more: false, online: ["eve"] })).toBe(false);
    expect(report("g1", 3, { full: true, part: 0, more: true, online: ["bob"] })).toBe(true);
    expect(report("g1", 5, { full: true, part: 2, more: false, online: ["eve"] })).toBe(false);
    expect(["ann", "bob", "eve"].map(user => leases.statusOf(user))).toEqual(["online", "offline", "offline"]);
  });

  it("keep for a later speaker what the speaker of today has not told, and nothing else", () => {
    full("g1", 1, ["ann", "bob"]);
    leases.heardOf([{ user: "ann", status: "online" }]);
    leases.standBy();
    report("g1", 2, { offline: ["ann"], online: ["eve"] });
    leases.heardOf([{ user: "ann", status: "offline" }]);
    leases.standBy();
    expect(changes()).toEqual(["bob online", "eve online"]);
  });

  it("take it after a while that what is known here has been told", () => {
    full("g1", 1, ["ann", "bob"]);
    for (let n = 2; n < 8; n++) {
      clock.advance(HEARSAY / 6);
      leases.standBy();
      report("g1", n, n === 7 ? { offline: ["bob"] } : {});
    }
    expect(changes()).toEqual(["bob offline"]);
  });

  it("agree with a plain count over any sequence of reports", () => {
    const held = new Map<string, Set<string>>();
    const told = new Set<string>();
    let seed = 42;
    const random = (n: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
    const numbers = new Map<string, number>();
    for (let step = 0; step < 5_000; step++) {
      const gateway = `g${random(3)}`;
      const users = ["a", "b", "c", "d"].filter(() => random(2) === 0);
      const n = (numbers.get(gateway) ?? 0) + 1;
      numbers.set(gateway, n);
      if (n === 1 || random(4) === 0) {
        expect(full(gateway, n, users)).toBe(true);
        held.set(gateway, new Set(users));
      } else {
        const online = users.filter(() => random(2) === 0);
        const offline = users.filter(user => !online.includes(user));
        expect(report(gateway, n, { online, offline })).toBe(true);
        for (const user of online) held.get(gateway)?.add(user);
        for (const user of offline) held.get(gateway)?.delete(user);
      }
      if (random(3) === 0)
        for (const { user, status } of leases.changes()) {
          expect(told.has(user)).toBe(status === "offline");
          if (status === "online") told.add(user);
          else told.delete(user);
        }
      for (const user of ["a", "b", "c", "d"])
        expect(leases.statusOf(user) === "online").toBe([...held.values()].some(set => set.has(user)));
    }
    for (const { user, status } of leases.changes())
      if (status === "online") told.add(user);
      else told.delete(user);
    expect([...told].sort()).toEqual(["a", "b", "c", "d"].filter(user => leases.statusOf(user) === "online"));
  });
});
