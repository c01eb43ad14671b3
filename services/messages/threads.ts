import type { UserNote } from "../core/model";
import { EVERYBODY, type Entry } from "./message.store";

/** What a user has of a single message. Repeated, late or in another order it comes to the same. */
export type Own =
  /** Part in the thread it began, read up to a seq; `begins`: by this he may have it for the first time. */
  | { of: "thread"; user: string; room: string; root: number; read: number; begins: boolean }
  /** It is out of his sight. */
  | { of: "hidden"; user: string; room: string; seq: number };

/**
 * What an entry gives users: a reply gives part in its thread to who wrote it, who began it and who is named; a note of a
 * user's feed, of which `room` is the id, does what it tells of.
 */
export function ownOf(room: string, { kind, thread, sender, seq, data, mentions = [] }: Entry): Own[] {
  if (thread) {
    const { root, starter, named = [] } = thread;
    const others = new Set([starter, ...mentions, ...named]);
    others.delete(sender);
    others.delete(EVERYBODY);
    const part = (user: string, read: number): Own => ({ of: "thread", user, room, root, read, begins: true });
    return [part(sender, seq), ...[...others].map(user => part(user, 0))];
  }
  return kind === "user" && data !== null ? noted(room, JSON.parse(data) as UserNote) : [];
}

function noted(user: string, { kind, data }: UserNote): Own[] {
  switch (kind) {
    case "thread":
      return [{ of: "thread", user, room: data.roomId, root: data.root, read: data.seq, begins: false }];
    case "hide":
      return [{ of: "hidden", user, room: data.roomId, seq: data.seq }];
    default:
      return [];
  }
}
