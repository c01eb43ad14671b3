import type { AppendAnswer, AppendRequest } from "../core/contract";
import { RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import { INTERNAL } from "../core/limits";
import type { UserNote } from "../core/model";
import type { MessageStore } from "./message.store";

/** Takes entries to the writers of their logs: one answer for each, in order; never rejects. */
export type Append = (requests: AppendRequest[]) => Promise<AppendAnswer[]>;

/** What of his own marks a user is told. */
export type MarkNote = Exclude<UserNote, { kind: "member" | "hide" | "friend" | "block" | "preferences" }>;

/** What else is to be done with a note. */
export interface Telling {
  /** Called once it is stored, unless a further one took its place. */
  told?(): void;
  /** Ends what was marked as unread, so that it must stand behind the note which did that. */
  ends?: boolean;
}

/** Users of whom something may wait, and what may wait of one. */
const USERS = 10_000;
const NOTES = 2_000;

/** What is to be told of marks, and who waits for it. */
interface Queued extends Telling {
  note: MarkNote;
  /** On its way to the log. */
  begun: boolean;
  waiting: { resolve(): void; reject(error: unknown): void }[];
}

interface Line {
  /** In the order they came; where one says all that an earlier one does, it takes its place. */
  next: Queued[];
  /** What came last, by what it is about. */
  last: Map<string, Queued>;
}

/**
 * Tells users of their own marks, so that all their devices know them; the store moves the marks as their notes say. Of one
 * user one append is under way; what comes meanwhile waits for the next, where a later mark of a room takes the place of an
 * earlier one. Marks say "up to": of notes that were repeated, or overtook each other, the highest counts.
 */
export class MarkNotes {
  private readonly lines = new Map<string, Line>();
  private closed = false;

  constructor(private readonly append: Append) {}

  /**
   * Resolves once this note, or one that says all it does, is in the feed of its user and the marks are moved; rejects with
   * UNAVAILABLE if it surely is not, else with UNKNOWN_OUTCOME.
   */
  async write(user: string, note: MarkNote, telling: Telling = {}): Promise<void> {
    const line = this.lines.get(user) ?? this.open(user);
    const about = aboutOf(note);
    const before = about === null ? undefined : line.last.get(about);
    if (before && covers(before.note, note) && !(before.begun && telling.ends)) return joining(before);
    if (before && !before.begun && covers(note, before.note)) {
      Object.assign(before, telling, { note });
      return joining(before);
    }
    if (line.next.length >= NOTES) throw new RookeryError("UNAVAILABLE", "Too much waits.");
    const queued: Queued = { ...telling, note, begun: false, waiting: [] };
    line.next.push(queued);
    // Nothing that comes after it may take a place before it.
    if (about === null) line.last.clear();
    else line.last.set(about, queued);
    return joining(queued);
  }

  close(): void {
    this.closed = true;
  }

  private open(user: string): Line {
    if (this.closed || this.lines.size >= USERS) throw new RookeryError("UNAVAILABLE", "Too much waits.");
    const line: Line = { next: [], last: new Map() };
    this.lines.set(user, line);
    void this.run(user, line);
    return line;
  }

  private async run(user: string, line: Line): Promise<void> {
    // What comes in the same tick goes along.
    await Promise.resolve();
    while (line.next.length > 0) {
      const batch = line.next;
      line.next = [];
      for (const queued of batch) queued.begun = true;
      const answers = await this.append(batch.map(({ note }) => requestOf(user, note)));
      batch.forEach((queued, at) => {
        const about = aboutOf(queued.note);
        if (about !== null && line.last.get(about) === queued) line.last.delete(about);
        settle(queued, answers[at]);
      });
    }
    this.lines.delete(user);
  }
}

const requestOf = (room: string, note: MarkNote): AppendRequest => ({
  room,
  entry: { op: "user", changeId: newId(), note },
});

/** Notes that may stand for each other are about the same; null: about much. Reading ends what was marked as unread. */
function aboutOf(note: MarkNote): string | null {
  if (note.kind === "readAll") return null;
  if (note.kind === "thread") return `thread ${note.data.roomId} ${note.data.root}`;
  return `${note.kind === "delivered" ? "delivered" : "read"} ${note.data.roomId}`;
}

/** Whether the first, in the other's place or behind it, says all that the other does. */
function covers(one: MarkNote, other: MarkNote): boolean {
  if (one.kind !== other.kind || one.kind === "readAll" || other.kind === "readAll") return false;
  if (one.kind === "unread") return false;
  const alone = (note: MarkNote): boolean => note.kind === "read" && note.data.private === true;
  return alone(one) === alone(other) && one.data.seq >= other.data.seq;
}

function settle({ waiting, told }: Queued, answer: AppendAnswer | undefined): void {
  if (answer?.ok) told?.();
  for (const { resolve, reject } of waiting)
    if (answer?.ok) resolve();
    else reject(notNoted(answer));
}

/** Why a note is not known to be in its feed: UNAVAILABLE if it surely is not, else UNKNOWN_OUTCOME. */
export const notNoted = (answer: AppendAnswer | undefined): RookeryError =>
  new RookeryError(answer?.ok === false && answer.error.code === "UNAVAILABLE" ? "UNAVAILABLE" : "UNKNOWN_OUTCOME");

const joining = ({ waiting }: Queued): Promise<void> =>
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
