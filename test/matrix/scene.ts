import { SCOPES } from "../../services/core/scopes";
import { Client, expectStatus, say, unique, type Stage } from "../support/client";

/** Who asks, by what he is to the room or to the installation; the least first. */
export const CALLERS = [
  "nobody",
  "signed out",
  "Guest",
  "bot",
  "banned",
  "removed",
  "stranger",
  "room guest",
  "muted",
  "member",
  "author",
  "room moderator",
  "owner",
  "Moderator",
  "Admin",
] as const;
export type Caller = (typeof CALLERS)[number];
/** Beside those who ask: whom they add, befriend and block. */
export type Cast = Record<Exclude<Caller, "nobody">, Client> &
  Record<"extra" | "friend" | "foe", Client> & { erased: string };

export const KINDS = ["public", "private", "direct"] as const;
export type Kind = (typeof KINDS)[number];

/** What is asked for, as it is before anybody has changed it. */
export interface Place {
  room: string;
  /** The author's: it begins a thread with one reply, is pinned where one may, and shows a file. */
  message: string;
  /** Shown by the message. */
  file: string;
  /** The code of a link into the room. */
  link: () => Promise<string>;
  /** Somebody whom nobody else has to do with. */
  bystander: () => Promise<string>;
}

const NAMES = [
  ...["removed", "stranger", "member", "author", "moderator", "extra", "gone"],
  ...["banned", "guest", "muted", "friend", "foe"],
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
  const { id: erased } = await stage.user("leaver");
  expectStatus(await admin.delete(`/api/users/${erased}?erase=true`), 204);
  return {
    "signed out": named.gone,
    Guest: visitor,
    bot: await program(stage, admin),
    banned: named.banned,
    removed: named.removed,
    stranger: named.stranger,
    "room guest": named.guest,
    muted: named.muted,
    member: named.member,
    author: named.author,
    "room moderator": named.moderator,
    owner,
    Moderator: global,
    Admin: admin,
    extra: named.extra,
    friend: named.friend,
    foe: named.foe,
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
  if (caller === "Admin") return stage.withRoles("twin", ["User", "Admin"]);
  if (caller === "Moderator" || caller === "owner") return stage.withRoles("twin", ["User", "Moderator"]);
  return caller === "bot" ? cast.bot : stage.user("twin");
}

/** A room of this kind with everybody in his place. A direct room is that of its author and the member alone. */
export async function build(stage: Stage, cast: Cast, kind: Kind): Promise<Place> {
  const room =
    kind === "direct" ? await stage.direct(cast.author, cast.member) : await channel(cast, kind === "private");
  const { author } = cast;
  const file = expectStatus(await author.raw("POST", "/api/files?name=a.txt", "text", {}), 201).body.id as string;
  const message = (await say(author, room, "hello", { attachments: [file] })).id as string;
  await say(author, room, "a reply", { threadId: message });
  const invite = async (): Promise<string> =>
    expectStatus(await cast.owner.post(`/api/channels/${room}/invites`, {}), 201).body.code as string;
  let lasting: Promise<string> | undefined;
  return {
    room,
    message,
    file,
    link: () => (lasting ??= invite()),
    bystander: async () => (await stage.user("bystander")).id,
  };
}

async function channel(cast: Cast, isPrivate: boolean): Promise<string> {
  const { owner } = cast;
  const made = await owner.post("/api/channels", { name: unique("room"), isPrivate });
  const room = expectStatus(made, 201).body.id as string;
  const letIn = async (client: Client, role?: string): Promise<void> =>
    void expectStatus(await owner.post(`/api/channels/${room}/members`, { userId: client.id, role }), 201);
  await letIn(cast.removed);
  await letIn(cast.member);
  await letIn(cast.author);
  await letIn(cast.muted);
  await letIn(cast["room guest"], "guest");
  await letIn(cast["room moderator"], "moderator");
  expectStatus(await owner.delete(`/api/channels/${room}/members/${cast.removed.id}`), 204);
  expectStatus(await owner.put(`/api/channels/${room}/bans/${cast.banned.id}`, {}), 204);
  expectStatus(await owner.put(`/api/channels/${room}/mutes/${cast.muted.id}`, {}), 204);
  return room;
}

/** What a caller is in a direct room: whoever is nothing to it is a stranger. */
export const isIn = (kind: Kind, caller: Caller): boolean =>
  kind !== "direct" || !["bot", "banned", "removed", "room guest", "muted", "room moderator", "owner"].includes(caller);
