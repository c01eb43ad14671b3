import type { AppendAnswer, AppendRequest } from "../core/contract";
import { publicError, RookeryError, type ErrorCode } from "../core/errors";
import { INTERNAL } from "../core/limits";

type Answered = (answer: AppendAnswer) => void;
export type AppendCall = (entries: AppendRequest[]) => Promise<AppendAnswer[]>;

/** Sends that may be under way from this gateway. */
const PENDING = 10_000;

/**
 * Joins the sends of one tick into one call. Calls leave in the order of the sends, so what one socket sends into one room
 * keeps its order.
 */
export class SendBatcher {
  private waiting: { request: AppendRequest; answered: Answered }[] = [];
  private pending = 0;
  private drained: (() => void)[] = [];

  constructor(private readonly append: AppendCall) {}

  get size(): number {
    return this.pending;
  }

  /** `answered` is called exactly once. */
  add(request: AppendRequest, answered: Answered): void {
    if (this.pending >= PENDING) return answered(refused("UNAVAILABLE"));
    this.pending++;
    if (this.waiting.length === 0) setImmediate(() => this.flush());
    this.waiting.push({ request, answered });
  }

  /** Resolves when nothing is under way. */
  settled(): Promise<void> {
    return this.pending === 0 ? Promise.resolve() : new Promise(resolve => this.drained.push(resolve));
  }

  private flush(): void {
    const all = this.waiting;
    this.waiting = [];
    let batch: typeof all = [];
    let bytes = 0;
    for (const item of all) {
      const size = "text" in item.request.entry ? item.request.entry.text.length : 0;
      if (batch.length === INTERNAL.appendEntries || (batch.length > 0 && bytes + size > INTERNAL.appendBytes)) {
        void this.send(batch);
        batch = [];
        bytes = 0;
      }
      batch.push(item);
      bytes += size;
    }
    if (batch.length > 0) void this.send(batch);
  }

  private async send(batch: readonly { request: AppendRequest; answered: Answered }[]): Promise<void> {
    let answers: AppendAnswer[] = [];
    let failure: ErrorCode = "UNKNOWN_OUTCOME";
    try {
      answers = await this.append(batch.map(({ request }) => request));
    } catch (error) {
      const { code } = publicError(error);
      failure = code === "INTERNAL" ? "UNKNOWN_OUTCOME" : code;
    }
    this.pending -= batch.length;
    batch.forEach(({ answered }, index) => answered(answers[index] ?? refused(failure)));
    if (this.pending === 0) this.drained.splice(0).forEach(resolve => resolve());
  }
}

const refused = (code: ErrorCode): AppendAnswer => ({ ok: false, error: publicError(new RookeryError(code)) });
