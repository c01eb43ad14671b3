import { setTimeout as pause } from "node:timers/promises";
import { StorageError, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import { digest, isId, newId, newSecret } from "../core/ids";
import type { Session } from "./auth.store";

/** Milliseconds after a rotation in which its old token may be a client's honest retry: refused, but nothing ends. */
const GRACE = 10_000;
/** Milliseconds in which a rotation of unknown outcome is found out: whoever asked must still be there. */
const FINDING_OUT = 3_000;
/** Milliseconds before the first repeat of it, doubled each time. */
const FIRST_PAUSE = 50;
/** Old tokens remembered for that; whoever rotates faster gets no grace for the oldest. */
const MAX_RETIRED = 32;
/** Sessions removed in one sweep or one step. */
const BATCH = 500;

/** A refresh token of ours, taken apart: session, what the session's tokens share, what is this token's own. */
interface Parts {
  id: string;
  family: string;
  secret: string;
}

export type Rotation =
  | { outcome: "rotated"; refreshToken: string }
  /** Not ours, ended or expired. */
  | { outcome: "unknown" }
  /** Just rotated: refused and nothing else. */
  | { outcome: "late" }
  /** An old token: two hold the session, and one of them stole it. */
  | { outcome: "reused" };

/** What a client shows of itself when it comes for tokens. */
export interface SessionClient {
  address?: string;
  userAgent?: string;
}

/** Sessions and their refresh tokens. A token is used once; only digests are stored. */
export class Sessions {
  constructor(
    private readonly sessions: Documents<Session>,
    private readonly clock: Clock,
    /** Seconds a refresh token lives. */
    private readonly ttl: number,
  ) {}

  async start(userId: string, client: SessionClient = {}): Promise<{ id: string; refreshToken: string }> {
    const parts = { id: newId(), family: newSecret(), secret: newSecret() };
    const now = this.clock.now();
    await this.sessions.insert({
      id: parts.id,
      userId,
      familyDigest: digest(parts.family),
      refreshDigest: digest(parts.secret),
      expiresAt: now + this.ttl * 1000,
      createdAt: timestamp(this.clock),
      ...client,
    });
    return { id: parts.id, refreshToken: format(parts) };
  }

  /** The session a refresh token belongs to, used or not; null if it is none of ours or the session is over. */
  async find(refreshToken: string): Promise<Session | null> {
    const parts = parse(refreshToken);
    const session = parts && (await this.sessions.get(parts.id));
    if (!parts || !session || session.familyDigest !== digest(parts.family)) return null;
    return session.expiresAt > this.clock.now() ? session : null;
  }

  /**
   * Exchanges a refresh token for the next one. Of any number of calls with one token exactly one succeeds. A client that
   * gets no answer is left with a token that may be spent, so a write of unknown outcome is repeated with the same new token
   * until the session shows it; rejects with StorageError `unknown` only if the store does not come back in time.
   */
  async rotate(refreshToken: string, client: SessionClient = {}): Promise<Rotation> {
    const parts = parse(refreshToken);
    if (!parts) return { outcome: "unknown" };
    const next = { ...parts, secret: newSecret() };
    const deadline = this.clock.monotonic() + FINDING_OUT;
    let doubt: StorageError | null = null;
    for (let wait = FIRST_PAUSE; ; wait *= 2) {
      try {
        return await this.exchange(parts, next, client);
      } catch (error) {
        if (!(error instanceof StorageError)) throw error;
        if (error.outcome === "unknown") doubt ??= error;
        if (!doubt) throw error;
        if (this.clock.monotonic() + wait > deadline) throw doubt;
        await pause(wait);
      }
    }
  }

  /** Repeated with the same `next` it succeeds again, however often it took effect. */
  private async exchange(parts: Parts, next: Parts, client: SessionClient): Promise<Rotation> {
    const [presented, replacing] = [digest(parts.secret), digest(next.secret)];
    const rotated: Rotation = { outcome: "rotated", refreshToken: format(next) };
    let answer: Rotation = { outcome: "unknown" };
    // The change is judged anew on what is stored each time it runs; the last run is the one that counted.
    await this.sessions.update(parts.id, session => {
      const now = this.clock.now();
      const recent = (session.retired ?? []).filter(token => now - token.at < GRACE);
      if (session.refreshDigest === replacing) {
        answer = rotated;
        return null;
      }
      const genuine = session.familyDigest === digest(parts.family) && session.expiresAt > now;
      if (!genuine || presented !== session.refreshDigest) {
        const late = recent.some(token => token.digest === presented);
        answer = { outcome: !genuine ? "unknown" : late ? "late" : "reused" };
        return null;
      }
      answer = rotated;
      const retired = [...recent, { digest: presented, at: now }].slice(-MAX_RETIRED);
      const lastUsedAt = new Date(now).toISOString();
      const expiresAt = now + this.ttl * 1000;
      return { ...session, ...client, refreshDigest: replacing, retired, expiresAt, lastUsedAt };
    });
    return answer;
  }

  /** Null if it has ended. */
  get(id: string): Promise<Session | null> {
    return isId(id) ? this.sessions.get(id) : Promise.resolve(null);
  }

  /** A user's sessions that have not expired, newest first. */
  of(userId: string): Promise<Session[]> {
    const where = { userId, expiresAt: { $gt: this.clock.now() } };
    return this.sessions.find({ where, sort: ["-createdAt", "id"], limit: BATCH });
  }

  async end(id: string): Promise<void> {
    await this.sessions.remove(id);
  }

  async endMany(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.sessions.removeWhere({ id: { $in: [...ids] } });
  }

  async endAll(userId: string): Promise<void> {
    await this.sessions.removeWhere({ userId });
  }

  /** Removes a bounded number of expired sessions. */
  async sweep(): Promise<void> {
    const expired = await this.sessions.find({ where: { expiresAt: { $lte: this.clock.now() } }, limit: BATCH });
    if (expired.length > 0)
      await this.sessions.removeWhere({
        id: { $in: expired.map(({ id }) => id) },
        expiresAt: { $lte: this.clock.now() },
      });
  }
}

const format = ({ id, family, secret }: Parts): string => `${id}.${family}.${secret}`;

function parse(token: string): Parts | null {
  const [id, family, secret, ...rest] = token.split(".", 4);
  return isId(id) && family && secret && rest.length === 0 ? { id, family, secret } : null;
}
