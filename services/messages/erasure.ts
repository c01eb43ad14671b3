import type { AppendAnswer, AppendRequest, ReturnsOf } from "../core/contract";
import { hasCode, RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { Message } from "../core/model";
import type { MessageStore } from "./message.store";

/** Entries of a user that one step looks at. */
const STEP = 100;

/**
 * Takes out of a room what somebody has said and how he reacted, as entries of its log: readers and other nodes learn of it as
 * of any deletion, and a hold keeps what it keeps of any. Each step may be repeated.
 */
export class Erasure {
  constructor(
    private readonly store: Pick<MessageStore, "ownEntries" | "forget" | "heads" | "trim">,
    /** By the writer of the room. */
    private readonly append: (requests: AppendRequest[]) => Promise<AppendAnswer[]>,
  ) {}

  /** The next of his entries, behind one of them; `next` null: those were the last. */
  async step(room: string, user: string, after: string): Promise<ReturnsOf<"messages.erase">> {
    const { entries, next } = await this.store.ownEntries(room, user, after, STEP);
    const requests = entries.flatMap(({ kind, data }): AppendRequest[] => {
      if (kind !== "message") return [{ room, entry: reactionOf(user, data) }];
      const { id, deletedAt } = JSON.parse(data) as Message;
      return deletedAt === undefined ? [{ room, entry: { op: "erase", changeId: `erase-${id}`, id } }] : [];
    });
    const answers = requests.length === 0 ? [] : await this.append(requests);
    for (const answer of answers) if (!answer.ok && !isGone(answer)) throw refusal(answer);
    const erased = requests.filter(({ entry }, at) => entry.op === "erase" && answers[at]?.ok).length;
    return { erased, next };
  }

  /** What only he saw of the room: how far he has read, what he has hidden. Of his own feed, all but its last number. */
  async forget(room: string, user: string): Promise<void> {
    await this.store.forget(room, user);
    if (room !== user) return;
    const head = (await this.store.heads([room])).get(room);
    if (head && head.offset > 0) await this.store.trim(room, head.offset);
  }
}

function reactionOf(by: string, data: string) {
  const { messageId: id, emoji } = JSON.parse(data) as { messageId: string; emoji: string };
  return { op: "eraseReaction", changeId: newId(), id, by, emoji } as const;
}

type Refusal = Extract<AppendAnswer, { ok: false }>;

/** The message has been deleted, or has left the log, since it was listed. */
const isGone = ({ error }: Refusal): boolean =>
  hasCode({ type: error.code }, "CONFLICT") || hasCode({ type: error.code }, "NOT_FOUND");

const refusal = ({ error }: Refusal): RookeryError => new RookeryError(error.code, error.detail);
