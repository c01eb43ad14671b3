import { StorageError, type CollectionSpec, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { AccessTokenFacts, Introspection, NewAccessToken, UserRecord } from "../core/contract";
import { RookeryError } from "../core/errors";
import { digest, isId, newId, newSecret } from "../core/ids";
import type { Identity } from "../core/model";
import { isPersonalToken, PERSONAL_TOKEN } from "../core/personal-tokens";
import { ENROLMENT, isEnrolling, permissionsWithin, type Scope } from "../core/scopes";
import type { AccessTokens, VerifiedToken } from "../core/tokens";
import type { Admission } from "./admission";
import type { RevocationLog } from "./revocation-log";
import type { RoleTable } from "./role-table";
import type { SecondFactorDuty } from "./second-factor-duty";

/** A token of a program: `id` is also the `sid` of the access tokens made for it. */
export interface PersonalToken {
  id: string;
  userId: string;
  name: string;
  scopes: Scope[];
  secretDigest: string;
  createdAt: string;
  /** Milliseconds since the epoch, as `lastUsedAt`. */
  expiresAt: number;
  lastUsedAt?: number;
}

export const PERSONAL_TOKENS: CollectionSpec = {
  collection: "personal_tokens",
  indexes: [
    { name: "user", fields: ["userId"] },
    { name: "expiresAt", fields: ["expiresAt"] },
  ],
};

/** Tokens of one user. */
const MOST = 100;
/** Days a token lives where nothing is said. */
const LIFE = 90;
const DAY = 86_400_000;
/** Milliseconds for which a use is not written down again. */
const COALESCED = 60_000;
/** Tokens removed in one sweep. */
const BATCH = 500;

export interface PersonalTokenParts {
  stored: Documents<PersonalToken>;
  admission: Pick<Admission, "admits">;
  roles: Pick<RoleTable, "permissionsOf" | "reachOf">;
  duty: Pick<SecondFactorDuty, "isDue">;
  revocations: Pick<RevocationLog, "current" | "refuses" | "append">;
  tokens: AccessTokens;
  clock: Clock;
}

type Records = { record(id: string): Promise<UserRecord | null> };

/**
 * Personal access tokens and those of bots: secrets that programs keep, with scopes and an end. A program, or the door it
 * comes to, exchanges one for an access token like any other.
 */
export class PersonalTokens {
  constructor(private readonly parts: PersonalTokenParts) {}

  /** For the caller himself, or for a bot. Throws FORBIDDEN if the token could do what the caller may not. */
  async create(
    caller: Identity,
    owner: Pick<UserRecord, "id" | "roles">,
    { name, scopes, expiresInDays = LIFE }: NewAccessToken,
  ): Promise<AccessTokenFacts & { token: string }> {
    const { stored, roles, clock } = this.parts;
    const able = permissionsWithin(await roles.permissionsOf(owner.roles), scopes);
    if (able.some(permission => !caller.permissions.includes(permission)))
      throw new RookeryError("FORBIDDEN", "The token could do what you may not.");
    if ((await stored.count({ where: { userId: owner.id } })) >= MOST)
      throw new RookeryError("CONFLICT", `There are ${MOST} tokens already.`);
    const secret = newSecret();
    const token: PersonalToken = {
      id: newId(),
      userId: owner.id,
      name,
      scopes,
      secretDigest: digest(secret),
      createdAt: timestamp(clock),
      expiresAt: clock.now() + expiresInDays * DAY,
    };
    await stored.insert(token);
    return { ...factsOf(token), token: `${PERSONAL_TOKEN}${token.id}_${secret}` };
  }

  /** Throws NOT_FOUND unless it is a bot. */
  async createFor(caller: Identity, users: Records, bot: string, wanted: NewAccessToken) {
    return this.create(caller, await botOf(users, bot), wanted);
  }

  async ofBot(users: Records, bot: string): Promise<AccessTokenFacts[]> {
    return this.of((await botOf(users, bot)).id);
  }

  /** The newest first. */
  async of(userId: string): Promise<AccessTokenFacts[]> {
    const where = { userId, expiresAt: { $gt: this.parts.clock.now() } };
    return (await this.parts.stored.find({ where, sort: ["-createdAt", "id"], limit: MOST })).map(factsOf);
  }

  /** One's own; with `bots.manage` also that of a bot. Throws NOT_FOUND for any other, FORBIDDEN for that of one that may do more. */
  async withdraw(caller: Identity, users: Records, id: string): Promise<void> {
    const token = await this.get(id);
    if (!token) throw new RookeryError("NOT_FOUND");
    if (token.userId !== caller.id) {
      if (!caller.permissions.includes("bots.manage")) throw new RookeryError("NOT_FOUND");
      const bot = await botOf(users, token.userId);
      (await this.parts.roles.reachOf(caller)).over(bot.roles);
    }
    await this.remove(token.id);
  }

  private get(id: string): Promise<PersonalToken | null> {
    return isId(id) ? this.parts.stored.get(id) : Promise.resolve(null);
  }

  /** Ends a token and what was made for it. The log comes first: it refuses an exchange under way. */
  private async remove(id: string): Promise<void> {
    await this.parts.revocations.append({ session: id });
    await this.parts.stored.remove(id);
  }

  /** An access token for a token of ours. Throws UNAUTHENTICATED. */
  async exchange(users: Records, presented: string): Promise<{ accessToken: string; expiresIn: number }> {
    const { admission, roles, revocations, tokens, clock } = this.parts;
    const revision = await revocations.current();
    const [id = "", secret = ""] = partsOf(presented);
    const token = await this.get(id);
    if (!token || token.secretDigest !== digest(secret) || token.expiresAt <= clock.now()) throw refused();
    const user = await users.record(token.userId);
    if (!user || !admission.admits(user)) throw refused();
    const { username, roles: held } = user;
    const due = await this.parts.duty.isDue(user);
    const scopes: readonly Scope[] = due ? [ENROLMENT] : token.scopes;
    const permissions = due ? [] : permissionsWithin(await roles.permissionsOf(held), scopes);
    const identity = { id: user.id, username, roles: held, permissions, sid: token.id, scopes };
    // Somebody has ended it and did not come to remove it.
    if (revocations.refuses({ identity, revision: Infinity })) throw refused();
    await this.used(token);
    const seconds = Math.min(tokens.ttl, Math.ceil((token.expiresAt - clock.now()) / 1000));
    return { accessToken: tokens.sign(identity, revision, seconds), expiresIn: seconds };
  }

  /**
   * What a token amounts to, an access token or one of a program. Throws FORBIDDEN unless the caller is a program that was
   * given the scope for it, or an Admin.
   */
  async introspect(caller: Identity, users: Records, presented: string): Promise<Introspection> {
    if (!caller.scopes?.includes("introspect") && !caller.roles.includes("Admin")) throw new RookeryError("FORBIDDEN");
    const { revocations, tokens } = this.parts;
    let text: string;
    let token: VerifiedToken;
    try {
      text = isPersonalToken(presented) ? (await this.exchange(users, presented)).accessToken : presented;
      token = tokens.verify(text);
    } catch (error) {
      if ((error as { type?: unknown }).type === "UNAUTHENTICATED") return { active: false };
      throw error;
    }
    await revocations.current();
    if (revocations.refuses(token) || isEnrolling(token.identity)) return { active: false };
    const { id, username, roles, permissions, sid, scopes } = token.identity;
    return {
      active: true,
      token_type: "Bearer",
      sub: id,
      username,
      ...(scopes && { scope: scopes.join(" ") }),
      exp: token.expiresAt / 1000,
      ...tokens.factsOf(text),
      sid,
      roles,
      permissions,
    };
  }

  async endMany(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.parts.stored.removeWhere({ id: { $in: [...ids] } });
  }

  /** Of a user who is gone: whose tokens are refused already. */
  async endAll(userId: string): Promise<void> {
    await this.parts.stored.removeWhere({ userId });
  }

  /** Removes a bounded number of expired tokens. */
  async sweep(): Promise<void> {
    const where = { expiresAt: { $lte: this.parts.clock.now() } };
    await this.endMany((await this.parts.stored.find({ where, limit: BATCH })).map(({ id }) => id));
  }

  /** To the minute, and not worth a refusal. */
  private async used({ id }: PersonalToken): Promise<void> {
    const now = this.parts.clock.now();
    const mark = (token: PersonalToken) =>
      now - (token.lastUsedAt ?? 0) < COALESCED ? null : { ...token, lastUsedAt: now };
    await this.parts.stored.update(id, mark).catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error;
    });
  }
}

async function botOf(users: Records, id: string): Promise<UserRecord> {
  const user = await users.record(id);
  if (!user?.bot) throw new RookeryError("NOT_FOUND");
  return user;
}

/** Its id and its secret; nothing of what is none of ours. */
const partsOf = (text: string): string[] => /^rkp_([0-9a-f-]{36})_([\w-]{43})$/.exec(text)?.slice(1) ?? [];

const factsOf = ({ id, name, scopes, createdAt, expiresAt, lastUsedAt }: PersonalToken): AccessTokenFacts => ({
  id,
  name,
  scopes,
  createdAt,
  expiresAt: new Date(expiresAt).toISOString(),
  ...(lastUsedAt !== undefined && { lastUsedAt: new Date(lastUsedAt).toISOString() }),
});

const refused = (): RookeryError => new RookeryError("UNAUTHENTICATED", "No valid token.");
