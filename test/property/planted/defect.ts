import type { Message } from "../../../services/core/model";
import type { Entry } from "../../../services/messages/message.store";
import { everyNth, wrapStore } from "../../planted/seams";

/** Something that the product does wrong, which the comparing must find; it is wrapped around what the product is built of. */
export interface Defect {
  readonly name: string;
  readonly what: string;
  plant(): void;
}

/** How often it goes wrong: not at once, and not always. */
export const RARELY = 3;

/** Every n-th entry that is meant is written otherwise. */
export const otherwise = (isMeant: (entry: Entry) => boolean, change: (entry: Entry) => Entry, n = RARELY): void => {
  const due = everyNth(n);
  wrapStore(store => ({
    append: (room, entries) =>
      store.append(
        room,
        entries.map(entry => (isMeant(entry) && due() ? change(entry) : entry)),
      ),
  }));
};

/** The message that a change leaves, with something of it changed. */
export const leaving = (entry: Entry, change: (message: Message) => Message): Entry =>
  entry.change
    ? { ...entry, change: { ...entry.change, data: JSON.stringify(change(JSON.parse(entry.change.data) as Message)) } }
    : entry;
