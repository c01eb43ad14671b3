import type { AppendAnswer, AppendRequest, ImportedMessage } from "../core/contract";
import { publicError, RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import { INTERNAL } from "../core/limits";
import { contentHash } from "./content";
import { ROOMS } from "./decision";
import type { Repeat } from "./message.store";

/** One request on its way through the writer. Answered exactly once. */
export interface Job {
  request: AppendRequest;
  /** Who and under which id: what repeats are told by, and a writer's own entries from another's. */
  key: { sender: string; clientId: string };
  hash: string | null;
  /** Already paid for in the sender's rate. */
  charged: boolean;
  /** In a batch: its outcome may be unknown from here on. */
  started: boolean;
  /** Monotonic milliseconds by which it is answered, whatever the store does. */
  deadline: number;
  answered: boolean;
  answer(answer: AppendAnswer): void;
}

export function newJob(request: AppendRequest, deadline: number, answer: (answer: AppendAnswer) => void): Job {
  const { user, entry } = request;
  const given = givenId(request);
  const sender = entry.op === "import" ? entry.message.sender : "by" in entry ? entry.by : (user?.id ?? ROOMS);
  const key = { sender, clientId: given ?? newId() };
  const content = entry.op === "import" ? importedContent(entry.message) : entry.op === "send" ? entry : null;
  const hash = content && given !== undefined ? contentHash(content) : null;
  return { request, key, hash, charged: false, started: false, deadline, answered: false, answer };
}

/** Replies in threads were imported as answers before there were threads: they are the same messages still. */
const importedContent = ({
  text,
  replyTo,
  threadId,
  metadata,
}: ImportedMessage): Parameters<typeof contentHash>[0] => ({
  text,
  replyTo: replyTo ?? threadId,
  metadata,
});

function givenId({ user, entry }: AppendRequest): string | undefined {
  if ("changeId" in entry) return entry.changeId;
  if (entry.op === "import") return entry.message.clientId;
  return entry.op === "send" && user ? entry.clientId : undefined;
}

/**
 * The next jobs, bounded in number and text, without those that were answered while they waited; a clientId appears once,
 * its repeats wait for the outcome, and behind them all that came later. So does whoever's rights an entry of the batch
 * changes: what he may do is asked again once it is stored.
 */
export function nextBatch(queue: readonly Job[]): { batch: Job[]; rest: Job[] } {
  const batch: Job[] = [];
  const rest: Job[] = [];
  const seen = new Set<string>();
  const changed = new ChangedRights();
  let bytes = 0;
  for (const job of queue) {
    if (job.answered) continue;
    const key = keyText(job.key);
    if (rest.length === 0) bytes += textBytes(job.request);
    const full = batch.length >= INTERNAL.appendEntries || (bytes > INTERNAL.appendBytes && batch.length > 0);
    if (full || rest.length > 0 || seen.has(key) || changed.concern(job.request)) rest.push(job);
    else {
      batch.push(job);
      seen.add(key);
      changed.note(job.request);
    }
  }
  return { batch, rest };
}

/** Whose rights entries end or change. Those that begin with an entry begin after it is answered. */
class ChangedRights {
  private readonly users = new Set<string>();
  private ofAll = false;

  note({ entry }: AppendRequest): void {
    if (entry.op === "room") this.ofAll = true;
    if (entry.op === "member" && entry.change !== "join") this.users.add(entry.user);
  }

  concern({ user }: AppendRequest): boolean {
    return user !== undefined && (this.ofAll || this.users.has(user.id));
  }
}

/** Bytes of a request's text. */
export const textBytes = ({ entry }: AppendRequest): number => {
  if (entry.op === "import") return Buffer.byteLength(entry.message.text);
  return "text" in entry ? Buffer.byteLength(entry.text) : 0;
};

/** Answers a job; once is enough. */
export function settle(job: Job, answer: AppendAnswer): void {
  if (job.answered) return;
  job.answered = true;
  job.answer(answer);
}

export const failed = (error: unknown): AppendAnswer => ({ ok: false, error: publicError(error) });

export const keyText = ({ sender, clientId }: { sender: string; clientId: string }): string => `${sender} ${clientId}`;

export const byKey = (repeats: readonly Repeat[]): Map<string, Repeat> =>
  new Map(repeats.map(repeat => [keyText(repeat), repeat]));

/** Id of the earlier message that a request changes or, if it is a reply, answers. */
export function targetOf({ entry }: AppendRequest): string | undefined {
  if (entry.op === "send") return entry.replyTo;
  if (entry.op === "import") return entry.message.replyTo;
  return "id" in entry ? entry.id : undefined;
}

/** Id of the message that began the thread it is for. */
export function threadOf({ entry }: AppendRequest): string | undefined {
  if (entry.op === "import") return entry.message.threadId;
  return entry.op === "send" ? entry.threadId : undefined;
}

/** Ids that a request names: earlier messages, and of an imported one its own, which may be there already. */
export function messagesOf(request: AppendRequest): string[] {
  const { entry } = request;
  return [entry.op === "import" ? entry.message.id : [], targetOf(request) ?? [], threadOf(request) ?? []].flat();
}

export const pinning = ({ entry }: AppendRequest): boolean =>
  (entry.op === "pin" && entry.on) || entry.op === "importPin";

/** Whether a request reads and changes the reactions of its target. */
export const reacts = ({ entry }: AppendRequest): boolean =>
  entry.op === "react" || entry.op === "importReaction" || entry.op === "eraseReaction";

/** Whether a request takes words away, if it is granted. */
export const deletes = ({ entry }: AppendRequest): boolean =>
  entry.op === "delete" || entry.op === "importDelete" || entry.op === "expire" || entry.op === "erase";

export const filesOf = ({ entry }: AppendRequest): string[] => (entry.op === "send" ? (entry.attachments ?? []) : []);

/** An error of another service as the refusal of one request: not sent on, so surely not done. */
export const asRefusal = (error: unknown): RookeryError => {
  const { code, detail, errors } = publicError(error);
  return new RookeryError(code === "UNKNOWN_OUTCOME" || code === "INTERNAL" ? "UNAVAILABLE" : code, detail, { errors });
};

/** Sends that are not yet paid for, by user. */
export function sendsOf(jobs: readonly Job[]): Map<string, number> {
  const sends = new Map<string, number>();
  for (const { request, charged, answered } of jobs) {
    const { user, entry } = request;
    if (user && entry.op === "send" && !charged && !answered) sends.set(user.id, (sends.get(user.id) ?? 0) + 1);
  }
  return sends;
}
