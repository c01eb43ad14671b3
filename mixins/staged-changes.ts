import type { Clock } from "../services/core/clock";
import { hasCode, RookeryError } from "../services/core/errors";
import { newId } from "../services/core/ids";
import { DuplicateKeyError, type Documents, type Where } from "./documents";

/** A change on its way. Whatever it touches keeps its number, and takes no change with the same or a lower one. */
export type Staged<Change> = Change & {
  id: string;
  /** Counts the changes of its document: 1, 2, 3, ... */
  n: number;
  /** When it was asked for, in milliseconds since the epoch. */
  since: number;
};

/** What a document needs so that changes of it can reach beyond it. */
export interface Stage<Change> {
  id: string;
  /** Number of the last change. Every decision raises it, also one without changes. */
  version: number;
  /** Changes decided together and not yet carried out. Nothing new is decided while there are any. */
  pending: Staged<Change>[];
  /** When the oldest pending change was asked for, null without any: how what was left half done is found. */
  pendingSince: number | null;
}

/** What was decided: fields of the document itself, and changes to carry out. */
export interface Verdict<Doc, Change> {
  edit?: Partial<Doc>;
  changes: readonly Change[];
}

/** A stage on which nothing has happened. */
export const emptyStage = <Change>(): Omit<Stage<Change>, "id"> => ({ version: 0, pending: [], pendingSince: null });

/** Times a decision is made anew because another process was faster. */
const ATTEMPTS = 32;
/** Milliseconds a decision may take until it is stored: what comes later would come after the caller has gone. */
const DECIDING = 3_000;
/** Milliseconds after which a pending change counts as left half done. */
const ABANDONED = 1_000;

/**
 * Changes that concern several records, for a store without transactions and any number of processes. A decision is made on
 * a document with nothing pending and stored in it only if it is still the same version: two decisions never rest on the
 * same state. Then it is carried out and cleared, by whoever comes first; each step may be repeated by others, now or much
 * later, since records refuse a number they have seen. So a reader of the version before a decision may also trust the
 * records he reads after it, as long as his own decision is then stored.
 */
export class StagedChanges<Change extends object, Doc extends Stage<Change>> {
  constructor(
    private readonly docs: Documents<Doc>,
    /** Carries out all that is pending in a document, in a way that may be repeated. Gives what the document shall then say. */
    private readonly carryOut: (doc: Doc) => Promise<Partial<Doc>>,
    private readonly clock: Clock,
  ) {}

  /** Stores a new document and carries out what it begins with. Rejects with DuplicateKeyError if there is one like it. */
  async create(doc: Doc, changes: readonly Change[]): Promise<Doc> {
    const stored = await this.docs.insert({ ...doc, ...this.staged(0, changes) });
    return this.carriedOut(stored);
  }

  /** Makes a document on which nothing has happened, unless there is one. */
  async begin(doc: Omit<Doc, Exclude<keyof Stage<Change>, "id">> & { id: string }): Promise<void> {
    if (await this.docs.get(doc.id)) return;
    try {
      await this.docs.insert({ ...doc, ...emptyStage<Change>() } as unknown as Doc);
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
    }
  }

  /** The document with nothing pending. Rejects with NOT_FOUND if there is none. */
  async settled(id: string): Promise<Doc> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const doc = await this.docs.get(id);
      if (!doc) throw new RookeryError("NOT_FOUND");
      if (doc.pending.length === 0) return doc;
      const finished = await this.finish(doc).catch(othersFailed);
      if (finished.pending.length === 0) return finished;
    }
    throw new RookeryError("UNAVAILABLE");
  }

  /**
   * Decides on a settled document and carries the decision out; null leaves everything as it is. `judge` may run again on
   * a newer version; what it reads elsewhere must be read after its document was. Resolves to the document afterwards.
   * Rejects with what `judge` throws, UNAVAILABLE if nothing was stored, UNKNOWN_OUTCOME if it will be carried out later.
   */
  async decide(id: string, judge: (doc: Doc) => Promise<Verdict<Doc, Change> | null>): Promise<Doc> {
    const until = this.clock.monotonic() + DECIDING;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const doc = await this.settled(id);
      const verdict = await judge(doc);
      if (!verdict) return doc;
      if (this.clock.monotonic() > until) break;
      const change = { ...verdict.edit, ...this.staged(doc.version, verdict.changes) };
      let taken = false;
      const stored = await this.docs.update(id, known => {
        taken = known.version === doc.version;
        return taken ? { ...known, ...change } : null;
      });
      if (stored && taken) return this.carriedOut(stored);
    }
    throw new RookeryError("UNAVAILABLE");
  }

  /** Finishes what was left half done; a document that fails is told to `report` and waits. Returns how many were finished. */
  async sweep(limit: number, report: (id: string, error: unknown) => void): Promise<number> {
    const until = this.clock.now() - ABANDONED;
    const where = { pendingSince: { $lt: until } } as Where<Doc>;
    let finished = 0;
    for (const { id } of await this.docs.find({ where, sort: "pendingSince", limit })) {
      try {
        // Read again: what is younger by now is somebody's work under way.
        const doc = await this.docs.get(id);
        if (!doc || doc.pendingSince === null || doc.pendingSince >= until) continue;
        await this.finish(doc);
        finished++;
      } catch (error) {
        report(id, error);
      }
    }
    return finished;
  }

  /** What is stored stands and will be carried out, so no failure from here on may say that it was not done. */
  private async carriedOut(doc: Doc): Promise<Doc> {
    try {
      return await this.finish(doc);
    } catch (error) {
      throw Object.assign(new RookeryError("UNKNOWN_OUTCOME"), { cause: error });
    }
  }

  private async finish(doc: Doc): Promise<Doc> {
    const facts = await this.carryOut(doc);
    const cleared = await this.docs.update(doc.id, known => {
      // Somebody else cleared it; more may have been decided since.
      if (known.version !== doc.version || known.pending.length === 0) return null;
      return { ...known, ...facts, pending: [], pendingSince: null };
    });
    if (!cleared) throw new RookeryError("NOT_FOUND");
    return cleared;
  }

  private staged(version: number, changes: readonly Change[]): Omit<Stage<Change>, "id"> {
    const since = this.clock.now();
    return {
      version: version + Math.max(changes.length, 1),
      pending: changes.map((change, at) => ({ ...change, id: newId(), n: version + at + 1, since })),
      pendingSince: changes.length > 0 ? since : null,
    };
  }
}

/** Whatever became of others' changes, of one's own nothing was done. */
function othersFailed(error: unknown): never {
  if (hasCode(error, "NOT_FOUND")) throw error;
  throw Object.assign(new RookeryError("UNAVAILABLE"), { cause: error });
}
