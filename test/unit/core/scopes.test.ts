import { METHODS } from "../../../services/core/methods";
import { PERMISSIONS } from "../../../services/core/permissions";
import {
  ENROLMENT,
  enforceAction,
  enforceFrame,
  enforceSocket,
  permissionsWithin,
  SCOPES,
} from "../../../services/core/scopes";
import { codeOf } from "../../support/broker";

describe("scopes", () => {
  const reaches = async (action: string, scopes = SCOPES): Promise<boolean> =>
    (await codeOf(Promise.resolve().then(() => enforceAction(action, { scopes: [...scopes] })))).startsWith("resolved");

  it("reach every method that is not about one's own account, and none that is", async () => {
    const unreached: string[] = [];
    for (const method of METHODS) if (!(await reaches(method))) unreached.push(method);
    expect(unreached).toEqual([
      "auth.logout",
      "auth.ownSessions",
      "auth.endOthers",
      "auth.endOwn",
      "auth.totp",
      "auth.resetTotp",
      "auth.tokens",
      "auth.removeToken",
      "auth.botTokens",
      "auth.identities",
    ]);
  });

  it("let who must set up a second factor do that and nothing else", async () => {
    const open: string[] = [];
    for (const method of METHODS) if (await reaches(method, [ENROLMENT] as never)) open.push(method);
    expect(open).toEqual(["auth.logout", "auth.totp", "users.me"]);
    expect(() => enforceSocket({ scopes: [ENROLMENT] })).toThrow("Set up a second factor first.");
    expect(() => enforceFrame("send", { scopes: [ENROLMENT] })).toThrow("Set up a second factor first.");
    expect(SCOPES).not.toContain(ENROLMENT);
  });

  it("are asked for one by one, and by nobody of a person", async () => {
    expect(await reaches("messages.send", ["messages:write"] as never)).toBe(true);
    expect(await reaches("messages.send", SCOPES.filter(scope => scope !== "messages:write") as never)).toBe(false);
    expect(await reaches("no.such")).toBe(false);
    expect(() => enforceAction("auth.logout", {})).not.toThrow();
    expect(() => enforceAction("auth.logout", undefined)).not.toThrow();
  });

  it("leave of a user's permissions what they are for", () => {
    expect(permissionsWithin(PERMISSIONS, ["rooms:write"])).toEqual([
      "channels.create",
      "channels.join",
      "conversations.create",
    ]);
    expect(permissionsWithin(["files.upload"], SCOPES)).toEqual(["files.upload"]);
    expect(permissionsWithin(PERMISSIONS, SCOPES)).not.toContain("tokens.create");
  });
});
