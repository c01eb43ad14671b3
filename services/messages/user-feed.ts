import type { AppendAnswer, AppendRequest } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import { INTERNAL } from "../core/limits";
import type { MessageStore } from "./message.store";

/** Takes entries to the writers of their logs: one answer for each, in order; never rejects. */
export type Append = (requests: AppendRequest[]) => Promise<AppendAnswer[]>;

export type MarkKind = "read" | "delivered";

/** Users of whom something may wait. */
const USERS = 10_000;

/** What is to be told of one mark, and who waits for it. */
interface Note {
  seq: number;
  request: AppendRequest;
  waiting: { resolve(): void; reject(error: unknown): void }[];
}

interface Line {
  /** By kind and room: of one room the newest is enough. */
  next: Map<string, Note>;
  underWay: Map<string, Note>;
}

/**
 * Tells users of their own marks, so that all their devices know them. Of one user one append is under way; what comes
 * meanwhile waits for the next, where a later mark of a room takes the place of an earlier one. Marks say "up to": of notes
 * that were repeated, or overtook each other, the highest counts.
 */
export class MarkNotes {
  private readonly lines = new Map<string, Line>();
  private closed = false;

  constructor(private readonly append: Append) {}

  /**
   * To be called before the mark is moved. Resolves once this note or a later one is in the feed of its user; rejects with
   * UNAVAILABLE if it surely is not, else with UNKNOWN_OUTCOME.
   */
  async write(user: string, kind: MarkKind, roomId: string, seq: number): Promise<void> {
    const line = this.lines.get(user) ?? this.open(user);
    const key = `${kind} ${roomId}`;
    const later = [line.next.get(key), line.underWay.get(key)].find(known => known && known.seq >= seq);
    if (later) return joining(later);
    const request: AppendRequest = {
      room: user,
      entry: { op: "user", changeId: newId(), note: { kind, data: { roomId, seq } } },
    };
    const note: Note = { seq, request, waiting: line.next.get(key)?.waiting ?? [] };
    line.next.set(key, note);
    return joining(note);
  }

  close(): void {
    this.closed = true;
  }

  private open(user: string): Line {
    if (this.closed || this.lines.size >= USERS) throw new RookeryError("UNAVAILABLE", "Too much waits.");
    const line: Line = { next: new Map(), underWay: new Map() };
    this.lines.set(user, line);
    void this.run(user, line);
    return line;
  }

  private async run(user: string, line: Line): Promise<void> {
    // What comes in the same tick goes along.
    await Promise.resolve();
    while (line.next.size > 0) {
      line.underWay = line.next;
      line.next = new Map();
      const notes = [...line.underWay.values()];
      const answers = await this.append(notes.map(({ request }) => request));
      line.underWay = new Map();
      notes.forEach((note, at) => settle(note, answers[at]));
    }
    this.lines.delete(user);
  }
}

function settle({ waiting }: Note, answer: AppendAnswer | undefined): void {
  for (const { resolve, reject } of waiting)
    if (answer?.ok) resolve();
    else reject(new RookeryError(answer?.error.code === "UNAVAILABLE" ? "UNAVAILABLE" : "UNKNOWN_OUTCOME"));
}

const joining = ({ waiting }: Note): Promise<void> =>
  new Promise((resolve, reject) => waiting.push({ resolve, reject }));

/** Entries of a feed after which its oldest leave: a commit for each would cost as much as the entries. */
const STEP = 250;

/** Keeps feeds short: what is older than can be replayed is nobody's. Not before the entries are stored and told. */
export class FeedTrimmer {
  constructor(
    private readonly store: Pick<MessageStore, "trim">,
    /** Told of what failed; the next step of the feed makes it good. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** These requests were appended, with these answers. */
  appended(requests: readonly AppendRequest[], answers: readonly AppendAnswer[]): void {
    requests.forEach(({ room, entry }, at) => {
      const answer = answers[at];
      if (entry.op !== "user" || !answer?.ok || answer.offset % STEP !== 0) return;
      const first = answer.offset - INTERNAL.userFeed + 1;
      if (first > 1) this.store.trim(room, first).catch(this.failed);
    });
  }
}
