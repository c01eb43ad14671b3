import type { ServiceBroker } from "moleculer";
import { call, type Events } from "../../services/core/contract";
import { newId } from "../../services/core/ids";
import Presence from "../../services/presence/presence.service";
import { codeOf, startNode, TestClock, until } from "../support/broker";

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
    await door.waitForServices("presence", 10_000);
    await home.waitForServices("ws-gateway", 10_000);
  });

  const report = (n: number, change: { full?: boolean; online?: string[]; offline?: string[] }) =>
    call(door, "presence.report", { gateway: "g1", start: "run", n, full: false, online: [], offline: [], ...change });
  const seen = () => told.flatMap(({ changes }) => changes.map(({ user, status }) => `${user} ${status}`));

  it("tells every node of changes, numbered within one run", async () => {
    expect(await report(1, { online: ["ann"] })).toEqual({ known: false });
    expect(await report(2, { full: true, online: ["ann", "bob"] })).toEqual({ known: true });
    await until(() => seen().length === 2);
    expect(await report(3, { offline: ["bob"] })).toEqual({ known: true });
    await until(() => seen().length === 3);
    expect(seen()).toEqual(["ann online", "bob online", "bob offline"]);
    expect(told.map(({ n }) => n)).toEqual([1, 2]);
    expect(new Set(told.map(({ owner }) => owner)).size).toBe(1);
    expect(await call(door, "presence.of", { users: ["ann", "bob", "__proto__"] })).toEqual(
      JSON.parse('{"ann":"online","bob":"offline","__proto__":"offline"}'),
    );
  });

  it("tells that all users of a gateway are gone when it falls silent", async () => {
    clock.advance(15_000);
    await until(() => seen().includes("ann offline"));
    expect(await report(4, {})).toEqual({ known: false });
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
