import { isDeepStrictEqual } from "node:util";
import type { Message } from "../../services/core/model";
import type { Knowledge } from "./lines/line";
import type { Fetched, Model } from "./model";

/** What a device knows that is not so, or does not know that is. @param cut what was said at first may be missing */
export function differences(model: Model, fetched: Fetched, knows: Knowledge, cut = false): string[] {
  const first = cut ? (fetched.messages[0]?.seq ?? 1) : 1;
  const found = [
    ...messagesOf(model, fetched, knows),
    ...withoutHoles(fetched.messages, first, new Set(model.outOfSight.values())),
  ];
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

function messagesOf(model: Model, { messages }: Fetched, { everything }: Knowledge): string[] {
  const { outOfSight } = model;
  // Without notes of its user nobody tells a device what another has taken out of his sight.
  const known = model.inOrder.filter(({ id }) => everything || !outOfSight.has(id));
  const alike = (message: Message): object => plain(message, everything);
  const ids = new Set(messages.map(({ id }) => id));
  return [
    ...known
      .filter(({ id }) => !ids.has(id))
      .map(one => `message ${one.seq} is not in the history: ${JSON.stringify(one)}`),
    ...messages.flatMap(message => {
      const mine = model.messages.get(message.id);
      if (!mine) return [`message ${message.seq} is not known: ${JSON.stringify(message)}`];
      return unlike(`message ${message.seq}`, alike(mine), alike(message));
    }),
  ];
}

/** Messages are numbered one after the other; only those that are out of sight may be missing. */
function withoutHoles(messages: readonly Message[], first: number, hidden: ReadonlySet<number>): string[] {
  let next = first;
  return messages.flatMap(({ seq }, at) => {
    while (next < seq && hidden.has(next)) next += 1;
    const found = seq === next ? [] : [`number ${at + 1} of the history is message ${seq}, not ${next}`];
    next = seq + 1;
    return found;
  });
}

/**
 * Reactions are compared as what they say: a replay tells them in another order than they came. Of pins, where the wire tells
 * of them, by whom: when is not told.
 */
function plain({ reactions = [], pinned, ...message }: Message, pins: boolean): object {
  const said = reactions.map(({ emoji, count, users }) => ({ emoji, count, users: [...users].sort() }));
  return {
    ...message,
    ...(pins && pinned && { pinned: pinned.by }),
    reactions: said.sort((one, other) => one.emoji.localeCompare(other.emoji)),
  };
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

export function unlike(what: string, known: unknown, fetched: unknown): string[] {
  if (isDeepStrictEqual(known, fetched)) return [];
  return [`${what}: known ${JSON.stringify(known)}, fetched ${JSON.stringify(fetched)}`];
}

const sorted = (roles: ReadonlyMap<string, string>): [string, string][] => [...roles].sort();

const without = (value: object, ...names: string[]): object =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
