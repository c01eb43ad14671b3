import type * as OpenidClient from "openid-client";
import type { OidcProvider } from "../../../config/oidc";
import { RookeryError } from "../../core/errors";

/** What a sign-in is checked against when it comes back. */
export interface Checks {
  state: string;
  nonce: string;
  codeVerifier: string;
}

/** Who somebody is to an issuer, as the issuer says. */
export interface Claims {
  issuer: string;
  subject: string;
  /** Only one that the issuer has verified. */
  email: string | null;
  username: string | null;
  name: string | null;
  all: Record<string, unknown>;
}

/** Seconds an issuer may take for one answer; a sign-in asks it three times and is answered within ten. */
const TIMEOUT = 2.5;

/** One issuer, spoken to by the code flow with PKCE. Its metadata are read at the first sign-in. */
export class OidcClient {
  private found: Promise<{ lib: typeof OpenidClient; config: OpenidClient.Configuration }> | null = null;

  constructor(
    readonly provider: OidcProvider,
    private readonly redirectUri: string,
    /** Told why the issuer is of no use. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Where the browser goes. Throws UNAVAILABLE. */
  async begin(): Promise<{ url: string; checks: Checks }> {
    const { lib, config } = await this.client();
    const checks = { state: lib.randomState(), nonce: lib.randomNonce(), codeVerifier: lib.randomPKCECodeVerifier() };
    const url = lib.buildAuthorizationUrl(config, {
      redirect_uri: this.redirectUri,
      scope: this.provider.scopes,
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await lib.calculatePKCECodeChallenge(checks.codeVerifier),
      code_challenge_method: "S256",
    });
    return { url: url.href, checks };
  }

  /** Who has come back, by the query he came with. Throws UNAUTHENTICATED if the issuer does not vouch for him, UNAVAILABLE. */
  async finish(query: Readonly<Record<string, string>>, { state, nonce, codeVerifier }: Checks): Promise<Claims> {
    const { lib, config } = await this.client();
    const url = new URL(this.redirectUri);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    try {
      const tokens = await lib.authorizationCodeGrant(config, url, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: codeVerifier,
        idTokenExpected: true,
      });
      const own = tokens.claims() as OpenidClient.IDToken;
      // Many issuers put no more than the subject into the token and tell the rest only here.
      const more = config.serverMetadata().userinfo_endpoint
        ? await lib.fetchUserInfo(config, tokens.access_token, own.sub)
        : {};
      return claimsOf({ ...more, ...own }, own);
    } catch (error) {
      this.failed(error);
      throw isAway(error)
        ? new RookeryError("UNAVAILABLE", "The identity provider does not answer.")
        : new RookeryError("UNAUTHENTICATED", "The identity provider did not vouch for this sign-in.");
    }
  }

  private async client() {
    this.found ??= this.find();
    try {
      return await this.found;
    } catch (error) {
      this.found = null;
      this.failed(error);
      throw new RookeryError("UNAVAILABLE", "The identity provider does not answer.");
    }
  }

  private async find() {
    const { issuer, clientId, clientSecret } = this.provider;
    const lib = await import("openid-client").catch(() => {
      throw new Error("openid-client is not installed: nobody can sign in with others");
    });
    const url = new URL(issuer);
    const config = await lib.discovery(
      url,
      clientId,
      undefined,
      clientSecret === null ? lib.None() : lib.ClientSecretPost(clientSecret),
      // The configuration lets http pass on this machine alone.
      { timeout: TIMEOUT, ...(url.protocol === "http:" && { execute: [lib.allowInsecureRequests] }) },
    );
    return { lib, config };
  }
}

function claimsOf(all: Record<string, unknown>, { iss, sub }: { iss: string; sub: string }): Claims {
  const text = (name: string): string | null => {
    const value = all[name];
    return typeof value === "string" && value.trim() !== "" ? value.trim() : null;
  };
  return {
    issuer: iss,
    subject: sub,
    email: all["email_verified"] === true ? text("email") : null,
    username: text("preferred_username"),
    name: text("name"),
    all,
  };
}

/** It could not be reached, or is in trouble itself. */
function isAway(error: unknown): boolean {
  const { code, name, cause } = error as { code?: string; name?: string; cause?: { status?: number } };
  return code === "OAUTH_TIMEOUT" || name === "TypeError" || name === "TimeoutError" || (cause?.status ?? 0) >= 500;
}
