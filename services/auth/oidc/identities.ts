import { DuplicateKeyError, type CollectionSpec, type Documents } from "../../../mixins/documents";
import type { OidcProvider } from "../../../config/oidc";
import { timestamp, type Clock } from "../../core/clock";
import type { LinkedIdentity, UserRecord } from "../../core/contract";
import { hasCode, RookeryError } from "../../core/errors";
import { digest, isId, newId, newSecret } from "../../core/ids";
import type { Role } from "../../core/permissions";
import { isSeen, username as usernameRule } from "../../core/rules";
import type { Users } from "../accounts";
import type { Registration } from "../registration";
import type { Claims } from "./oidc-client";

/** Somebody's account with another issuer. Only issuer and subject say who he is: names and addresses change hands. */
export interface StoredIdentity {
  id: string;
  /** Digest of issuer and subject; unique. */
  key: string;
  provider: string;
  issuer: string;
  userId: string;
  name?: string;
  linkedAt: string;
  /** Milliseconds since the epoch; set until the user is known to exist. */
  pendingSince?: number;
}

export const IDENTITIES: CollectionSpec = {
  collection: "identities",
  indexes: [
    { name: "key", fields: ["key"], unique: true },
    { name: "user", fields: ["userId"] },
    { name: "pendingSince", fields: ["pendingSince"] },
  ],
};

/** What is asked of the owner of users here, besides what every sign-in needs. */
export interface Members extends Pick<Users, "create" | "byLogin" | "record" | "audit"> {
  /** Has the user hold, of `managed`, those and no others; never takes the last Admin's role. */
  assignRoles(id: string, managed: Role[], held: Role[]): Promise<UserRecord>;
}

/** Milliseconds after which an identity whose user was not made is given up. */
const PENDING = 60_000;
const BATCH = 100;
/** Identities of one user. */
const MOST = 20;
/** Names tried for a newcomer. */
const ATTEMPTS = 5;

/** Which accounts elsewhere are whose here. */
export class Identities {
  constructor(
    private readonly stored: Documents<StoredIdentity>,
    private readonly registration: Pick<Registration, "open">,
    private readonly clock: Clock,
  ) {}

  /**
   * The user an issuer vouches for; made if there is none, with the roles the issuer's claims give. Throws CONFLICT if his
   * e-mail is another account's: its owner signs in and links; FORBIDDEN where not everybody may register.
   */
  async user(users: Members, provider: OidcProvider, claims: Claims): Promise<UserRecord> {
    const known = await this.stored.findOne({ key: keyOf(claims) });
    const user = known ? await this.known(users, known, claims) : await this.stranger(users, provider, claims);
    return this.withRoles(users, user, provider, claims);
  }

  /**
   * Makes it one more way in for a user who is signed in. Resolves to its id; null if it was his already. Throws CONFLICT if
   * it is somebody else's.
   */
  async link(userId: string, provider: OidcProvider, claims: Claims): Promise<string | null> {
    const own = await this.of(userId);
    if (own.length >= MOST) throw new RookeryError("CONFLICT", `There are ${MOST} identities already.`);
    try {
      return (await this.stored.insert(this.identity(userId, provider, claims))).id;
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      const known = await this.stored.findOne({ key: keyOf(claims) });
      if (known?.userId !== userId) throw new RookeryError("CONFLICT", "It is linked to another account.");
      return null;
    }
  }

  async drop(id: string): Promise<void> {
    await this.stored.remove(id);
  }

  async of(userId: string): Promise<LinkedIdentity[]> {
    const found = await this.stored.find({ where: { userId }, sort: ["linkedAt", "id"], limit: MOST });
    return found.map(({ id, provider, issuer, name, linkedAt }) => ({
      id,
      provider,
      issuer,
      ...(name !== undefined && { name }),
      linkedAt,
    }));
  }

  /** Throws NOT_FOUND, CONFLICT if it is the only way in that is left. */
  async unlink(userId: string, id: string, hasPassword: boolean): Promise<void> {
    const own = await this.of(userId);
    if (!isId(id) || !own.some(one => one.id === id)) throw new RookeryError("NOT_FOUND");
    if (!hasPassword && own.length === 1) throw new RookeryError("CONFLICT", "There is no other way to sign in.");
    await this.stored.remove(id);
  }

  async forget(userId: string): Promise<void> {
    await this.stored.removeWhere({ userId });
  }

  /** Finishes or gives up newcomers that a crash left half made. */
  async sweep(users: Pick<Users, "record">): Promise<void> {
    const where = { pendingSince: { $lte: this.clock.now() - PENDING } };
    for (const { id, userId } of await this.stored.find({ where, limit: BATCH }))
      if (await users.record(userId)) await this.confirm(id);
      else await this.stored.remove(id);
  }

