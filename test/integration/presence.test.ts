import type { ServiceBroker } from "moleculer";
import { call, type Events } from "../../services/core/contract";
import { newId } from "../../services/core/ids";
import { nodesWith } from "../../mixins/nodes";
import Presence from "../../services/presence/presence.service";
import { PresenceReport } from "../../services/ws-gateway/presence-report";
import { codeOf, startNode, stopNode, TestClock, until } from "../support/broker";

describe.each(["one node", "two nodes"])("presence on %s", shape => {
  const clock = new TestClock(0);
  const told: Events["presence.changed"][] = [];
  let door: ServiceBroker;
  /** The gateway's service, as far as presence looks at it: that it is there. */
  const gateway = {
    name: "ws-gateway",
    events: {
      "presence.changed": {
        handler: (ctx: { params: Events["presence.changed"] }) => void told.push(ctx.params),
      },
    },
  };

  beforeAll(async () => {
    const cluster = shape === "two nodes" ? newId() : undefined;
    const home = await startNode({ services: [Presence, ...(cluster ? [] : [gateway])], clock, cluster });
    door = cluster ? await startNode({ services: [gateway], cluster }) : home;
    await door.waitForServices("presence");
    await home.waitForServices("ws-gateway");
  });

  const report = (n: number, change: { full?: boolean; term?: number; online?: string[]; offline?: string[] }) =>
    call(door, "presence.report", { gateway: "g1", start: "run", n, full: false, online: [], offline: [], ...change });
  const seen = () => told.flatMap(({ changes }) => changes.map(({ user, status }) => `${user} ${status}`));

  it("tells every node of changes, numbered within one run", async () => {
    expect(await report(1, { online: ["ann"] })).toEqual({ known: false, term: 0 });
    expect(await report(2, { full: true, online: ["ann", "bob"] })).toEqual({ known: true, term: 0 });
    await until(() => seen().length === 2);
    expect(await report(3, { offline: ["bob"] })).toEqual({ known: true, term: 0 });
    await until(() => seen().length === 3);
    expect(seen()).toEqual(["ann online", "bob online", "bob offline"]);
    const numbers = told.map(({ n }) => n);
    expect(numbers).toEqual(numbers.map((_, at) => (numbers[0] as number) + at));
    expect(new Set(told.map(({ owner }) => owner)).size).toBe(1);
    expect(await call(door, "presence.of", { users: ["ann", "bob", "__proto__"] })).toEqual(
      JSON.parse('{"ann":"online","bob":"offline","__proto__":"offline"}'),
    );
  });

  it("tells that all users of a gateway are gone when it falls silent", async () => {
    // In steps that the ticker sees: time that passed at once would be a process that stood still.
    await until(() => {
      clock.advance(100);
      return seen().includes("ann offline");
    });
    expect(await report(4, {})).toEqual({ known: false, term: 0 });
  });

  it("says of nobody that he left after it stood still, and asks all gateways before it speaks again", async () => {
    expect(await report(5, { full: true, online: ["ann", "bob"] })).toEqual({ known: true, term: 0 });
    await until(() => seen().at(-1) === "bob online");
    const [before, owner] = [seen().length, told.at(-1)?.owner];
    clock.advance(19_000);
    await until(async () => (await report(6, {})).term === 1);
    expect(await report(7, { full: true, online: ["bob"] })).toEqual({ known: false, term: 1 });
    expect(await codeOf(call(door, "presence.of", { users: ["ann"] }))).toBe("UNAVAILABLE");
    expect(seen().slice(before)).toEqual([]);
    expect(await report(8, { full: true, online: ["ann"], term: 1 })).toEqual({ known: true, term: 1 });
    await until(() => seen().length > before);
    expect(seen().slice(before)).toEqual(["bob offline"]);
    expect(told.at(-1)?.owner).not.toBe(owner);
    expect(await call(door, "presence.of", { users: ["ann"] })).toEqual({ ann: "online" });
  });

  it.each([
    { full: "yes" },
    { online: "ann" },
    { online: [{ $ne: 1 }] },
    { offline: null },
    { n: -1 },
    { gateway: "" },
    { extra: 1 },
  ])("refuses a report with %j", async wrong => {
    const right = { gateway: "g2", start: "run", n: 1, full: true, online: [], offline: [] };
    expect(await codeOf(door.call("presence.report", { ...right, ...wrong }))).toBe("VALIDATION_ERROR");
  });

  it("answers for 1,000 users at once and not for more", async () => {
    const users = Array.from({ length: 1_000 }, (_, i) => `u${i}`);
    expect(Object.keys(await call(door, "presence.of", { users }))).toHaveLength(1_000);
    expect(await codeOf(call(door, "presence.of", { users: [...users, "one more"] }))).toBe("VALIDATION_ERROR");
  });
});

