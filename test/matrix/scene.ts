import { SCOPES } from "../../services/core/scopes";
import { Client, expectStatus, say, unique, type Stage } from "../support/client";

/** Who asks, by what he is to the room or to the installation; the least first. */
export const CALLERS = [
  "nobody",
  "signed out",
  "deactivated",
  "Guest",
  "bot",
  "banned",
  "removed",
  "stranger",
  "room guest",
  "newcomer",
  "muted",
  "blocked",
  "member",
  "author",
  "room moderator",
  "owner",
  "Moderator",
  "banned Admin",
  "Admin",
] as const;
export type Caller = (typeof CALLERS)[number];
/** Beside those who ask: whom they add, befriend and block, and who blocks the blocked. */
export type Cast = Record<Exclude<Caller, "nobody">, Client> &
  Record<"extra" | "friend" | "foe" | "blocker" | "sleeper" | "leaving", Client> & { erased: string };

export const KINDS = ["public", "private", "direct"] as const;
export type Kind = (typeof KINDS)[number];

/** What is asked for, as it is before anybody has changed it. */
export interface Place {
  room: string;
  /** The author's: it begins a thread with one reply, is pinned where one may, and shows a file. */
  message: string;
  /** Shown by the message. */
  file: string;
  /** The code of a link into the room, the same each time. */
  link: () => Promise<string>;
  newLink: () => Promise<string>;
}

const NAMES = [
  ...["removed", "stranger", "member", "author", "moderator", "extra", "gone"],
  ...["banned", "guest", "muted", "friend", "foe", "newcomer", "blocked", "blocker"],
  ...["inactive", "risen", "sleeper", "leaving"],
] as const;
type Name = (typeof NAMES)[number];

/** Everybody there is, each with a session of his own. */
export async function gather(stage: Stage): Promise<Cast> {
  const users = await stage.users(...NAMES);
  const named = Object.fromEntries(NAMES.map((name, at) => [name, users[at]])) as Record<Name, Client>;
  const owner = await stage.withRoles("owner", ["User", "Moderator"]);
  const global = await stage.withRoles("global", ["User", "Moderator"]);
  const admin = await stage.withRoles("chief", ["User", "Admin"]);
  const visitor = await stage.withRoles("visitor", ["Guest"]);
  expectStatus(await named.gone.post("/api/auth/logout", {}), 204);
  expectStatus(await admin.post(`/api/users/${named.inactive.id}/deactivate`), 200);
  for (const one of [named.blocker, named.author, owner])
    expectStatus(await one.put(`/api/blocks/${named.blocked.id}`), 204);
  const { id: erased } = await stage.user("leaver");
  expectStatus(await admin.delete(`/api/users/${erased}?erase=true`), 204);
  return {
    "signed out": named.gone,
    deactivated: named.inactive,
    Guest: visitor,
    bot: await program(stage, admin),
    banned: named.banned,
    removed: named.removed,
    stranger: named.stranger,
    "room guest": named.guest,
    newcomer: named.newcomer,
    muted: named.muted,
    blocked: named.blocked,
    member: named.member,
    author: named.author,
    "room moderator": named.moderator,
    owner,
    Moderator: global,
    "banned Admin": named.risen,
    Admin: admin,
    extra: named.extra,
    friend: named.friend,
    foe: named.foe,
    blocker: named.blocker,
    sleeper: named.sleeper,
    leaving: named.leaving,
    erased,
  };
}

/** A bot whose token has every scope that there is. */
async function program(stage: Stage, admin: Client): Promise<Client> {
  const bot = expectStatus(await admin.post("/api/bots", { username: unique("program") }), 201).body;
  const wanted = { name: "for everything", scopes: SCOPES };
  const { token } = expectStatus(await admin.post(`/api/bots/${bot.id}/tokens`, wanted), 201).body;
  return new Client(stage.server, bot, token as string, "", "");
}

/** Somebody new with the same roles, for what ends more than the session it is asked with. */
export async function twin(stage: Stage, caller: Caller, cast: Cast): Promise<Client> {
  if (caller === "Guest") return stage.withRoles("twin", ["Guest"]);
  if (caller === "Admin" || caller === "banned Admin") return stage.withRoles("twin", ["User", "Admin"]);
  if (caller === "Moderator" || caller === "owner") return stage.withRoles("twin", ["User", "Moderator"]);
  return caller === "bot" ? cast.bot : stage.user("twin");
}

