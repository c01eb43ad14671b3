import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import type { Clock } from "../core/clock";
import type { Revocation } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import { RevocationList } from "../core/revocations";
import type { VerifiedToken } from "../core/tokens";
import type { RevocationEntry } from "./auth.store";

/** Entries in one answer; who is further behind asks again. */
const PAGE = 1_000;
/** Times an entry looks for a free number before it gives up. */
const ATTEMPTS = 8;

/**
 * The numbered log of what must be refused before it expires. Numbers have no holes, so whoever knows the head knows
 * whether he missed one. Entries are stored one after another, and the unique index on the number is the fence if another
 * process should write too.
 */
export class RevocationLog {
  private last = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly recent: RevocationList;

  private constructor(
    private readonly entries: Documents<RevocationEntry>,
    private readonly clock: Clock,
    /** Milliseconds after which every token an entry could refuse has expired. */
    private readonly keepFor: number,
    private readonly announce: (items: Revocation[]) => void,
  ) {
    this.recent = new RevocationList(() => clock.now(), keepFor);
  }

  static async open(
    entries: Documents<RevocationEntry>,
    clock: Clock,
    keepFor: number,
    announce: (items: Revocation[]) => void,
  ): Promise<RevocationLog> {
    const log = new RevocationLog(entries, clock, keepFor, announce);
    await log.catchUp();
    return log;
  }

  /** Number of the last entry; 0 if there never was one. Tokens carry it. */
  get head(): number {
    return this.last;
  }

  /** Stores an entry, then tells every node. */
  async append(what: { session: string } | { user: string }): Promise<void> {
    const turn = this.turn.then(() => this.store(what));
    this.turn = turn.catch(() => undefined);
    this.announce([await turn]);
  }

  /** Entries after a number, oldest first; at most 1,000. Those of a past token lifetime are gone. */
  async after(n: number): Promise<{ head: number; items: Revocation[] }> {
    const head = this.last;
    if (n >= head) return { head, items: [] };
    const items = await this.entries.find({ where: { n: { $gt: n, $lte: head } }, sort: "n", limit: PAGE });
    return { head, items: items.map(toRevocation) };
  }

  /** Whether a token with these claims is refused by now. */
  refuses(token: Pick<VerifiedToken, "identity" | "revision">): boolean {
    return this.recent.refuses(token);
  }

  /** Forgets a bounded number of old entries. The last one stays whatever its age: it holds the number. */
  async sweep(): Promise<void> {
    const where = { at: { $lt: this.clock.now() - this.keepFor }, n: { $lt: this.last } };
    const old = await this.entries.find({ where, sort: "n", limit: PAGE });
    const newest = old.at(-1);
    if (newest) await this.entries.removeWhere({ n: { $lte: newest.n } });
  }

  private async store(what: { session: string } | { user: string }): Promise<Revocation> {
    const id = newId();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const entry: RevocationEntry = { id, n: this.last + 1, ...what, at: this.clock.now() };
      try {
        await this.entries.insert(entry);
      } catch (error) {
        if (!(error instanceof DuplicateKeyError)) throw error;
        await this.catchUp();
        continue;
      }
      this.learn([entry]);
      return toRevocation(entry);
    }
    throw new RookeryError("UNAVAILABLE");
  }

  /** Learns what is stored but not known here: at the start, and when another process took a number. */
  private async catchUp(): Promise<void> {
    for (;;) {
      const found = await this.entries.find({ where: { n: { $gt: this.last } }, sort: "n", limit: PAGE });
      this.learn(found);
      if (found.length < PAGE) return;
    }
  }

  private learn(entries: RevocationEntry[]): void {
    this.recent.add(entries.map(toRevocation));
    this.last = entries.at(-1)?.n ?? this.last;
  }
}

const toRevocation = ({ n, session, user }: RevocationEntry): Revocation => ({
  n,
  ...(session !== undefined && { session }),
  ...(user !== undefined && { user }),
});
