import type { UserNote } from "../core/model";
import { EVERYBODY, type Entry } from "./message.store";

/** What a user has of a single message. Repeated, late or in another order it comes to the same. */
export type Own =
  /** Part in the thread it began, read up to a seq; `begins`: by this he may have it for the first time. */
  | { of: "thread"; user: string; room: string; root: number; read: number; begins: boolean }
  /** It is out of his sight. */
  | { of: "hidden"; user: string; room: string; seq: number };

/**
 * What an entry gives users: a reply gives part in its thread to who wrote it, who began it and who is named, there or by an
 * edit; a note of a user's feed, of which `room` is the id, does what it tells of.
 */
export function ownOf(room: string, entry: Entry): Own[] {
  const { kind, thread, calls, sender, seq, data, mentions = [] } = entry;
  if (thread)
    return parts(room, thread.root, [thread.starter, ...mentions, ...(thread.named ?? [])], {
      user: sender,
      read: seq,
    });
  if (calls) return parts(room, calls.root, calls.users, { user: sender, read: 0 });
  return kind === "user" && data !== null ? noted(room, JSON.parse(data) as UserNote) : [];
}

function parts(room: string, root: number, users: readonly string[], by: { user: string; read: number }): Own[] {
  const others = new Set(users);
  others.delete(by.user);
  others.delete(EVERYBODY);
  const all = [by, ...[...others].map(user => ({ user, read: 0 }))];
  return all.map(part => ({ of: "thread", ...part, room, root, begins: true }));
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
