import { amount } from "../backup/words";
import type { People } from "./people";
import type { SourcePerson } from "./source";

/** What became of one room. */
export interface RoomReport {
  /** As it is called there, and here. */
  from: string;
  to: string;
  /** Why it was left out as a whole. */
  leftOut?: string;
  messages: number;
  added: number;
  /** Here from an earlier run. */
  already: number;
  members: number;
  reactions: number;
  /** From the oldest message to the newest. */
  first?: string;
  last?: string;
  old: number;
  /** Items that became no message, and what of messages could not be kept, by reason. */
  skipped: Map<string, number>;
  lost: Map<string, number>;
}

export const emptyReport = (from: string): RoomReport => ({
  from,
  to: from,
  messages: 0,
  added: 0,
  already: 0,
  members: 0,
  reactions: 0,
  old: 0,
  skipped: new Map(),
  lost: new Map(),
});

export const count = (counts: Map<string, number>, what: string, n = 1): void => {
  counts.set(what, (counts.get(what) ?? 0) + n);
};

export interface Outcome {
  rooms: RoomReport[];
  people: People;
  dryRun: boolean;
  /** Whether the installation could be asked who is there. */
  asked: boolean;
  retentionDays: number;
}

/** People named one by one at most. */
const NAMED = 200;

/** What was done, or would be, in lines for people. */
export function linesOf({ rooms, people, dryRun, asked, retentionDays }: Outcome): string[] {
  const total = (of: (room: RoomReport) => number): number => rooms.reduce((sum, room) => sum + of(room), 0);
  const old = total(room => room.old);
  return [
    dryRun ? "dry run: nothing was written" : "",
    ...rooms.map(room => `  ${roomLine(room, dryRun)}`),
    `${amount(
      total(room => room.messages),
      "message",
    )} in ${amount(rooms.filter(room => room.leftOut === undefined).length, "room")}` +
      (dryRun ? "" : `: ${total(room => room.added)} added, ${total(room => room.already)} here before`),
    ...table(
      "not taken over",
      merged(rooms, room => room.skipped),
    ),
    ...table(
      "lost of what was",
      merged(rooms, room => room.lost),
    ),
    ...(retentionDays > 0 && old > 0
      ? [
          `${amount(old, "message")} older than RETENTION_DAYS=${retentionDays}: messages keep their dates, so these may be removed again`,
        ]
      : []),
    ...peopleLines(people, dryRun, asked),
  ].filter(line => line !== "");
}

function roomLine(room: RoomReport, dryRun: boolean): string {
  const name = room.to === room.from ? room.from : `${room.from} as ${room.to}`;
  if (room.leftOut !== undefined) return `${name}: left out, ${room.leftOut}`;
  const span = room.first && room.last ? `, ${room.first.slice(0, 10)} to ${room.last.slice(0, 10)}` : "";
  const what = dryRun ? amount(room.messages, "message") : `${room.added} added, ${room.already} here before`;
  return `${name}: ${what}${span}, ${amount(room.reactions, "reaction")}, ${amount(room.members, "member")}`;
}

function merged(rooms: readonly RoomReport[], of: (room: RoomReport) => Map<string, number>): Map<string, number> {
  const all = new Map<string, number>();
  for (const room of rooms) for (const [what, n] of of(room)) count(all, what, n);
  return all;
}

const table = (title: string, counts: ReadonlyMap<string, number>): string[] =>
  counts.size === 0
    ? []
    : [`${title}:`, ...[...counts].sort((a, b) => b[1] - a[1]).map(([what, n]) => `  ${n} ${what}`)];

function peopleLines(people: People, dryRun: boolean, asked: boolean): string[] {
  const all = people.all();
  const called = ({ username, displayName }: SourcePerson): string =>
    displayName === undefined ? username : `${username} (${displayName})`;
  const matched = all.filter(([, { found }]) => found === "email" || found === "username" || found === "id");
  const made = all.filter(([, { found }]) => found === "made");
  const before = all.filter(([, { found }]) => found === "made before").length;
  const shown = <T>(items: readonly T[], line: (item: T) => string): string[] => [
    ...items.slice(0, NAMED).map(item => `  ${line(item)}`),
    ...(items.length > NAMED ? [`  and ${items.length - NAMED} more`] : []),
  ];
  if (!asked)
    return [`${amount(all.length, "person", "people")}; who of them is here already is seen only by asking a store`];
  return [
    `${amount(matched.length, "person", "people")} of the accounts here:`,
    ...shown(matched, ([person, { username, found }]) => `${called(person)} is ${username}, by ${found}`),
    `${amount(made.length, "account")} ${dryRun ? "to be made" : "made"}, without a password:`,
    ...shown(made, ([person, { username }]) =>
      person.username === username ? username : `${called(person)} as ${username}`,
    ),
    ...(before > 0 ? [`${amount(before, "account")} made by an earlier import`] : []),
  ];
}
