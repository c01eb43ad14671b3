import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from "node:crypto";
import jwt from "jsonwebtoken";
import { RookeryError } from "./errors";
import type { Identity } from "./model";
import type { Permission, Role } from "./permissions";

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
/** How every token begins that `sign` has made: `{"alg":"HS256","typ":"JWT"}`. */
const HEADER = `${Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url")}.`;
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

  sign(identity: Identity, revision: number): string {
    const { id, username, roles, permissions, sid } = identity;
    return jwt.sign({ name: username, roles, permissions, sid, rev: revision, typ: "access" }, this.key, {
      algorithm: "HS256",
      subject: id,
      issuer: this.settings.issuer,
      audience: this.settings.audience,
      expiresIn: this.settings.accessTtl,
    });
  }

  /** Throws UNAUTHENTICATED for anything but a token of ours that holds now. */
  verify(token: unknown): VerifiedToken {
    if (typeof token !== "string" || token.length > MAX_TOKEN) throw invalid();
    const { sub, name, roles, permissions, sid, rev, typ, exp } = token.startsWith(HEADER)
      ? this.own(token)
      : this.other(token);
    if (typ !== "access" || typeof sub !== "string" || typeof sid !== "string" || typeof exp !== "number")
      throw invalid();
    return {
      identity: Object.freeze({
        id: sub,
        username: String(name),
        roles: this.shared(roles as Role[]),
        permissions: this.shared(permissions as Permission[]),
        sid,
      }),
      expiresAt: exp * 1000,
      revision: typeof rev === "number" ? rev : 0,
    };
  }

  /**
   * The claims of a token with the one header that ours have. By hand, in the order of the library's checks, which took 19
   * microseconds where this takes 8: a tenth of what a join cost.
   */
  private own(token: string): Claims {
    const end = token.lastIndexOf(".");
    const signed = token.slice(0, end);
    const signature = createHmac("sha256", this.key).update(signed).digest("base64url");
    if (end < HEADER.length || !equal(signature, token.slice(end + 1))) throw invalid();
    let claims: unknown;
    try {
      claims = JSON.parse(Buffer.from(token.slice(HEADER.length, end), "base64url").toString());
    } catch {
      throw invalid();
    }
    if (typeof claims !== "object" || claims === null) throw invalid();
    const { nbf, exp, aud, iss } = claims as Claims;
    const now = Math.floor(Date.now() / 1000);
    if (nbf !== undefined && !(typeof nbf === "number" && nbf <= now + SKEW)) throw invalid();
    if (exp !== undefined && typeof exp !== "number") throw invalid();
    if (exp !== undefined && now >= exp + SKEW) throw expired();
    const audiences: unknown[] = Array.isArray(aud) ? aud : [aud];
    if (!audiences.includes(this.settings.audience) || iss !== this.settings.issuer) throw invalid();
    return claims as Claims;
  }

  /** The claims of a token that somebody else made with our secret. */
  private other(token: string): Claims {
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

/** Takes as long wherever they differ. */
function equal(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
