import { newId } from "../../../services/core/ids";
import type { UserNote } from "../../../services/core/model";
import type { Entry, MessageChange, MessageStore } from "../../../services/messages/message.store";
import type { MarkNote } from "../../../services/messages/user-feed";

type Given = Partial<Entry> & Pick<Entry, "offset" | "seq">;

/** A message as a writer would store it. */
export function messageEntry({ offset, seq, sender = "ann", ...more }: Given, text = `text ${offset}`): Entry {
  const id = more.id ?? newId();
  const data = JSON.stringify({ id, text, seq, offset, senderId: sender });
  return { offset, seq, batch: offset, kind: "message", id, sender, clientId: newId(), hash: null, data, ...more };
}

/** What a change of a message stores. `data` is the message from now on. */
export function changeEntry(
  kind: "edit" | "delete" | "reaction" | "pin",
  at: Given,
  change: MessageChange,
  data: string | null = null,
): Entry {
  const { offset } = at;
  return { batch: offset, kind, id: null, sender: "ann", clientId: newId(), hash: null, data, change, ...at };
}

/** Entries 1 to `count`, all of them messages. */
export const messageEntries = (count: number, more: Partial<Entry> = {}): Entry[] =>
  Array.from({ length: count }, (_, n) => messageEntry({ offset: n + 1, seq: n + 1, batch: 1, ...more }));

/** What is stored of a note in the feed of the user it is for. */
export function noteEntry(n: number, note: UserNote): Entry {
  const data = JSON.stringify(note);
  return { offset: n, seq: 0, batch: n, kind: "user", id: null, sender: "rooms", clientId: newId(), hash: null, data };
}

/** Tells a user of his marks, as who moves them does. */
export async function noted(store: MessageStore, user: string, ...notes: UserNote[]): Promise<void> {
  const { offset } = (await store.takeOver(user)).head;
  await store.append(
    user,
    notes.map((note, at) => noteEntry(offset + at + 1, note)),
  );
}

export const readNote = (roomId: string, seq: number): MarkNote => ({ kind: "read", data: { roomId, seq } });
export const readAloneNote = (roomId: string, seq: number): MarkNote => ({
  kind: "read",
  data: { roomId, seq, private: true },
});
export const deliveredNote = (roomId: string, seq: number): MarkNote => ({ kind: "delivered", data: { roomId, seq } });
export const unreadNote = (roomId: string, seq: number, offset: number): MarkNote => ({
  kind: "unread",
  data: { roomId, seq, offset },
});