  private async known(users: Members, identity: StoredIdentity, claims: Claims): Promise<UserRecord> {
    const user = await users.record(identity.userId);
    if (user) return user;
    if (identity.pendingSince !== undefined) return this.make(users, identity, claims);
    throw new RookeryError("UNAUTHENTICATED", "The account is gone.");
  }

  private async stranger(users: Members, provider: OidcProvider, claims: Claims): Promise<UserRecord> {
    const namesake = claims.email === null ? null : await users.byLogin(claims.email);
    if (namesake) {
      // An address of ours that was never verified may be anybody's who typed it in.
      if (provider.link !== "email" || namesake.unverified)
        throw new RookeryError("CONFLICT", "There is an account with this e-mail: sign in to it and link.");
      await this.link(namesake.id, provider, claims);
      if (!(await users.record(namesake.id))) {
        await this.forget(namesake.id);
        throw new RookeryError("UNAUTHENTICATED", "The account is gone.");
      }
      const detail = { provider: provider.id };
      await users.audit({ type: "identity.link", actor: namesake.id, result: "ok", detail });
      return namesake;
    }
    this.registration.open();
    const identity = { ...this.identity(newId(), provider, claims), pendingSince: this.clock.now() };
    try {
      await this.stored.insert(identity);
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
      // He came twice at a time: the user of the first is his.
      const first = await this.stored.findOne({ key: identity.key });
      if (!first) throw new RookeryError("UNAVAILABLE");
      return this.known(users, first, claims);
    }
    return this.make(users, identity, claims);
  }

  /** The one place where an issuer's word makes an account. The identity is stored first: the user is the commit point. */
  private async make(users: Members, identity: StoredIdentity, claims: Claims): Promise<UserRecord> {
    const { userId: id } = identity;
    const displayName = claims.name?.slice(0, 64).trim();
    for (let attempt = 0; ; attempt++) {
      const username = nameFor(claims, attempt);
      try {
        const email = claims.email ?? undefined;
        const user = await users.create({
          id,
          username,
          email,
          ...(displayName && isSeen(displayName) && { displayName }),
        });
        await this.confirm(identity.id);
        const detail = { provider: identity.provider };
        await users.audit({ type: "account.register", actor: id, object: id, result: "ok", detail });
        return user;
      } catch (error) {
        if (hasCode(error, "CONFLICT") && attempt < ATTEMPTS) continue;
        if (hasCode(error, "CONFLICT") || hasCode(error, "INVALID")) await this.stored.remove(identity.id);
        throw error;
      }
    }
  }

  private async withRoles(
    users: Members,
    user: UserRecord,
    { id: provider, roles }: OidcProvider,
    { all }: Claims,
  ): Promise<UserRecord> {
    if (!roles) return user;
    const values = [claimAt(all, roles.claim)].flat().filter(value => typeof value === "string");
    const held = values.flatMap(value => (Object.hasOwn(roles.map, value) ? (roles.map[value] as Role) : []));
    const now = await users.assignRoles(user.id, [...new Set(Object.values(roles.map))], [...new Set(held)]);
    const detail = { roles: now.roles.join(), provider };
    if (detail.roles !== user.roles.join())
      await users.audit({ type: "roles.change", actor: null, object: user.id, result: "ok", detail });
    return now;
  }

  private identity(userId: string, { id: provider }: OidcProvider, claims: Claims): StoredIdentity {
    const name = (claims.email ?? claims.username ?? claims.name)?.slice(0, 254);
    return {
      id: newId(),
      key: keyOf(claims),
      provider,
      issuer: claims.issuer,
      userId,
      ...(name && { name }),
      linkedAt: timestamp(this.clock),
    };
  }

  private async confirm(id: string): Promise<void> {
    await this.stored.update(id, ({ pendingSince: _, ...rest }) => rest);
  }
}

const keyOf = ({ issuer, subject }: Claims): string => digest(JSON.stringify([issuer, subject]));

/** A whole name with dots in it, or a path. */
function claimAt(all: Record<string, unknown>, claim: string): unknown {
  if (Object.hasOwn(all, claim)) return all[claim];
  return claim
    .split(".")
    .reduce<unknown>((value, part) => (isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined), all);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** What he is called there, as far as that is a user name here; then with something behind it until nobody has it. */
function nameFor({ username, email }: Claims, attempt: number): string {
  const wanted = (username ?? email ?? "user").split("@")[0] ?? "";
  const cleaned = wanted.replace(/[^A-Za-z0-9_.-]/g, "").slice(0, 24);
  const usable = usernameRule.pattern.test(cleaned);
  if (usable && attempt === 0) return cleaned;
  return `${usable ? cleaned : "user"}-${newSecret().replace(/\W/g, "").slice(0, 6)}`;
}