/** From now on whoever was banned as a user is Admin. Nobody bans one, so it is for rooms made before. */
export async function rise(stage: Stage, cast: Cast): Promise<void> {
  const banned = cast["banned Admin"];
  expectStatus(await cast.Admin.patch(`/api/users/${banned.id}`, { roles: ["User", "Admin"] }), 200);
  cast["banned Admin"] = await stage.login(banned);
}

/** Those whom a caller names: who is blocked names who blocks him. */
export const seenBy = (cast: Cast, caller: Caller): Cast =>
  caller === "blocked" ? { ...cast, extra: cast.blocker, friend: cast.blocker, foe: cast.blocker } : cast;

/**
 * A room of this kind with everybody in his place. A direct room is that of its author and the member alone; the one for the
 * blocked is his and of somebody who blocks him since the message.
 */
export async function build(stage: Stage, cast: Cast, kind: Kind, caller?: Caller): Promise<Place> {
  const ofBlocked = kind === "direct" && caller === "blocked";
  const author = ofBlocked ? await stage.user("author") : cast.author;
  const room =
    kind === "direct"
      ? await stage.direct(author, ofBlocked ? cast.blocked : cast.member)
      : await channel(cast, kind === "private", caller);
  const file = expectStatus(await author.raw("POST", "/api/files?name=a.txt", "text", {}), 201).body.id as string;
  const message = (await say(author, room, "hello", { attachments: [file] })).id as string;
  await say(author, room, "a reply", { threadId: message });
  if (ofBlocked) expectStatus(await author.put(`/api/blocks/${cast.blocked.id}`), 204);
  if (kind === "private") {
    expectStatus(await cast.owner.patch(`/api/channels/${room}`, { history: "joined" }), 200);
    await letIn(cast.owner, room, cast.newcomer);
  }
  const invite = async (): Promise<string> =>
    expectStatus(await cast.owner.post(`/api/channels/${room}/invites`, {}), 201).body.code as string;
  let lasting: Promise<string> | undefined;
  return { room, message, file, link: () => (lasting ??= invite()), newLink: invite };
}

export async function letIn(by: Client, room: string, { id: userId }: Client, role?: string): Promise<void> {
  expectStatus(await by.post(`/api/channels/${room}/members`, { userId, role }), 201);
}

async function channel(cast: Cast, isPrivate: boolean, caller?: Caller): Promise<string> {
  const { owner } = cast;
  const made = await owner.post("/api/channels", { name: unique("room"), isPrivate });
  const room = expectStatus(made, 201).body.id as string;
  for (const one of [cast.removed, cast.member, cast.author, cast.muted]) await letIn(owner, room, one);
  await letIn(owner, room, cast["room guest"], "guest");
  await letIn(owner, room, cast["room moderator"], "moderator");
  await letIn(cast["room moderator"], room, cast.blocked);
  expectStatus(await owner.delete(`/api/channels/${room}/members/${cast.removed.id}`), 204);
  expectStatus(await owner.put(`/api/channels/${room}/bans/${cast.banned.id}`, {}), 204);
  if (caller === "banned Admin")
    expectStatus(await owner.put(`/api/channels/${room}/bans/${cast["banned Admin"].id}`, {}), 204);
  expectStatus(await owner.put(`/api/channels/${room}/mutes/${cast.muted.id}`, {}), 204);
  return room;
}

const OF_ROOMS: readonly Caller[] = ["bot", "banned", "removed", "room guest", "muted", "room moderator", "owner"];

/** Whether there is anybody like that. What one is in a room makes a difference there alone. */
export function exists(kind: Kind | null, caller: Caller): boolean {
  if (caller === "newcomer") return kind === "private";
  if (caller === "banned Admin") return kind === "public" || kind === "private";
  return kind !== "direct" || !OF_ROOMS.includes(caller);
}

/** Whether what he is there takes a room of his own. */
export const isApart = (kind: Kind, caller: Caller): boolean =>
  caller === "banned Admin" || (kind === "direct" && caller === "blocked");

/** Whether he is a member of a channel as it is built, and as what. */
export function roleIn(caller: Caller): string | null {
  if (caller === "room guest") return "guest";
  if (caller === "room moderator") return "moderator";
  return ["newcomer", "muted", "blocked", "member", "author"].includes(caller) ? "member" : null;
}
