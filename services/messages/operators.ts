import type { MessageFacts } from "../core/contract";
import type { Message } from "../core/model";
import type { Marks, MessageStore } from "./message.store";

/** Users that are named; the rest are counted. */
const NAMED = 20;

/** What operators may see of a message: everything about it, and of what it says only how long it is. */
export async function inspect(store: MessageStore, id: string): Promise<MessageFacts | null> {
  const [stored] = await store.byIds([id]);
  if (!stored) return null;
  const { room, offset, seq, sender } = stored;
  const { createdAt, clientId, editedAt, deletedAt, text, attachments } = JSON.parse(stored.data) as Message;
  const others = (await store.marks(room)).filter(({ user }) => user !== sender);
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
    delivered: atOrPast(others, "delivered", seq),
    read: atOrPast(others, "read", seq),
  };
}

function atOrPast(marks: readonly Marks[], which: "read" | "delivered", seq: number): MessageFacts["read"] {
  const users = marks.filter(mark => mark[which] >= seq).map(({ user }) => user);
  return { count: users.length, users: users.slice(0, NAMED) };
}
