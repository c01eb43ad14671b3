import { timestamp, type Clock } from "../core/clock";
import type { AppendAnswer } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { Message } from "../core/model";
import type { RoomHead } from "../core/room-bus";
import { decide } from "./decision";
import { decideImport, isImport } from "./decision.import";
import { deletes, settle, targetOf, threadOf, type Job } from "./job";
import type { Entry, StoredMessage } from "./message.store";
import { applyChange, applyImport, known, mentionedBy, OPEN, type Loaded } from "./surroundings";

/** A job and the entry it becomes, if the log is still where it was read. */
export interface Planned {
  job: Job;
  entry: Entry;
  /** Files that the message showed which the entry deletes. */
  freed?: readonly string[];
}

export interface Refused {
  job: Job;
  error: unknown;
}

/** A job that changes nothing once those before it are stored. */
export interface Held {
  job: Job;
  answer: AppendAnswer;
}

export interface PlanDependencies {
  clock: Clock;
  limits: Limits;
  /** Milliseconds until the user may send again, 0 if now. */
  throttle(user: string): number;
}

/**
 * Decides in order, each job at the offset it would get and in the state the ones before it leave. Jobs that change nothing
 * are answered at once, but for those that find what they ask for in an entry that is yet to be stored.
 */
export function plan(
  jobs: readonly Job[],
  head: RoomHead,
  loaded: Loaded,
  { clock, limits, throttle }: PlanDependencies,
): { planned: Planned[]; refused: Refused[]; held: Held[] } {
  const planned: Planned[] = [];
  const refused: Refused[] = [];
  const held: Held[] = [];
  const changed = new Set<StoredMessage>();
  const now = timestamp(clock);
  let { offset, seq } = head;
  for (const job of jobs) {
    // Told to be surely not stored while we waited for what we asked: so it must not be.
    if (job.answered) continue;
    const { request } = job;
    const target = loaded.targets.get(targetOf(request) ?? "");
    const root = loaded.targets.get(threadOf(request) ?? "");
    try {
      const access = request.user && known(loaded.access.get(request.user.id));
      const situation = {
        offset: offset + 1,
        seq,
        batch: head.offset + 1,
        clientId: job.key.clientId,
        now,
        access,
        rules: request.user ? known(loaded.rules) : OPEN,
        target,
        root,
        existing: request.entry.op === "import" ? loaded.targets.get(request.entry.message.id) : undefined,
        reactions: (target && loaded.reactions.get(target.offset)) ?? [],
        mentions: mentionedBy(job, loaded),
        attachments: known(loaded.files.get(job)) ?? [],
        hash: job.hash,
        waits: job.charged ? 0 : waitOf(request, loaded),
        pins: loaded.pins,
        maxEmoji: limits.emoji,
        maxPins: limits.pins,
        hold: deletes(request) && known(loaded.hold),
      };
      const { room, user, entry: asked } = request;
      const decision = isImport(asked)
        ? decideImport(room, asked, situation)
        : decide({ room, user, entry: asked }, situation);
      if ("unchanged" in decision) {
        const { offset: at, seq: number, data } = decision.unchanged;
        const repeat = request.entry.op === "import" && { duplicate: true as const };
        const answer: AppendAnswer = { ok: true, offset: at, seq: number, data, ...repeat };
        if (changed.has(decision.unchanged)) held.push({ job, answer });
        else settle(job, answer);
        continue;
      }
      charge(job, loaded, throttle);
      const { entry } = decision;
      const changing = root ?? target;
      planned.push({ job, entry, ...(entry.change?.deleted && changing && { freed: filesShownBy(changing) }) });
      ({ offset, seq } = entry);
      applyChange(entry, changing, loaded);
      if (request.entry.op === "import") applyImport(request.room, entry, loaded);
      if (changing && entry.change) changed.add(changing);
    } catch (error) {
      refused.push({ job, error });
    }
  }
  return { planned, refused, held };
}

const waitOf = ({ user, entry }: Job["request"], { rules, slow }: Loaded): number =>
  user && entry.op === "send" && !(rules instanceof RookeryError) ? slow.wait(user.id, rules.slowMode) : 0;

const filesShownBy = ({ data }: StoredMessage): string[] =>
  (JSON.parse(data) as Message).attachments.map(({ id }) => id);

/** Once a job, however often it is planned anew. */
function charge(job: Job, { slow }: Loaded, throttle: PlanDependencies["throttle"]): void {
  const { user, entry } = job.request;
  if (job.charged || !user || entry.op !== "send") return;
  const retryAfterMs = throttle(user.id);
  if (retryAfterMs > 0) throw new RookeryError("RATE_LIMITED", "You send too fast.", { retryAfterMs });
  job.charged = true;
  slow.took(user.id);
}
