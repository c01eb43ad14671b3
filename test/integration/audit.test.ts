import type { ServiceBroker, Context } from "moleculer";
import type { AuditRecord, Meta } from "../../services/core/contract";
import { RookeryError } from "../../services/core/errors";
import { codeOf, identity, startNode } from "../support/broker";

/** An audit log in memory, for what the middleware makes of declarations. */
function logInto(records: AuditRecord[]) {
  return {
    name: "auth",
    actions: {
      record: {
        auth: "internal",
        visibility: "public",
        params: { records: "array" },
        handler: (ctx: Context<{ records: AuditRecord[] }>) => void records.push(...ctx.params.records),
      },
    },
  };
}

const params = {
  id: "string|optional",
  roles: { type: "array", items: "string", optional: true },
  fail: "string|optional",
};
const audited = (audit: object) => ({
  auth: "user",
  visibility: "published",
  audit,
  params,
  handler(ctx: Context<{ fail?: string }, Meta>) {
    delete ctx.meta.user;
    if (ctx.params.fail) throw new RookeryError(ctx.params.fail as "FORBIDDEN");
    return "done";
  },
});

describe("an action that declares `audit`", () => {
  const records: AuditRecord[] = [];
  const admin = identity();
  const meta = { user: admin, address: "192.0.2.1" };
  let broker: ServiceBroker;

  beforeAll(async () => {
    const actions = {
      change: audited({ type: "roles.change", object: "id", detail: ["roles"], when: "roles" }),
      remove: audited({ type: "account.delete", object: "id" }),
    };
    broker = await startNode({ services: [logInto(records), { name: "made", actions }] });
  });
  beforeEach(() => void records.splice(0));

  const call = (action: string, given: object) => broker.call(`made.${action}`, given, { meta: { ...meta } });

  it("is recorded with who, from where, what and to whom, before it is answered", async () => {
    await call("change", { id: "u1", roles: ["User", "Admin"] });
    expect(records).toEqual([
      {
        id: expect.any(String),
        at: expect.stringMatching(/Z$/),
        ...{ type: "roles.change", actor: admin.id, object: "u1", address: "192.0.2.1", result: "ok" },
        detail: { roles: "User,Admin" },
      },
    ]);
  });

  it("is not where the parameter that makes the difference is not given", async () => {
    await call("change", { id: "u1" });
    expect(records).toEqual([]);
  });

  it("is recorded as refused for who may not, as done where nobody knows, and not where nothing was asked for", async () => {
    expect(await codeOf(call("remove", { id: "u2", fail: "FORBIDDEN" }))).toBe("FORBIDDEN");
    expect(await codeOf(call("remove", { id: "u2", fail: "FORBIDDEN" }))).toBe("FORBIDDEN");
    expect(await codeOf(broker.call("made.remove", { id: "u3" }))).toBe("UNAUTHENTICATED");
    expect(await codeOf(call("remove", { id: "u4", fail: "UNKNOWN_OUTCOME" }))).toBe("UNKNOWN_OUTCOME");
    expect(await codeOf(call("remove", { id: "u5", fail: "NOT_FOUND" }))).toBe("NOT_FOUND");
    expect(records.map(({ object, actor, result, detail }) => [object, actor, result, detail])).toEqual([
      ["u2", admin.id, "refused", undefined],
      ["u3", null, "refused", undefined],
      ["u4", admin.id, "ok", { outcome: "unknown" }],
    ]);
  });

  it.each([
    [{ type: "no.such" }, "of a type that there is not"],
    [{ type: "login", object: "user" }, "does not take: user"],
    [{ type: "login", detail: ["id", "name"] }, "does not take: name"],
  ])("does not load with %j", (audit, complaint) => {
    const load = () => broker.createService({ name: "wrong", actions: { act: audited(audit) } } as never);
    expect(load).toThrow(complaint);
  });
});
