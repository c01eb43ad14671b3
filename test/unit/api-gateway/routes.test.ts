import { METHODS, isMethod } from "../../../services/core/methods";
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
      "auth.confirmTotp",
      "auth.createBotToken",
      "auth.createToken",
      "auth.exchangeToken",
      "auth.introspect",
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
      "auth.unlink",
      "files.open",
      "files.save",
    ]);
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
      "POST /auth/login",
      "POST /auth/logout",
      "POST /auth/oidc/exchange",
      "POST /auth/refresh",
      "POST /auth/register",
      "POST /auth/token",
    ]);
  });

  it("gives a conversation every route a channel has", () => {
    const below = (prefix: string): string[] =>
      ROUTES.filter(({ path }) => path.startsWith(`/${prefix}/`))
        .map(({ method, path, to }) => `${method} ${path.slice(prefix.length + 1)} ${to}`)
        .sort();
    expect(below("conversations")).toEqual(below("channels"));
    expect(below("channels")).toHaveLength(17);
  });

  it("says what a 201 made or at least describes its body, and gives 204 none", () => {
    for (const route of ROUTES) {
      if (route.status === 201) expect(route.answer).toBeDefined();
      if (route.status === 204) expect(route.answer).toBeUndefined();
      for (const name of pathParameters(route)) expect(route.query ?? []).not.toContain(name);
    }
  });
});
