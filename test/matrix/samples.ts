import { METHODS, type MethodName } from "../../services/core/methods";
import { unique } from "../support/client";
import type { Cast, Kind, Place } from "./scene";

export interface Sample {
  method: MethodName;
  /** In which rooms; none: it is about no room. */
  kinds: readonly Kind[];
  /** Said beside the method's name where it has several. */
  note?: string;
  params(place: Place, cast: Cast): Record<string, unknown> | Promise<Record<string, unknown>>;
  /** The caller asks by a session that is new: what he asks for ends it. */
  ends?: true;
  /** Once it was done, others would be answered differently. */
  spends?: true;
  /** It changes nothing that any other request depends on: what it is asked of serves others as well. */
  keeps?: true;
}

const ALL: readonly Kind[] = ["public", "private", "direct"];
const CHANNELS: readonly Kind[] = ["public", "private"];
const NONE: readonly Kind[] = [];

type Params = Sample["params"];
const room: Params = ({ room: id }) => ({ id });
const message: Params = ({ message: id }) => ({ id });
const nothing: Params = () => ({});
const of = (method: MethodName, kinds: readonly Kind[], params: Params, more: Partial<Sample> = {}): Sample => ({
  method,
  kinds,
  params,
  ...more,
});

/** A request of every method that everybody who may would get what he asks for. */
export const SAMPLES: readonly Sample[] = [
  of("auth.logout", NONE, nothing, { ends: true }),
  of("auth.audit", NONE, () => ({ limit: 1 })),
  of("users.me", NONE, nothing),
  of("users.get", NONE, (_, { extra }) => ({ id: extra.id })),
  of("users.list", NONE, () => ({ search: "extra" })),
  of("users.updateMe", NONE, () => ({ displayName: "Somebody" })),
  of("users.update", NONE, (_, { extra }) => ({ id: extra.id, displayName: "Else" })),
  of("users.remove", NONE, async ({ bystander }) => ({ id: await bystander() })),

  of("users.friends", NONE, nothing),
  of("users.friendIds", NONE, nothing),
  of("users.requests", NONE, nothing),
  of("users.befriend", NONE, (_, { friend }) => ({ userId: friend.id })),
  of("users.unfriend", NONE, (_, { friend }) => ({ userId: friend.id })),
  of("users.blocks", NONE, nothing),
  of("users.block", NONE, (_, { foe }) => ({ userId: foe.id })),
  of("users.unblock", NONE, (_, { foe }) => ({ userId: foe.id })),
  of("users.preferences", NONE, nothing),
  of("users.updatePreferences", NONE, () => ({ language: "en" })),

  of("rooms.list", NONE, nothing),
  of("rooms.create", NONE, () => ({ name: unique("made") })),
  of("rooms.get", ALL, room),
  of("rooms.update", ALL, ({ room: id }) => ({ id, name: unique("named") }), { note: "name", keeps: true }),
  of("rooms.update", CHANNELS, ({ room: id }) => ({ id, retentionDays: 30 }), { note: "retentionDays", keeps: true }),
  of("rooms.update", CHANNELS, ({ room: id }) => ({ id, legalHold: false }), { note: "legalHold", keeps: true }),
  of("rooms.remove", ALL, room, { spends: true }),
  of("rooms.join", ALL, room),
  of("rooms.leave", ALL, room, { spends: true }),
  of("rooms.members", ALL, room),
  of("rooms.addMember", ALL, ({ room: id }, { extra }) => ({ id, userId: extra.id })),
  of("rooms.addMember", CHANNELS, ({ room: id }, { member }) => ({ id, userId: member.id, role: "moderator" }), {
    note: "role",
  }),
  of("rooms.removeMember", CHANNELS, ({ room: id }, { member }) => ({ id, userId: member.id }), {
    note: "a member",
    spends: true,
  }),
  of("rooms.removeMember", CHANNELS, ({ room: id }, { owner }) => ({ id, userId: owner.id }), {
    note: "the owner",
    spends: true,
  }),
  of("rooms.transfer", ALL, ({ room: id }, { member }) => ({ id, userId: member.id }), { spends: true }),
  of("rooms.archive", ALL, room, { spends: true }),
  of("rooms.unarchive", ALL, room),
  of("rooms.ban", ALL, ({ room: id }, { member }) => ({ id, userId: member.id }), { spends: true }),
  of("rooms.unban", ALL, ({ room: id }, { banned }) => ({ id, userId: banned.id })),
  of("rooms.bans", ALL, room),
  of("rooms.mute", ALL, ({ room: id }, { member }) => ({ id, userId: member.id }), { spends: true }),
  of("rooms.unmute", ALL, ({ room: id }, { muted }) => ({ id, userId: muted.id }), { spends: true }),
  of("rooms.invite", ALL, room),
  of("rooms.invites", ALL, room),
  of("rooms.endInvite", CHANNELS, async ({ room: id, link }) => ({ id, code: await link() }), { spends: true }),
  of("rooms.invitation", CHANNELS, async ({ link }) => ({ code: await link() }), { note: "by a link" }),
  of("rooms.accept", CHANNELS, async ({ link }) => ({ code: await link() }), {
    note: "by a link",
    spends: true,
  }),
  of("rooms.conversations", NONE, nothing),
  of("rooms.converse", NONE, (_, { extra }) => ({ type: "group", members: [extra.id], name: "some" })),

  of("messages.send", ALL, ({ room: id }) => ({ id, text: "hello" }), { keeps: true }),
  of("messages.history", ALL, ({ room: id }) => ({ id, limit: 5 })),
  of("messages.get", ALL, message),
  of("messages.edit", ALL, ({ message: id }) => ({ id, text: "changed" }), { keeps: true }),
  of("messages.remove", ALL, message),
  of("messages.react", ALL, ({ message: id }) => ({ id, emoji: "👍" }), { keeps: true }),
  of("messages.unreact", ALL, ({ message: id }) => ({ id, emoji: "👍" }), { keeps: true }),
  of("messages.pin", ALL, message, { keeps: true }),
  of("messages.unpin", ALL, message, { keeps: true }),
  of("messages.pins", ALL, room),
  of("messages.versions", ALL, message),
  of("messages.hide", ALL, message),
  of("messages.replies", ALL, message),
  of("messages.threads", ALL, room),
  of("messages.readThread", ALL, ({ message: id }) => ({ id, seq: 1 }), { keeps: true }),
  of("messages.read", ALL, ({ room: id }) => ({ id, seq: 1 }), { keeps: true }),
  of("messages.markUnread", ALL, ({ room: id }) => ({ id, seq: 1 }), { keeps: true }),
  of("messages.delivered", ALL, ({ room: id }) => ({ id, seq: 1 }), { keeps: true }),
  of("messages.receipts", ALL, message),
  of("messages.open", ALL, room),
  of("messages.readAll", NONE, nothing),
  of("messages.unread", NONE, nothing),
  of("messages.overview", NONE, nothing),

  of("files.link", ALL, ({ file: id }) => ({ id })),
];

/** Methods that nobody would ask for. */
export const missing = (): MethodName[] => METHODS.filter(name => !SAMPLES.some(({ method }) => method === name));
