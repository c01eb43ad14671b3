import type { CollectionSpec, Documents } from "../../../mixins/documents";
import type { Clock } from "../../core/clock";
import type { SignedIn, UserRecord } from "../../core/contract";
import { hasCode, isErrorCode, RookeryError } from "../../core/errors";
import { digest, newSecret } from "../../core/ids";
import type { Identity } from "../../core/model";
import type { Users } from "../accounts";
import type { RevocationLog } from "../revocation-log";
import type { Sealing } from "../sealing";
import { wrongCode, type SecondFactors } from "../second-factor";
import type { SessionClient, Sessions } from "../sessions";
import type { Identities, Members } from "./identities";
import type { Checks, OidcClient } from "./oidc-client";

/** Somebody on his way to an issuer and back; `id` is the digest of the state he carries. */
export interface Journey {
  id: string;
  provider: string;
  /** Digest of the cookie of the browser he set out with. */
  browser: string;
  /** Sealed checks. */
  checks: string;
  returnTo: string;
  /** Who links, and does not sign in: only as long as the session lasts that asked for it. */
  linkFor?: string;
  session?: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Somebody who is back, and is to be given his tokens; `id` is the digest of a code. */
export interface Arrival {
  id: string;
  userId: string;
  browser: string;
  expiresAt: number;
}

const EXPIRES = [{ name: "expiresAt", fields: ["expiresAt"] }];
export const JOURNEYS: CollectionSpec = { collection: "oidc_journeys", indexes: EXPIRES };
export const ARRIVALS: CollectionSpec = { collection: "oidc_arrivals", indexes: EXPIRES };

/** Milliseconds for the way to the issuer and back, and for the page to fetch its tokens, a second factor included. */
const JOURNEY = 600_000;
const ARRIVAL = 300_000;
const BATCH = 500;

export interface OidcParts {
  clients: readonly OidcClient[];
  journeys: Documents<Journey>;
  arrivals: Documents<Arrival>;
  identities: Identities;
  secondFactors: Pick<SecondFactors, "require">;
  sessions: Pick<Sessions, "get">;
  revocations: Pick<RevocationLog, "current">;
  signIn(users: Users, user: UserRecord, revision: number, client?: SessionClient): Promise<SignedIn>;
  sealing: Sealing;
  clock: Clock;
}

/**
 * Sign-in with others. Everything is bound to the browser it began in by a cookie: the issuer's redirect is a plain GET from
 * another site, which carries nothing else of the browser's, and without it somebody could be led to end a sign-in that
 * another one began, and be that one from then on. No token is ever in a URL: the page gets a code behind the `#`, good once.
 */
export class Oidc {
  constructor(private readonly parts: OidcParts) {}

  get providers(): { id: string; name: string }[] {
    return this.parts.clients.map(({ provider: { id, name } }) => ({ id, name }));
  }

  /** Where the browser goes. @param linkFor who is signed in, and wants one more way in */
  async begin(
    provider: string,
    browser: string,
    returnTo = "/",
    linkFor?: Pick<Identity, "id" | "sid">,
  ): Promise<string> {
    const { journeys, sealing, clock } = this.parts;
    const { url, checks } = await this.client(provider).begin();
    const id = digest(checks.state);
    await journeys.insert({
      id,
      provider,
      browser: digest(browser),
      checks: sealing.seal(JSON.stringify(checks), id),
      returnTo,
      ...(linkFor && { linkFor: linkFor.id, session: linkFor.sid }),
      expiresAt: clock.now() + JOURNEY,
    });
    return url;
  }

  /** The same for a browser that is there already: where the issuer cannot be reached, back to the page, which says so. */
  async setOut(provider: string, browser: string, returnTo = "/"): Promise<string> {
    try {
      return await this.begin(provider, browser, returnTo);
    } catch (error) {
      if (!hasCode(error, "UNAVAILABLE")) throw error;
      return `${returnTo}#oidc_error=UNAVAILABLE`;
    }
  }

