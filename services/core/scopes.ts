import type { ActionName } from "./contract";
import { RookeryError } from "./errors";
import type { Identity } from "./model";
import type { Permission } from "./permissions";
import type { ClientFrame } from "./protocol";

/**
 * What tokens of programs are good for, on one page. A person who signed in has no scopes and may do all that he may; a token
 * with scopes does what they name, and what is named nowhere here it cannot do at all: accounts are for people.
 */
export const SCOPES = [
  "messages:read",
  "messages:write",
  "rooms:read",
  "rooms:write",
  "users:read",
  "users:write",
  "files",
  /** What only moderators and administrators may, as far as the token's user may it. */
  "admin",
  /** Ask what another token amounts to. */
  "introspect",
] as const;
/** What a sign-in is good for whose user must set up a second factor first; no token is made with it at anybody's wish. */
export const ENROLMENT = "second-factor";
export type Scope = (typeof SCOPES)[number] | typeof ENROLMENT;

const ENROLLING: ReadonlySet<string> = new Set<ActionName>([
  "users.me",
  "auth.totp",
  "auth.beginTotp",
  "auth.confirmTotp",
  "auth.logout",
]);

const ACTIONS: Partial<Record<ActionName, Scope>> = {
  "users.me": "users:read",
  "users.get": "users:read",
  "users.list": "users:read",
  "users.friends": "users:read",
  "users.friendIds": "users:read",
  "users.requests": "users:read",
  "users.blocks": "users:read",
  "users.preferences": "users:read",
  "users.updateMe": "users:write",
  "users.befriend": "users:write",
  "users.unfriend": "users:write",
  "users.block": "users:write",
  "users.unblock": "users:write",
  "users.updatePreferences": "users:write",
  "users.personal": "admin",
  "users.update": "admin",
  "users.remove": "admin",
  "users.createBot": "admin",
  "users.bots": "admin",
  "users.removeBot": "admin",
  "users.deactivate": "admin",
  "users.activate": "admin",
  "users.erasure": "admin",
  "rooms.list": "rooms:read",
  "rooms.get": "rooms:read",
  "rooms.members": "rooms:read",
  "rooms.conversations": "rooms:read",
  "rooms.create": "rooms:write",
  "rooms.update": "rooms:write",
  "rooms.remove": "rooms:write",
  "rooms.join": "rooms:write",
  "rooms.leave": "rooms:write",
  "rooms.addMember": "rooms:write",
  "rooms.removeMember": "rooms:write",
  "rooms.converse": "rooms:write",
  "rooms.bans": "rooms:read",
  "rooms.invites": "rooms:read",
  "rooms.invitation": "rooms:read",
  "rooms.transfer": "rooms:write",
  "rooms.archive": "rooms:write",
  "rooms.unarchive": "rooms:write",
  "rooms.ban": "rooms:write",
  "rooms.unban": "rooms:write",
  "rooms.mute": "rooms:write",
  "rooms.unmute": "rooms:write",
  "rooms.invite": "rooms:write",
  "rooms.endInvite": "rooms:write",
  "rooms.accept": "rooms:write",
  "rooms.exported": "admin",
  "messages.history": "messages:read",
  "messages.get": "messages:read",
  "messages.pins": "messages:read",
  "messages.versions": "messages:read",
  "messages.replies": "messages:read",
  "messages.threads": "messages:read",
  "messages.receipts": "messages:read",
  "messages.unread": "messages:read",
  "messages.overview": "messages:read",
  "messages.open": "messages:read",
  "messages.send": "messages:write",
  "messages.edit": "messages:write",
  "messages.remove": "messages:write",
  "messages.react": "messages:write",
  "messages.unreact": "messages:write",
  "messages.pin": "messages:write",
  "messages.unpin": "messages:write",
  "messages.hide": "messages:write",
  "messages.readThread": "messages:write",
  "messages.read": "messages:write",
  "messages.readAll": "messages:write",
  "messages.markUnread": "messages:write",
  "messages.delivered": "messages:write",
  "files.save": "files",
  "files.open": "files",
  "files.link": "files",
  "auth.roles": "admin",
  "auth.setRole": "admin",
  "auth.audit": "admin",
  "auth.invite": "admin",
  "auth.invitations": "admin",
  "auth.withdrawInvitation": "admin",
  "auth.introspect": "introspect",
};

/** A socket is there to hear. Null: no more than that; of `call` the action says it. */
const FRAMES: Record<ClientFrame["t"], Scope | null> = {
  hello: null,
  auth: null,
  ping: null,
  sub: null,
  unsub: null,
  history: null,
  call: null,
  send: "messages:write",
  edit: "messages:write",
  delete: "messages:write",
  react: "messages:write",
  read: "messages:write",
  delivered: "messages:write",
  typing: "messages:write",
  watch: "users:read",
};

/** What any socket tells: messages, and the rooms one is in. */
const SOCKET: readonly Scope[] = ["messages:read", "rooms:read"];

/** Which scopes let a token use what its user is permitted: any of them. What may be done with it, the actions say. */
const PERMISSIONS: Record<Permission, readonly Scope[]> = {
  "channels.join": ["rooms:read", "rooms:write", "messages:read"],
  "channels.create": ["rooms:write"],
  "conversations.create": ["rooms:write"],
  "users.find": ["users:read"],
  "files.upload": ["files"],
  "channels.manage": ["admin"],
  "messages.moderate": ["admin"],
  "users.manage": ["admin"],
  "users.email": ["admin"],
  "bots.manage": ["admin"],
  "roles.manage": ["admin"],
  "invitations.create": ["admin"],
  "audit.read": ["admin"],
  "tokens.create": [],
};

type Scoped = Pick<Identity, "scopes"> | undefined;

/** What is left of a user's permissions to a token of his with these scopes. */
export const permissionsWithin = (permissions: readonly Permission[], scopes: readonly Scope[]): Permission[] =>
  permissions.filter(permission => PERMISSIONS[permission].some(scope => scopes.includes(scope)));

/** Throws FORBIDDEN if the caller's token has scopes, and none for this action. */
export function enforceAction(action: string, caller: Scoped): void {
  if (isEnrolling(caller) && ENROLLING.has(action)) return;
  if (caller?.scopes) need(ACTIONS[action as ActionName] ?? null, caller.scopes);
}

/** The same of a frame. */
export function enforceFrame(t: ClientFrame["t"], caller: Scoped): void {
  const scope = FRAMES[t];
  if (caller?.scopes && scope) need(scope, caller.scopes);
}

/** The same of being connected. */
export function enforceSocket(caller: Scoped): void {
  if (caller?.scopes) for (const scope of SOCKET) need(scope, caller.scopes);
}

/** Whether he must set up a second factor before anything else. */
export const isEnrolling = (caller: Scoped): boolean => caller?.scopes?.includes(ENROLMENT) ?? false;

function need(scope: Scope | null, scopes: readonly Scope[]): void {
  if (scopes.includes(ENROLMENT)) {
    const message = "Set up a second factor first.";
    throw new RookeryError("FORBIDDEN", message, { errors: [{ field: "secondFactor", message }] });
  }
  if (scope === null) throw new RookeryError("FORBIDDEN", "No token with scopes may do this: sign in.");
  if (!scopes.includes(scope)) throw new RookeryError("FORBIDDEN", `The token lacks the scope ${scope}.`);
}
