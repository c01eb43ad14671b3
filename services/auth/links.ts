import { createHmac } from "node:crypto";
import { upsert, type CollectionSpec, type Documents } from "../../mixins/documents";
import type { Clock } from "../core/clock";
import { RookeryError } from "../core/errors";
import { digest, isId } from "../core/ids";

/** What a link in a mail is good for, and for how many milliseconds. */
export const LINK_TTL = { verify: 86_400_000, reset: 1_800_000, usernames: 86_400_000 } as const;
export type LinkKind = keyof typeof LINK_TTL;

/** The one link of a kind that a user has; a new one takes its place. */
export interface Link {
  /** Kind and user. */
  id: string;
  userId: string;
  /** Of its secret; absent once it is spent. */
  digest?: string;
  /** The mail that carries it. */
  mail: string;
  /** The address that it was sent to. */
  email: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** When mails with such links were written, of the last hour. */
  recent: number[];
}

export const LINKS: CollectionSpec = { collection: "links", indexes: [{ name: "expiresAt", fields: ["expiresAt"] }] };

/** Mails of a kind that somebody gets in an hour, whoever asks for them. */
const AN_HOUR = { ms: 3_600_000, mails: 5 };
/** Links removed in one sweep. */
const BATCH = 500;

/**
 * Secrets for links in mails, made of what the mail is about: one that is sent again carries the same, and none waits in the
 * store. 256 bits that only who has the key can make.
 */
export class LinkSecrets {
  constructor(private readonly key: string) {}

  of(purpose: string, id: string): string {
    return createHmac("sha256", this.key).update(`link ${purpose} ${id}`).digest("base64url");
  }
}

/** A token of a link: the id of whom or what it is of, and its secret. */
export const tokenOf = (id: string, secret: string): string => `${id}.${secret}`;

export function parseToken(token: string): { id: string; digest: string } | null {
  const [id, secret, ...rest] = token.split(".", 3);
  return isId(id) && secret && rest.length === 0 ? { id, digest: digest(secret) } : null;
}

/** Links that are good once. */
export class Links {
  constructor(
    private readonly links: Documents<Link>,
    private readonly secrets: LinkSecrets,
    private readonly clock: Clock,
  ) {}

  /** The token for a mail; null if it is spent, another has taken its place, or the user has had too many mails. */
  async issue(kind: LinkKind, user: { id: string; email: string }, mail: string): Promise<string | null> {
    const now = this.clock.now();
    const id = idOf(kind, user.id);
    const secret = this.secrets.of(kind, mail);
    const fresh = { mail, email: user.email, digest: digest(secret), expiresAt: now + LINK_TTL[kind] };
    let issued = true;
    const stored = await upsert(this.links, { id, userId: user.id, ...fresh, recent: [now] }, known => {
      const recent = known.recent.filter(at => now - at < AN_HOUR.ms);
      const again = known.mail === mail;
      issued = again ? known.digest !== undefined : known.mail < mail && recent.length < AN_HOUR.mails;
      return issued ? { ...known, ...fresh, recent: again ? recent : [...recent, now] } : null;
    });
    return stored && issued ? tokenOf(user.id, secret) : null;
  }

  /** What a token stands for; null if it is none that holds. */
  async find(kind: LinkKind, token: string): Promise<Link | null> {
    const parts = parseToken(token);
    const link = parts && (await this.links.get(idOf(kind, parts.id)));
    return link && this.holds(link, parts.digest) ? link : null;
  }

  /** Of any number of calls with one token exactly one resolves to true. */
  async spend(kind: LinkKind, token: string): Promise<boolean> {
    const parts = parseToken(token);
    let spent = false;
    if (parts)
      await this.links.update(idOf(kind, parts.id), link => {
        spent = this.holds(link, parts.digest);
        if (!spent) return null;
        const { digest: _, ...rest } = link;
        return rest;
      });
    return spent;
  }

  /** The user's link of a kind holds no more, unless it was made after `at`, in milliseconds since the epoch. */
  async withdraw(kind: LinkKind, userId: string, at: number): Promise<void> {
    await this.links.update(idOf(kind, userId), ({ digest: held, ...rest }) =>
      held !== undefined && rest.expiresAt <= at + LINK_TTL[kind] ? rest : null,
    );
  }

  /**
   * Counts a mail to an address that somebody else may have named, by the address or by who named it. Throws RATE_LIMITED
   * where there were enough of its kind.
   */
  async spare(kind: string, whom: string): Promise<void> {
    const now = this.clock.now();
    // Not by what it is: somebody's address would stay here when he is gone.
    const id = `${kind}:${this.secrets.of("spare", whom.toLowerCase())}`;
    const made: Link = { id, userId: "", mail: "", email: "", expiresAt: now + AN_HOUR.ms, recent: [now] };
    let wait = 0;
    await upsert(this.links, made, known => {
      const recent = known.recent.filter(at => now - at < AN_HOUR.ms);
      wait = recent.length < AN_HOUR.mails ? 0 : AN_HOUR.ms - (now - (recent[0] as number));
      return wait > 0 ? null : { ...known, expiresAt: made.expiresAt, recent: [...recent, now] };
    });
    if (wait > 0)
      throw new RookeryError("RATE_LIMITED", "Enough such mails were sent for now.", { retryAfterMs: wait });
  }

  async forget(userId: string): Promise<void> {
    for (const kind of Object.keys(LINK_TTL) as LinkKind[]) await this.links.remove(idOf(kind, userId));
  }

  /** Removes a bounded number of old links. */
  async sweep(): Promise<void> {
    const where = { expiresAt: { $lte: this.clock.now() - AN_HOUR.ms } };
    const old = await this.links.find({ where, limit: BATCH });
    if (old.length > 0) await this.links.removeWhere({ ...where, id: { $in: old.map(({ id }) => id) } });
  }

  private holds(link: Link, presented: string): boolean {
    return link.digest === presented && link.expiresAt > this.clock.now();
  }
}

const idOf = (kind: LinkKind, userId: string): string => `${kind}:${userId}`;