describe("two presence nodes", () => {
  const told: Events["presence.changed"][] = [];
  const ears = {
    name: "ws-gateway",
    events: {
      "presence.changed": { handler: (ctx: { params: Events["presence.changed"] }) => void told.push(ctx.params) },
    },
  };
  const seen = () => told.flatMap(({ changes }) => changes.map(({ user, status }) => `${user} ${status}`));
  const statusAt = (door: ServiceBroker, { nodeID }: ServiceBroker, user: string) =>
    call(door, "presence.of", { users: [user] }, { nodeID }).then(
      statuses => statuses[user],
      () => "unknown",
    );

  it("both know everything, one speaks, and the other one goes on where that one died", async () => {
    const cluster = newId();
    const nodes = [
      await startNode({ services: [Presence], cluster }),
      await startNode({ services: [Presence], cluster }),
    ];
    const [speaker, heir] = nodes.sort((a, b) => (a.nodeID < b.nodeID ? -1 : 1)) as [ServiceBroker, ServiceBroker];
    const door = await startNode({ services: [ears], cluster });
    await until(() => nodesWith(door, "presence").length === 2);
    await until(() => nodes.every(node => nodesWith(node, "ws-gateway").length === 1));
    const gateway = new PresenceReport(
      door.nodeID,
      (report, nodeID) => call(door, "presence.report", report, { nodeID, timeout: 2_000 }),
      () => nodesWith(door, "presence"),
      () => performance.now(),
    );
    for (const user of ["ann", "bob", "eve"]) gateway.set(user, true);
    await until(() => seen().length >= 3);
    for (const node of [speaker, heir]) await until(async () => (await statusAt(door, node, "bob")) === "online");
    gateway.set("eve", false);
    await until(() => seen().includes("eve offline"));
    expect(seen()).toEqual(["ann online", "bob online", "eve online", "eve offline"]);
    const owner = told.at(-1)?.owner;
    expect(told.filter(({ changes }) => changes.length > 0).every(event => event.owner === owner)).toBe(true);

    // The speaker learns that Bob has left, and dies before it says so.
    const { leases } = speaker.getLocalService("presence") as unknown as { leases: { changes(): unknown[] } };
    leases.changes = () => [];
    gateway.set("bob", false);
    for (const node of [speaker, heir]) await until(async () => (await statusAt(door, node, "bob")) === "offline");
    await stopNode(speaker);
    await until(() => seen().includes("bob offline"));
    expect(seen().slice(4)).toEqual(["bob offline"]);
    expect(told.at(-1)).toMatchObject({ n: 1 });
    expect(told.at(-1)?.owner).not.toBe(owner);

    // A third one knows everybody before it is asked, and says of nobody that he left.
    const third = await startNode({ services: [Presence], cluster });
    await until(async () => (await statusAt(door, third, "ann")) === "online");
    gateway.set("eve", true);
    await until(() => seen().at(-1) === "eve online");
    expect(
      seen()
        .slice(5)
        .filter(text => text.endsWith("offline")),
    ).toEqual([]);
    await gateway.close();
  });
});
