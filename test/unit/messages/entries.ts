import { newId } from "../../../services/core/ids";
import type { Entry, MessageChange } from "../../../services/messages/message.store";

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
