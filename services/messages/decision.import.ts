import type { AppendRequest, ImportedMessage, ImportOperation } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Message, MessageVersion } from "../core/model";
import {
  blank,
  changed,
  continued,
  deleted,
  pinnedBy,
  reacted,
  ROOMS,
  type Decision,
  type Situation,
} from "./decision";
import type { StoredMessage } from "./message.store";

const IMPORTS: ReadonlySet<string> = new Set<ImportOperation["op"]>([
  "import",
  "importDelete",
  "importReaction",
  "importVersion",
  "importPin",
]);

export const isImport = (entry: AppendRequest["entry"]): entry is ImportOperation => IMPORTS.has(entry.op);

/** Decides about what an operator's import writes: nobody's rights are asked, and no rule of the room. Throws RookeryError. */
export function decideImport(room: string, operation: ImportOperation, at: Situation): Decision {
  if (operation.op === "import") return imported(at, room, operation.message);
  const target = there(at);
  switch (operation.op) {
    case "importDelete":
      return target.deleted ? { unchanged: target } : deleted(at, target, operation.by, operation.at);
    case "importReaction":
      return reacted(at, target, operation.by, operation.emoji, true);
    case "importVersion": {
      if (target.deleted) return { unchanged: target };
      const version = JSON.stringify({ text: operation.text, at: operation.at } satisfies MessageVersion);
      return changed(at, "edit", { id: ROOMS }, JSON.parse(target.data) as Message, { version });
    }
    case "importPin":
      return target.deleted ? { unchanged: target } : pinnedBy(at, target, operation.by, true, operation.at);
  }
}

/** Told apart by its id, whoever it is attributed to now: an account may have been matched otherwise before. */
function imported(at: Situation, room: string, wanted: ImportedMessage): Decision {
  const { existing } = at;
  if (existing && existing.hash !== at.hash) throw new RookeryError("CONFLICT", "It is here with another content.");
  if (existing) return { unchanged: existing };
  const { id, sender, clientId, text, createdAt, editedAt, mentions = [], mentionsAll, metadata } = wanted;
  const seq = at.seq + 1;
  const root = threadRoot(at);
  const message: Message = {
    id,
    channelId: room,
    senderId: sender,
    text,
    attachments: [],
    createdAt,
    seq,
    offset: at.offset,
    clientId,
    ...(editedAt !== undefined && { editedAt }),
    ...(at.target && { replyTo: at.target.id }),
    ...(root && { threadId: root.id }),
    ...(mentions.length > 0 && { mentions }),
    ...(mentionsAll && { mentionsAll }),
    ...(metadata && Object.keys(metadata).length > 0 && { metadata }),
  };
  return {
    entry: {
      ...{ ...blank(at, "message"), seq, id, sender, hash: at.hash, data: JSON.stringify(message) },
      ...(root && {
        thread: { root: root.seq, starter: root.senderId, ...(mentions.length > 0 && { named: mentions }) },
        change: continued(root, message),
      }),
    },
  };
}

/** What begins a thread is in none itself: whatever names another message is no reply in a thread. */
function threadRoot({ root }: Situation): Message | undefined {
  const message = root && (JSON.parse(root.data) as Message);
  return message?.threadId === undefined ? message : undefined;
}

/** The message that an import changes. */
function there(at: Situation): StoredMessage {
  if (!at.target) throw new RookeryError("NOT_FOUND");
  return at.target;
}
