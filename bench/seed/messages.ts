import { newId } from "../../services/core/ids";
import type { Entry, MessageStore } from "../../services/messages/message.store";
import type { StoredUser } from "../../services/users/user";
import type { GroundRooms } from "../load/crowd";
import type { Progress } from "./progress";

/** Entries of one append, and rooms that are filled at a time: together less than a store takes at once. */
const BATCH = 250;
const AT_ONCE = 8;
/** Messages of one after the other by the same person: a store moves his marks once for all of them. */
const BURST = 25;

const WORDS = "what people write to each other is short and seldom longer than two lines of a page like this one";

/** Spreads messages over rooms evenly; every room's are by its own members in turn. */
export async function fill(
  store: MessageStore,
  { rooms, each }: GroundRooms,
  users: readonly StoredUser[],
  messages: number,
  progress: Progress,
): Promise<void> {
  progress.begin("messages", messages);
  const sendersOf = (index: number): string[] => {
    const members = users.filter(
      (_, at) => (index - ((at * each) % rooms.length) + rooms.length) % rooms.length < each,
    );
    return (members.length > 0 ? members : users).slice(0, BATCH).map(({ id }) => id);
  };
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < rooms.length; index = next++) {
      const count = Math.floor(messages / rooms.length) + (index < messages % rooms.length ? 1 : 0);
      const filling = { senders: sendersOf(index), messages: count, stored: (more: number) => progress.add(more) };
      if (count > 0) await fillRoom(store, rooms[index] as string, filling);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  progress.end();
}

/** What a room is filled with. */
export interface Filling {
  senders: readonly string[];
  messages: number;
  /** When the message of a seq was made; now unless given. */
  at?: (seq: number) => Date;
  /** Told of how many more are stored. */
  stored?: (messages: number) => void;
}

/** Adds messages to a room that nobody else writes into. */
export async function fillRoom(
  store: MessageStore,
  room: string,
  { senders, messages, at = () => new Date(), stored: tell }: Filling,
): Promise<void> {
  const { head } = await store.takeOver(room);
  for (let done = 0; done < messages; done += BATCH) {
    const batch = head.offset + done + 1;
    const entries = Array.from({ length: Math.min(BATCH, messages - done) }, (_, index): Entry => {
      const [offset, seq] = [batch + index, head.seq + done + index + 1];
      const [id, sender] = [newId(), senders[Math.floor((done + index) / BURST) % senders.length] as string];
      const data = {
        ...{ id, channelId: room, senderId: sender, text: `${seq}: ${WORDS}`, attachments: [] },
        ...{ createdAt: at(seq).toISOString(), seq, offset, clientId: id },
      };
      const entry = { offset, seq, kind: "message", id, sender, clientId: id, hash: null, batch } as const;
      return { ...entry, data: JSON.stringify(data) };
    });
    const { stored } = await store.append(room, entries);
    if (stored !== entries.length)
      throw new Error(`${stored} of ${entries.length} messages stored: somebody else writes`);
    tell?.(stored);
  }
}
