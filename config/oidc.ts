import { ROLES, type Role } from "../services/core/permissions";

/** Another issuer of identities that people may sign in with. */
export interface OidcProvider {
  /** In the paths of routes. */
  id: string;
  /** As people are shown it. */
  name: string;
  issuer: string;
  clientId: string;
  clientSecret: string | null;
  scopes: string;
  /** Roles of ours by the values of a claim; nested ones by path (`realm_access.roles`). */
  roles: { claim: string; map: Record<string, Role> } | null;
  /** Whether an account with the same e-mail is taken for the same person's. */
  link: "email" | "never";
}

const FIELDS = ["id", "name", "issuer", "clientId", "clientSecret", "scopes", "roles", "link"];
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Reads `OIDC_PROVIDERS`. Throws what is wrong, without values: some are secrets. */
export function parseProviders(text: string): OidcProvider[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new Error("give a JSON list of providers");
  }
  if (!Array.isArray(list)) throw new Error("give a JSON list of providers");
  const providers = list.map((one: unknown, at) => provider(one, `provider ${at + 1}`));
  if (new Set(providers.map(({ id }) => id)).size < providers.length) throw new Error("give each provider its own id");
  return providers;
}

function provider(given: unknown, where: string): OidcProvider {
  const fail = (what: string): never => {
    throw new Error(`${where}: ${what}`);
  };
  const fields = isObject(given) ? given : fail("give an object");
  const unknown = Object.keys(fields).filter(name => !FIELDS.includes(name));
  if (unknown.length > 0) fail(`there is no field ${unknown.join(", ")}`);
  const text = (name: string, otherwise?: string): string => {
    const value = fields[name] ?? otherwise;
    return typeof value === "string" && value !== "" ? value : fail(`${name} is missing`);
  };
  const id = text("id");
  if (!/^[a-z0-9-]{1,32}$/.test(id)) fail("id has 1 to 32 of a-z, 0-9 and -");
  const issuer = text("issuer");
  const url = URL.canParse(issuer) ? new URL(issuer) : fail("issuer is a URL");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && LOOPBACK.test(url.hostname)))
    fail("issuer begins with https://");
  const scopes = text("scopes", "openid profile email");
  if (!scopes.split(" ").includes("openid")) fail("scopes include openid");
  const link = text("link", "never");
  if (link !== "email" && link !== "never") fail("link is email or never");
  return {
    id,
    name: text("name", id),
    issuer,
    clientId: text("clientId"),
    clientSecret: fields["clientSecret"] === undefined ? null : text("clientSecret"),
    scopes,
    roles: fields["roles"] === undefined ? null : rolesOf(fields["roles"], fail),
    link: link as OidcProvider["link"],
  };
}

function rolesOf(given: unknown, fail: (what: string) => never): NonNullable<OidcProvider["roles"]> {
  const { claim, map } = isObject(given) ? given : fail("roles is {claim, map}");
  if (typeof claim !== "string" || claim === "" || !isObject(map)) return fail("roles is {claim, map}");
  const wrong = Object.values(map).some(role => !(ROLES as readonly unknown[]).includes(role));
  if (wrong) fail(`roles.map leads to ${ROLES.join(", ")}`);
  return { claim, map: map as Record<string, Role> };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
