import { setTimeout as pause } from "node:timers/promises";
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
/** Milliseconds between two tries to write what could not be written, on the average. */
const RETRY = 1_000;

/** A mark that has moved and is not yet known to be in the feed. */
interface Moved {
  seq: number;
  request: AppendRequest;
  waiting: { resolve(): void; reject(error: unknown): void }[];
}

interface Line {
  /** By kind and room: of one room the newest is enough. */
  next: Map<string, Moved>;
  underWay: Map<string, Moved>;
}

/**
 * Tells users of their own marks, so that all their devices know them. Of one user one append is under way; what moves
 * meanwhile waits for the next, where a later mark of a room takes the place of an earlier one. What cannot be written is
 * tried again for as long as this process lives. Marks say "up to": of notes that overtook each other the highest counts.
 */
export class MarkNotes {
  private readonly lines = new Map<string, Line>();
  private closed = false;

  constructor(private readonly append: Append) {}

  /** Throws UNAVAILABLE while too much waits; to be asked before a mark is moved. */
  check(): void {
    if (this.lines.size >= USERS) throw new RookeryError("UNAVAILABLE", "Too much waits.");
  }

  /**
   * A mark has moved. Resolves once this or a later one is in the feed of its user; rejects with UNKNOWN_OUTCOME if that
   * does not succeed at once.
   */
  moved(user: string, kind: MarkKind, roomId: string, seq: number): Promise<void> {
    const line = this.lines.get(user) ?? this.open(user);
    const key = keyOf(kind, roomId);
    const later = [line.next.get(key), line.underWay.get(key)].find(known => known && known.seq >= seq);
    if (later) return joining(later);
    const request: AppendRequest = {
      room: user,
      entry: { op: "user", changeId: newId(), note: { kind, data: { roomId, seq } } },
    };
    const moved: Moved = { seq, request, waiting: line.next.get(key)?.waiting ?? [] };
    line.next.set(key, moved);
    return joining(moved);
  }

  /** The same mark was asked for again. Resolves, or rejects as before, once nothing of it waits. */
  async settled(user: string, kind: MarkKind, roomId: string): Promise<void> {
    const line = this.lines.get(user);
    const moved = line && (line.next.get(keyOf(kind, roomId)) ?? line.underWay.get(keyOf(kind, roomId)));
    if (moved) await joining(moved);
  }

  close(): void {
    this.closed = true;
  }

  private open(user: string): Line {
    const line: Line = { next: new Map(), underWay: new Map() };
    this.lines.set(user, line);
    void this.run(user, line);
    return line;
  }

  private async run(user: string, line: Line): Promise<void> {
    // What moves in the same tick goes along.
    await Promise.resolve();
    while (line.next.size > 0 && !this.closed) {
      line.underWay = line.next;
      line.next = new Map();
      const answers = await this.append(Array.from(line.underWay.values(), ({ request }) => request));
      if (!settle(line, answers)) await pause(RETRY * (0.5 + Math.random()), undefined, { ref: false });
    }
    this.lines.delete(user);
  }
}

/** Answers whoever waits; what was not written goes to the next turn, under its id. Returns whether all was written. */
function settle(line: Line, answers: readonly AppendAnswer[]): boolean {
  const all = [...line.underWay];
  line.underWay = new Map();
  all.forEach(([key, moved], at) => {
    const written = answers[at]?.ok === true;
    for (const { resolve, reject } of moved.waiting.splice(0))
      if (written) resolve();
      else reject(new RookeryError("UNKNOWN_OUTCOME"));
    if (!written && !line.next.has(key)) line.next.set(key, moved);
  });
  return answers.every(({ ok }) => ok);
}

const joining = ({ waiting }: Moved): Promise<void> =>
  new Promise((resolve, reject) => waiting.push({ resolve, reject }));

const keyOf = (kind: MarkKind, roomId: string): string => `${kind} ${roomId}`;

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
