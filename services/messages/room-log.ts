import type { AppendAnswer, AppendRequest, UserOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import { INTERNAL, type Limits } from "../core/limits";
import { checkImport, checkOperation } from "./content";
import { isImport } from "./decision.import";
import { failed, textBytes } from "./job";
import { RoomWriter, type WriterDependencies } from "./room-writer";

/** Milliseconds after which the writer of a quiet room is forgotten; its head is read again when needed. */
const IDLE = 60_000;
/** Milliseconds between looks at deadlines, quiet rooms and idle writers. */
const SWEEP = 200;
/** Requests that may wait in all rooms together. */
const WAITING = 20_000;

/** Throws for what no room would take; and for an import in the name of a user, whatever the types say: it comes over a bus. */
function check({ user, entry }: AppendRequest, limits: Limits): void {
  if (!isImport(entry)) return user && checkOperation(entry as UserOperation, limits);
  if (user) throw new RookeryError("FORBIDDEN");
  checkImport(entry, limits);
}

/** All rooms this node writes: one writer each, made when first needed. No room waits for another. */
export class RoomLog {
  private readonly writers = new Map<string, RoomWriter>();
  private readonly timer: NodeJS.Timeout;
  private pending = 0;

  constructor(private readonly with_: WriterDependencies) {
    this.timer = setInterval(() => this.sweep(), SWEEP).unref();
  }

  /** Requests accepted and not yet answered. */
  get waiting(): number {
    return this.pending;
  }

  /** Nothing is being written, waits, or is in doubt. */
  get quiet(): boolean {
    return [...this.writers.values()].every(writer => writer.idle);
  }

  /**
   * One answer for each request, in order; never rejects. Requests for one room take effect in the order given. What is
   * beyond the bounds of one append is surely not stored.
   */
  append(requests: readonly AppendRequest[]): Promise<AppendAnswer[]> {
    let bytes = 0;
    return Promise.all(
      requests.map((request, index) => {
        bytes += textBytes(request);
        const fits = index < INTERNAL.appendEntries && bytes <= INTERNAL.appendBytes;
        return fits ? this.one(request) : failed(new RookeryError("UNAVAILABLE", "Too much at once."));
      }),
    );
  }

  /** Tells the heads of the rooms written lately, after a time in which what was told may have been lost. */
  tellHeads(): void {
    for (const writer of this.writers.values()) writer.tellHeadNow();
  }

  /** What these two are to each other has changed: whether one may still write to the other is asked anew. */
  askAnew(users: readonly string[]): void {
    for (const writer of this.writers.values()) writer.askAnew(users);
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async one(request: AppendRequest): Promise<AppendAnswer> {
    if (!this.reachable) return failed(new RookeryError("UNAVAILABLE"));
    if (this.pending >= WAITING) return failed(new RookeryError("UNAVAILABLE", "Too much waits."));
    this.pending++;
    try {
      check(request, this.with_.limits);
      return await this.writer(request.room).append(request);
    } catch (error) {
      return failed(error);
    } finally {
      this.pending--;
    }
  }

  private get reachable(): boolean {
    return this.with_.reachable?.() ?? true;
  }

  private writer(room: string): RoomWriter {
    let writer = this.writers.get(room);
    if (!writer) this.writers.set(room, (writer = new RoomWriter(room, this.with_)));
    return writer;
  }

  private sweep(): void {
    const now = this.with_.clock.monotonic();
    for (const [room, writer] of this.writers) {
      writer.expire();
      // What was written last must still be told once somebody can be.
      if (!this.reachable) continue;
      writer.tellHead();
      if (writer.idle && now - writer.usedAt > IDLE) this.writers.delete(room);
    }
  }
}
