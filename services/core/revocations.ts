import type { Revocation } from "./contract";
import type { VerifiedToken } from "./tokens";

/**
 * A door's copy of auth's numbered revocation log: lets a token be refused without a call. Entries older than one token
 * lifetime are forgotten, since every token they could refuse has expired.
 */
export class RevocationList {
  private readonly sessions = new Map<string, number>();
  private readonly users = new Map<string, { n: number; at: number }>();
  /** By role, the number of the last revocation that concerned all who have it. */
  private readonly roles = new Map<string, number>();
  /** Number of the last revocation that concerned everybody. */
  private everybody = 0;
  /** Number of the last revocation known here. */
  head = 0;

  constructor(
    private readonly now: () => number,
    /** Milliseconds. */
    private readonly keepFor: number,
  ) {}

  /** Adds entries; repeats are harmless. Returns those that were new. */
  add(items: readonly Revocation[]): Revocation[] {
    const fresh = items.filter(item => item.n > this.head || !this.knows(item));
    const at = this.now();
    for (const item of fresh) {
      if (item.session) this.sessions.set(item.session, at);
      if (item.role) this.roles.set(item.role, Math.max(item.n, this.roles.get(item.role) ?? 0));
      if (item.everybody) this.everybody = Math.max(item.n, this.everybody);
      if (item.user) this.users.set(item.user, { n: Math.max(item.n, this.users.get(item.user)?.n ?? 0), at });
    }
    for (const item of items) this.head = Math.max(this.head, item.n);
    this.forget(at);
    return fresh;
  }

  refuses(token: Pick<VerifiedToken, "identity" | "revision">): boolean {
    if (this.everybody > token.revision || this.sessions.has(token.identity.sid)) return true;
    if (this.roles.size > 0)
      for (const role of token.identity.roles) if ((this.roles.get(role) ?? 0) > token.revision) return true;
    const user = this.users.get(token.identity.id);
    return user !== undefined && user.n > token.revision;
  }

  /** Whether the session of a token is known to have ended; of one that is refused for another reason it may go on. */
  ended({ identity }: Pick<VerifiedToken, "identity">): boolean {
    return this.sessions.has(identity.sid);
  }

  private knows(item: Revocation): boolean {
    if (item.session && !this.sessions.has(item.session)) return false;
    if (item.role && (this.roles.get(item.role) ?? 0) < item.n) return false;
    if (item.everybody && this.everybody < item.n) return false;
    return !item.user || (this.users.get(item.user)?.n ?? 0) >= item.n;
  }

  private forget(now: number): void {
    for (const [session, at] of this.sessions) {
      if (now - at < this.keepFor) break;
      this.sessions.delete(session);
    }
    for (const [user, { at }] of this.users) if (now - at >= this.keepFor) this.users.delete(user);
  }
}
