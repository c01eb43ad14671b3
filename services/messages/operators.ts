import type { MessageFacts } from "../core/contract";
import type { Message } from "../core/model";
import type { MessageStore } from "./message.store";

/** Users that are named; the rest are counted. */
const NAMED = 20;

/** What operators may see of a message: everything about it, and of what it says only how long it is. */
export async function inspect(store: MessageStore, id: string): Promise<MessageFacts | null> {
  const [stored] = await store.byIds([id]);
  if (!stored) return null;
  const { room, offset, seq, sender, thread } = stored;
  const { createdAt, clientId, editedAt, deletedAt, text, attachments } = JSON.parse(stored.data) as Message;
  const [marks, readers] = await Promise.all([
    store.marks(room),
    thread === undefined ? null : store.threadMarks(room, thread),
  ]);
  return {
    id,
    room,
    offset,
    seq,
    sender,
    createdAt,
    ...(clientId !== undefined && { clientId }),
    ...(editedAt !== undefined && { editedAt }),
    ...(deletedAt !== undefined && { deletedAt }),
    length: text.length,
    attachments: attachments.length,
    delivered: others(
      sender,
      marks.filter(({ delivered }) => delivered >= seq),
    ),
    read: others(
      sender,
      (readers ?? marks).filter(({ read }) => read >= seq),
    ),
  };
}

function others(sender: string, marks: readonly { user: string }[]): MessageFacts["read"] {
  const users = marks.map(({ user }) => user).filter(user => user !== sender);
  return { count: users.length, users: users.slice(0, NAMED) };
}
