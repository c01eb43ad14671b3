import { randomUUID } from "node:crypto";
import type { ServiceBroker } from "moleculer";
import { codeOf, identity, startNode } from "../support/broker";

const answer = { handler: () => "ok", params: { n: "number" } };
const guarded = {
  name: "guarded",
  actions: {
    open: { ...answer, auth: "anyone", visibility: "published" },
    mine: { ...answer, auth: "user", visibility: "published" },
    manage: { ...answer, auth: { permission: "users.manage" }, visibility: "published" },
    inner: { ...answer, auth: "internal", visibility: "public" },
  },
};

describe.each(["one node", "two nodes"])("over %s", where => {
  let broker: ServiceBroker;
  const as = (user?: ReturnType<typeof identity>) => ({ meta: { ...(user && { user }) } });
  const user = identity();
  const admin = identity(undefined, ["Admin"]);

  beforeAll(async () => {
    if (where === "one node") broker = await startNode({ services: [guarded] });
    else {
      const cluster = randomUUID();
      broker = await startNode({ services: [], cluster });
      await startNode({ services: [guarded], cluster });
      await broker.waitForServices("guarded");
    }
  });

  it.each([
    ["open", "nobody", "ok"],
    ["open", "user", "ok"],
    ["mine", "nobody", "UNAUTHENTICATED"],
    ["mine", "user", "ok"],
    ["manage", "nobody", "UNAUTHENTICATED"],
    ["manage", "user", "FORBIDDEN"],
    ["manage", "admin", "ok"],
    ["inner", "nobody", "ok"],
  ])("guarded.%s called by %s gives %s (S21: inside)", async (action, who, expected) => {
    const caller = { user, admin }[who];
    const call = broker.call(`guarded.${action}`, { n: 1 }, as(caller));
    expect(expected === "ok" ? await call : await codeOf(call)).toBe(expected);
  });

  it("who may not call learns nothing of the parameters (S21: inside)", async () => {
    expect(await codeOf(broker.call("guarded.mine", { n: "x" }, as()))).toBe("UNAUTHENTICATED");
    expect(await codeOf(broker.call("guarded.mine", { n: "x" }, as(user)))).toBe("VALIDATION_ERROR");
  });
});

describe("a service is not loaded with an action that", () => {
  const load = (action: object): Promise<unknown> =>
    startNode({ services: [{ name: "s", actions: { a: { handler: () => "ok", ...action } } }] });

  it.each([
    [{}, /s\.a declares no policy/],
    [{ auth: "admin", visibility: "published" }, /s\.a declares no policy/],
    [{ auth: "internal" }, /s\.a is internal and must not be published/],
    [{ auth: "internal", visibility: "published" }, /s\.a is internal and must not be published/],
    [{ auth: "user" }, /s\.a is meant for clients/],
    [{ auth: "user", visibility: "public" }, /s\.a is meant for clients/],
  ])("says %j", async (action, problem) => {
    await expect(load(action)).rejects.toThrow(problem);
  });
});
