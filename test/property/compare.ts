import { isDeepStrictEqual } from "node:util";
import type { Message } from "../../services/core/model";
import type { Knowledge } from "./lines/line";
import type { Fetched, Model } from "./model";

/** What a device knows that is not so, or does not know that is. */
export function differences(model: Model, fetched: Fetched, knows: Knowledge): string[] {
  const found = messagesOf(model, fetched);
  if (!knows.everything) return found;
  const members = new Map(fetched.members.map(({ userId, role }) => [userId, role]));
  return [
    ...found,
    ...unlike("members", sorted(model.members), sorted(members)),
    ...unlike("settings", shared(model.room), shared(fetched.room)),
    ...unlike("unread", model.unread, fetched.unread && without(fetched.unread, "roomId")),
    ...countOf(fetched),
  ];
}

/** Two ways to read the same. */
export function disagreement(one: [string, readonly Message[]], other: [string, readonly Message[]]): string[] {
  return unlike(`history by ${one[0]} and by ${other[0]}`, one[1], other[1]);
}

function messagesOf(model: Model, { messages }: Fetched): string[] {
  const known = model.inOrder;
  const ids = new Set(messages.map(({ id }) => id));
  return [
    ...known
      .filter(({ id }) => !ids.has(id))
      .map(one => `message ${one.seq} is not in the history: ${JSON.stringify(one)}`),
    ...messages.flatMap(message => {
      const mine = model.messages.get(message.id);
      if (!mine) return [`message ${message.seq} is not known: ${JSON.stringify(message)}`];
      return unlike(`message ${message.seq}`, plain(mine), plain(message));
    }),
    ...messages.flatMap(({ seq }, at) => (seq === at + 1 ? [] : [`number ${at + 1} of the history is message ${seq}`])),
  ];
}

/** Reactions are compared as what they say: a replay tells them in another order than they came. */
function plain({ reactions = [], ...message }: Message): object {
  const said = reactions.map(({ emoji, count, users }) => ({ emoji, count, users: [...users].sort() }));
  return { ...message, reactions: said.sort((one, other) => one.emoji.localeCompare(other.emoji)) };
}

/** What everybody sees alike, and no event is missing of. */
function shared(room: object | null): object | null {
  return room && without(room, "role", "memberCount", "members");
}

/** What says how many or who are members, said elsewhere too. */
function countOf({ room, members }: Fetched): string[] {
  const ids = members.map(({ userId }) => userId).sort();
  const { memberCount, members: named } = room as { memberCount?: number; members?: string[] };
  return [
    ...(memberCount === undefined ? [] : unlike("memberCount", memberCount, ids.length)),
    ...(named === undefined ? [] : unlike("members of the conversation", [...named].sort(), ids)),
  ];
}

function unlike(what: string, known: unknown, fetched: unknown): string[] {
  if (isDeepStrictEqual(known, fetched)) return [];
  return [`${what}: known ${JSON.stringify(known)}, fetched ${JSON.stringify(fetched)}`];
}

const sorted = (roles: ReadonlyMap<string, string>): [string, string][] => [...roles].sort();

const without = (value: object, ...names: string[]): object =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