  /** Where the browser goes that comes back: always to a page of ours, with how it went behind the `#`. */
  async end(
    users: Members,
    provider: string,
    browser: string | undefined,
    query: Readonly<Record<string, string>>,
  ): Promise<{ path: string; linked: string | null }> {
    let returnTo = "/";
    try {
      const journey = await this.journey(provider, browser, query["state"]);
      returnTo = journey.returnTo;
      const linked = journey.linkFor ?? null;
      return { path: `${returnTo}#oidc=${await this.arrive(users, journey, query)}`, linked };
    } catch (error) {
      const { type } = error as { type?: unknown };
      return { path: `${returnTo}#oidc_error=${isErrorCode(type) ? type : "UNAVAILABLE"}`, linked: null };
    }
  }

  /** Tokens for a code, in the browser that got it, with a code of the second factor if the user has one. */
  async exchange(
    users: Users,
    code: string,
    browser: string | undefined,
    totp?: string,
    client?: SessionClient,
  ): Promise<SignedIn> {
    const { arrivals, revocations, secondFactors, clock, signIn } = this.parts;
    const revision = await revocations.current();
    const arrival = await arrivals.get(digest(code));
    if (!arrival || arrival.expiresAt <= clock.now() || !isOf(arrival, browser)) throw refused();
    const user = await users.record(arrival.userId);
    if (!user) throw refused();
    await secondFactors.require(user.id, totp, () => users.audit(wrongCode("login", user.id)), "totp");
    if (!(await arrivals.remove(arrival.id))) throw refused();
    return signIn(users, user, revision, client);
  }

  /** Removes a bounded number of those who did not come back. */
  async sweep(): Promise<void> {
    const where = { expiresAt: { $lte: this.parts.clock.now() } };
    for (const documents of [this.parts.journeys, this.parts.arrivals] as const) {
      const ids = (await (documents as Documents<Journey>).find({ where, limit: BATCH })).map(({ id }) => id);
      if (ids.length > 0) await documents.removeWhere({ id: { $in: ids } });
    }
  }

  private async journey(provider: string, browser: string | undefined, state = ""): Promise<Journey> {
    const { journeys, clock } = this.parts;
    const journey = await journeys.get(digest(state));
    const good = journey?.provider === provider && journey.expiresAt > clock.now() && isOf(journey, browser);
    if (!good || !(await journeys.remove(journey.id))) throw refused();
    return journey;
  }

  private async arrive(users: Members, journey: Journey, query: Readonly<Record<string, string>>): Promise<string> {
    const { identities, arrivals, sealing, clock } = this.parts;
    const checks = sealing.open(journey.checks, journey.id);
    if (checks === null) throw refused();
    const client = this.client(journey.provider);
    const claims = await client.finish(query, JSON.parse(checks) as Checks);
    if (journey.linkFor !== undefined) {
      if (!(await this.isAsked(journey))) throw refused();
      const made = await identities.link(journey.linkFor, client.provider, claims);
      // Who is removed or sets another password ends his sessions first: what is looked at now was not too early.
      if (await this.isAsked(journey)) return "linked";
      if (made !== null) await identities.drop(made);
      throw refused();
    }
    const { id: userId } = await identities.user(users, client.provider, claims);
    const code = newSecret();
    await arrivals.insert({ id: digest(code), userId, browser: journey.browser, expiresAt: clock.now() + ARRIVAL });
    return code;
  }

  /** Whether who wants to link is signed in still. */
  private async isAsked({ linkFor, session = "" }: Journey): Promise<boolean> {
    return (await this.parts.sessions.get(session))?.userId === linkFor;
  }

  private client(id: string): OidcClient {
    const client = this.parts.clients.find(({ provider }) => provider.id === id);
    if (!client) throw new RookeryError("NOT_FOUND");
    return client;
  }
}

const isOf = ({ browser }: { browser: string }, secret: string | undefined): boolean =>
  secret !== undefined && browser === digest(secret);

const refused = (): RookeryError => new RookeryError("UNAUTHENTICATED", "The sign-in is not valid, or too old.");
