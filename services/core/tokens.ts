import { createSecretKey, type KeyObject } from "node:crypto";
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

export class AccessTokens {
  /** A KeyObject, made once: with a string secret jsonwebtoken verifies 50 times slower. */
  private readonly key: KeyObject;

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
    if (typeof token !== "string" || token.length > MAX_TOKEN)
      throw new RookeryError("UNAUTHENTICATED", "No valid token.");
    let claims: jwt.JwtPayload;
    try {
      claims = jwt.verify(token, this.key, {
        algorithms: ["HS256"],
        issuer: this.settings.issuer,
        audience: this.settings.audience,
        clockTolerance: SKEW,
      }) as jwt.JwtPayload;
    } catch (error) {
      const expired = (error as Error).name === "TokenExpiredError";
      throw new RookeryError("UNAUTHENTICATED", expired ? "The token has expired." : "No valid token.");
    }
    const { sub, name, roles, permissions, sid, rev, typ, exp } = claims as jwt.JwtPayload & Record<string, unknown>;
    if (typ !== "access" || typeof sub !== "string" || typeof sid !== "string" || typeof exp !== "number")
      throw new RookeryError("UNAUTHENTICATED", "No valid token.");
    return {
      identity: Object.freeze({
        id: sub,
        username: String(name),
        roles: roles as Role[],
        permissions: permissions as Permission[],
        sid,
      }),
      expiresAt: exp * 1000,
      revision: typeof rev === "number" ? rev : 0,
    };
  }
}
