import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { METHODS, isMethod } from "../../../services/core/methods";
import { LIMITS } from "../../../services/core/limits";
import { schemasOf } from "../../../services/api-gateway/schemas";
import { pathParameters, REST_ACTIONS, ROUTES } from "../../../services/api-gateway/routes";

describe("the table of routes", () => {
  it("has every route once", () => {
    const keys = ROUTES.map(({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, "{}")}`);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("reaches every method a socket may call, and beyond them only sign-in, secrets and bytes", () => {
    const beyond = REST_ACTIONS.filter(action => !isMethod(action)).sort();
    expect(REST_ACTIONS).toEqual(expect.arrayContaining([...METHODS]));
    expect(beyond).toEqual([
      "auth.beginTotp",
      "auth.cancelEmail",
      "auth.changeEmail",
      "auth.changePassword",
      "auth.changeUsername",
      "auth.confirmEmail",
      "auth.confirmTotp",
      "auth.createBotToken",
      "auth.createToken",
      "auth.deactivate",
      "auth.exchangeToken",
      "auth.forgotPassword",
      "auth.forgotUsername",
      "auth.guest",
      "auth.introspect",
      "auth.invite",
      "auth.login",
      "auth.oidcCallback",
      "auth.oidcExchange",
      "auth.oidcLink",
      "auth.oidcProviders",
      "auth.oidcStart",
      "auth.refresh",
      "auth.register",
      "auth.removeTotp",
      "auth.renewRecoveryCodes",
      "auth.resendVerification",
      "auth.resetPassword",
      "auth.unlink",
      "auth.verify",
      "files.open",
      "files.save",
    ]);
  });

  it("counts as sign-in whatever is open and makes, or takes a password or a token of a mail", () => {
    const shows = /^(Password|.*Password$|Change|MailToken$|Code$)/;
    // Shown often, and nobody guesses them.
    const exempt = ["auth.refresh", "auth.exchangeToken"];
    const open = ({ auth, method }: (typeof ROUTES)[number]) => auth === "none" && method === "POST";
    const counted = ROUTES.filter(({ signIn }) => signIn).map(({ to }) => to);
    const wanted = ROUTES.filter(
      route => !exempt.includes(route.to) && (open(route) || (route.tag === "auth" && shows.test(route.body ?? ""))),
    ).map(({ to }) => to);
    expect(counted).toEqual(expect.arrayContaining(wanted));
    expect(counted).toEqual(expect.arrayContaining(["auth.changeEmail", "auth.changeUsername", "auth.deactivate"]));
  });

  it("asks for a token everywhere but at the doors the contract leaves open", () => {
    const open = ROUTES.filter(({ auth }) => auth !== "user").map(({ method, path }) => `${method} ${path}`);
    expect(open.sort()).toEqual([
      "GET /asyncapi.json",
      "GET /auth/oidc",
      "GET /auth/oidc/{provider}/callback",
      "GET /auth/oidc/{provider}/start",
      "GET /config",
      "GET /docs",
      "GET /docs/sockets",
      "GET /docs/{file}",
      "GET /files/{id}",
      "GET /health",
      "GET /openapi.json",
      "POST /auth/email/cancel",
      "POST /auth/email/confirm",
      "POST /auth/forgot-password",
      "POST /auth/forgot-username",
      "POST /auth/guest",
      "POST /auth/login",
      "POST /auth/logout",
      "POST /auth/oidc/exchange",
      "POST /auth/refresh",
      "POST /auth/register",
      "POST /auth/reset-password",
      "POST /auth/token",
      "POST /auth/verify",
      "POST /auth/verify/resend",
    ]);
  });

  it("describes every schema on one page alone: of two of a name the later would be that of both", () => {
    const pages = join(__dirname, "../../../services/api-gateway/schemas");
    const names = readdirSync(pages).flatMap(page =>
      [...readFileSync(join(pages, page), "utf8").matchAll(/^ {4}([A-Z]\w+): /gm)].map(([, name]) => name),
    );
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    expect([...names].sort()).toEqual(Object.keys(schemasOf(LIMITS)).sort());
  });

  it("gives a conversation every route a channel has", () => {
    const below = (prefix: string): string[] =>
      ROUTES.filter(({ path }) => path.startsWith(`/${prefix}/`))
        .map(({ method, path, to }) => `${method} ${path.slice(prefix.length + 1)} ${to}`)
        .sort();
    expect(below("conversations")).toEqual(below("channels"));
    expect(below("channels")).toHaveLength(28);
  });

  it("says what a 201 made or at least describes its body, and gives 204 none", () => {
    for (const route of ROUTES) {
      if (route.status === 201) expect(route.answer).toBeDefined();
      if (route.status === 204) expect(route.answer).toBeUndefined();
      for (const name of pathParameters(route)) expect(route.query ?? []).not.toContain(name);
    }
  });
});
