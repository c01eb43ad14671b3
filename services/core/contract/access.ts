import type { Permission, Role } from "../permissions";
import type { Scope } from "../scopes";
import type { SignedIn } from "./auth";

/** Of one's second factor; nothing of it can be used to sign in. */
export type SecondFactorState = { enabled: false } | { enabled: true; confirmedAt: string; recoveryCodesLeft: number };

/** What an authenticator app is given, by hand, by a link or by its camera. `qr`: an image as a `data:` URI. */
export interface TotpSecret {
  secret: string;
  uri: string;
  qr: string;
}

/** A token for programs, as its owner sees it. Its secret is shown when it is made and never again. */
export interface AccessTokenFacts {
  id: string;
  name: string;
  scopes: Scope[];
  createdAt: string;
  expiresAt: string;
  /** To the minute. */
  lastUsedAt?: string;
}

export interface NewAccessToken {
  name: string;
  scopes: Scope[];
  expiresInDays?: number;
}

/** What a token amounts to (RFC 7662). Without `scope` it is a person's own sign-in, which may do all that he may. */
export type Introspection =
  | { active: false }
  | {
      active: true;
      token_type: "Bearer";
      sub: string;
      username: string;
      scope?: string;
      /** Seconds since 1970. */
      exp: number;
      iat: number;
      iss: string;
      aud: string;
      sid: string;
      roles: readonly Role[];
      permissions: readonly Permission[];
    };

export interface RoleFacts {
  role: Role;
  permissions: Permission[];
}

/** Another issuer's account that signs in as this user. */
export interface LinkedIdentity {
  id: string;
  provider: string;
  issuer: string;
  /** What that issuer calls him. */
  name?: string;
  linkedAt: string;
}

interface SecondFactorActions {
  "auth.totp": { params: Record<string, never>; returns: SecondFactorState };
  /** A new secret; it counts from `confirmTotp` on. */
  "auth.beginTotp": { params: { password: string }; returns: TotpSecret };
  "auth.confirmTotp": { params: { code: string }; returns: { recoveryCodes: string[] } };
  "auth.removeTotp": { params: { password: string; code: string }; returns: null };
  "auth.renewRecoveryCodes": { params: { password: string; code: string }; returns: { recoveryCodes: string[] } };
  /** For administrators: of somebody who has lost it. */
  "auth.resetTotp": { params: { id: string }; returns: null };
}

interface TokenActions {
  "auth.createToken": { params: NewAccessToken; returns: AccessTokenFacts & { token: string } };
  "auth.tokens": { params: Record<string, never>; returns: { items: AccessTokenFacts[] } };
  /** One's own, or a bot's. */
  "auth.removeToken": { params: { id: string }; returns: null };
  "auth.createBotToken": { params: NewAccessToken & { bot: string }; returns: AccessTokenFacts & { token: string } };
  "auth.botTokens": { params: { bot: string }; returns: { items: AccessTokenFacts[] } };
  /** An ordinary access token for a token of a program. */
  "auth.exchangeToken": { params: { token: string }; returns: { accessToken: string; expiresIn: number } };
  "auth.introspect": { params: { token: string }; returns: Introspection };
}

interface RoleActions {
  /** What a user may by the roles he has now; null where there is none, or he is deactivated. */
  "auth.standing": { params: { user: string }; returns: Permission[] | null };
  "auth.roles": { params: Record<string, never>; returns: { items: RoleFacts[]; permissions: readonly Permission[] } };
  "auth.setRole": { params: { role: Role; permissions: Permission[] }; returns: RoleFacts };
  /** All roles that allow no more than these do together. */
  "auth.rolesWithin": { params: { roles: Role[] }; returns: Role[] };
}

/** `auth.oidc...`: sign-in with others. A redirect is the answer's status and headers. */
interface OidcActions {
  "auth.oidcProviders": { params: Record<string, never>; returns: { items: { id: string; name: string }[] } };
  "auth.oidcStart": { params: { provider: string; returnTo?: string }; returns: Record<string, never> };
  "auth.oidcCallback": { params: { provider: string } & Record<string, string>; returns: Record<string, never> };
  "auth.oidcExchange": { params: { code: string; totp?: string }; returns: SignedIn };
  "auth.oidcLink": {
    params: { provider: string; returnTo?: string; password?: string; code?: string };
    returns: { url: string };
  };
  "auth.identities": { params: Record<string, never>; returns: { items: LinkedIdentity[] } };
  "auth.unlink": { params: { id: string }; returns: null };
}

export interface AccessActions extends SecondFactorActions, TokenActions, RoleActions, OidcActions {}
