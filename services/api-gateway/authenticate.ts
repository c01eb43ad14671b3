import { hasCode, RookeryError } from "../core/errors";
import type { Identity } from "../core/model";
import { isPersonalToken, type PersonalTokenCache } from "../core/personal-tokens";
import type { AccessTokens } from "../core/tokens";
import type { RevocationFeed } from "../core/revocation-feed";
import type { Route } from "./routes/route";

/** What a request's Authorization header amounts to. Neither: there is none. */
export interface Credentials {
  identity?: Identity;
  /** Why the token that was shown does not hold, or cannot be judged now. */
  refused?: RookeryError;
}

/** Turns Authorization headers into identities: signature, lifetime, then the revocation log. */
export class Authenticator {
  constructor(
    private readonly tokens: Pick<AccessTokens, "verify">,
    private readonly revocations: Pick<RevocationFeed, "ready" | "refuses" | "ended">,
    private readonly personal: Pick<PersonalTokenCache, "resolve">,
  ) {}

  /** Never rejects. */
  async read(authorization: string | undefined): Promise<Credentials> {
    if (authorization === undefined) return {};
    try {
      const text = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
      const token = isPersonalToken(text ?? "")
        ? await this.personal.resolve(text as string)
        : this.tokens.verify(text);
      await this.revocations.ready();
      if (this.revocations.refuses(token)) {
        const why = this.revocations.ended(token) ? "The session has ended." : "This token no longer holds: renew it.";
        return { refused: new RookeryError("UNAUTHENTICATED", why) };
      }
      const { roles, permissions } = token.identity;
      Object.freeze(roles);
      Object.freeze(permissions);
      return { identity: Object.freeze(token.identity) };
    } catch (error) {
      if (hasCode(error, "UNAUTHENTICATED")) return { refused: error as RookeryError };
      // Without the log a revoked token would pass: rather none than that one.
      return { refused: new RookeryError("UNAVAILABLE", "Tokens cannot be checked right now.") };
    }
  }
}

/** Who calls a route, undefined for nobody. Throws UNAUTHENTICATED, or UNAVAILABLE if the token cannot be judged. */
export function admit(route: Pick<Route, "auth">, { identity, refused }: Credentials): Identity | undefined {
  if (route.auth === "none") return undefined;
  if (refused && !(route.auth === "either" && refused.type === "UNAUTHENTICATED")) throw refused;
  if (!identity && route.auth === "user") throw new RookeryError("UNAUTHENTICATED");
  return identity;
}
