import { DuplicateKeyError, StorageError, type Documents } from "../../mixins/documents";
import type { Clock } from "../core/clock";
import type { Revocation } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { Role } from "../core/permissions";
import { RevocationList } from "../core/revocations";
import type { VerifiedToken } from "../core/tokens";
import type { RevocationEntry } from "./auth.store";

/** Whose tokens are refused. */
export type Revoked = { session: string } | { user: string; banned?: true } | { role: Role };

/** Entries in one answer; who is further behind asks again. */
const PAGE = 1_000;
/** Times an entry looks for a free number before it gives up. */
const ATTEMPTS = 32;
/**
 * Milliseconds for which an entry stays beyond its use. A node that read the head and was held up before it wrote would
 * otherwise take a number that has been given and forgotten; no write takes that long.
 */
const MARGIN = 3_600_000;

/**
 * The numbered log of what must be refused before it expires. Numbers have no holes, so whoever knows the head knows
 * whether he missed one. Any number of nodes write it: the store has the truth, the unique index on the number is the
 * fence, and nothing is answered from memory alone.
 */
export class RevocationLog {
  /** Number of the last entry known here. */
  private last = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private nextRead: Promise<void> | null = null;
  private readonly recent: RevocationList;

  constructor(
    private readonly entries: Documents<RevocationEntry>,
    private readonly clock: Clock,
    /** Milliseconds after which every token an entry could refuse has expired. */
    private readonly keepFor: number,
    private readonly announce: (items: Revocation[]) => void,
  ) {
    // By a clock that never jumps: what is forgotten here is not read again.
    this.recent = new RevocationList(() => clock.monotonic(), keepFor);
  }

  /**
   * Number of the last entry at some moment after the call; 0 if there never was one. Tokens carry it. Callers of one tick
   * share a read; none joins one under way, which may have missed what he knows of.
   */
  async current(): Promise<number> {
    this.nextRead ??= new Promise(resolve => setImmediate(resolve)).then(() => {
      this.nextRead = null;
      return this.catchUp();
    });
    await this.nextRead;
    return this.last;
  }

  /** Stores an entry, then tells every node; where it is unknown whether it is stored, every node is to look. */
  async append(what: Revoked): Promise<void> {
    const turn = this.turn.then(() => this.store(what));
    this.turn = turn.catch(() => undefined);
    try {
      this.announce([await turn]);
    } catch (error) {
      if (error instanceof StorageError && error.outcome === "unknown") this.announce([]);
      throw error;
    }
  }

  /** Entries after a number, oldest first; at most 1,000. Those of a past token lifetime are gone. */
  async after(n: number): Promise<{ head: number; items: Revocation[] }> {
    const head = await this.current();
    if (n >= head) return { head, items: [] };
    const items = await this.entries.find({ where: { n: { $gt: n, $lte: head } }, sort: "n", limit: PAGE });
    return { head, items: items.map(toRevocation) };
  }

  /** Whether a token with these claims was refused when `current` last resolved. */
  refuses(token: Pick<VerifiedToken, "identity" | "revision">): boolean {
    return this.recent.refuses(token);
  }

  /**
   * Forgets a bounded number of old entries, after `end` made sure that their sessions are over. The last entry stays
   * whatever its age: it holds the number.
   */
  async sweep(end: (sessions: string[]) => Promise<void>): Promise<void> {
    const where = { at: { $lt: this.clock.now() - this.keepFor - MARGIN }, n: { $lt: await this.current() } };
    const old = await this.entries.find({ where, sort: "n", limit: PAGE });
    const newest = old.at(-1);
    if (!newest) return;
    await end(old.flatMap(({ session }) => session ?? []));
    await this.entries.removeWhere({ n: { $lte: newest.n } });
  }

  private async store(what: Revoked): Promise<Revocation> {
    const id = newId();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await this.catchUp();
      const entry: RevocationEntry = { id, n: this.last + 1, ...what, at: this.clock.now() };
      try {
        await this.entries.insert(entry);
      } catch (error) {
        if (!(error instanceof DuplicateKeyError)) throw error;
        continue;
      }
      this.learn([entry]);
      return toRevocation(entry);
    }
    throw new RookeryError("UNAVAILABLE");
  }

  private async catchUp(): Promise<void> {
    for (;;) {
      const found = await this.entries.find({ where: { n: { $gt: this.last } }, sort: "n", limit: PAGE });
      this.learn(found);
      if (found.length < PAGE) return;
    }
  }

  private learn(entries: RevocationEntry[]): void {
    this.recent.add(entries.map(toRevocation));
    this.last = Math.max(this.last, entries.at(-1)?.n ?? 0);
  }
}

const toRevocation = ({ n, session, user, role, everybody, banned }: RevocationEntry): Revocation => ({
  n,
  ...(everybody && { everybody }),
  ...(session !== undefined && { session }),
  ...(user !== undefined && { user }),
  ...(role !== undefined && { role }),
  ...(banned && { banned }),
});
