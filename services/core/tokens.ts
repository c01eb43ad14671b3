import { createSecretKey, type KeyObject } from "node:crypto";
import jwt from "jsonwebtoken";
import { RookeryError } from "./errors";
import type { Identity } from "./model";
import type { Permission, Role } from "./permissions";
import type { Scope } from "./scopes";

/** What makes and checks access tokens; the same on every node. */
export interface TokenSettings {
  secret: string;
  issuer: string;
  audience: string;
  /** Seconds. */
  accessTtl: number;
}

/** An access token that holds: who, until when, and how far auth's revocation log was when it was made. */
export interface VerifiedToken {
  identity: Identity;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** Number of the last revocation that the maker of the token knew. */
  revision: number;
}

/** Longer than any token we make; not worth the work of parsing. */
const MAX_TOKEN = 4_096;
/** Seconds by which clocks of nodes may differ. */
const SKEW = 5;
/** Lists of roles and of permissions that are kept once for all who have them. */
const LISTS = 100;

export class AccessTokens {
  /** A KeyObject, made once: with a string secret jsonwebtoken verifies 50 times slower. */
  private readonly key: KeyObject;
  private readonly lists = new Map<string, readonly string[]>();

  constructor(private readonly settings: TokenSettings) {
    this.key = createSecretKey(Buffer.from(settings.secret));
  }

  get ttl(): number {
    return this.settings.accessTtl;
  }

  /** @param seconds it lives, where that is less than others do */
  sign(identity: Identity, revision: number, seconds = this.ttl): string {
    const { id, username, roles, permissions, sid, scopes } = identity;
    const scope = scopes && { scope: scopes.join(" ") };
    return jwt.sign({ name: username, roles, permissions, sid, ...scope, rev: revision, typ: "access" }, this.key, {
      algorithm: "HS256",
      subject: id,
      issuer: this.settings.issuer,
      audience: this.settings.audience,
      expiresIn: seconds,
    });
  }

  /** Throws UNAUTHENTICATED for anything but a token of ours that holds now. */
  verify(token: unknown): VerifiedToken {
    if (typeof token !== "string" || token.length > MAX_TOKEN) throw invalid();
    const { sub, name, roles, permissions, sid, scope, rev, typ, exp } = this.claims(token);
    if (typ !== "access" || typeof sub !== "string" || typeof sid !== "string" || typeof exp !== "number")
      throw invalid();
    return {
      identity: Object.freeze({
        id: sub,
        username: String(name),
        roles: this.shared(roles as Role[]),
        permissions: this.shared(permissions as Permission[]),
        sid,
        ...(typeof scope === "string" && { scopes: this.shared(scope.split(" ").filter(Boolean) as Scope[]) }),
      }),
      expiresAt: exp * 1000,
      revision: typeof rev === "number" ? rev : 0,
    };
  }

  /** What other services are told of a token that `verify` has taken. */
  factsOf(token: string): { iat: number; iss: string; aud: string } {
    const { iat = 0 } = jwt.decode(token) as Claims;
    return { iat, iss: this.settings.issuer, aud: this.settings.audience };
  }

  private claims(token: string): Claims {
    try {
      return jwt.verify(token, this.key, {
        algorithms: ["HS256"],
        issuer: this.settings.issuer,
        audience: this.settings.audience,
        clockTolerance: SKEW,
      }) as Claims;
    } catch (error) {
      throw (error as Error).name === "TokenExpiredError" ? expired() : invalid();
    }
  }

  /** One list for all tokens that have the same: every socket keeps its token's. */
  private shared<T extends string>(list: T[]): T[] {
    if (!Array.isArray(list)) return list;
    const key = JSON.stringify(list);
    const known = this.lists.get(key);
    if (known) return known as T[];
    if (this.lists.size < LISTS) this.lists.set(key, Object.freeze(list));
    return list;
  }
}

type Claims = jwt.JwtPayload & Record<string, unknown>;

const invalid = (): Error => new RookeryError("UNAUTHENTICATED", "No valid token.");
const expired = (): Error => new RookeryError("UNAUTHENTICATED", "The token has expired.");
