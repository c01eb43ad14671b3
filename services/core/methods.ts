import type { ActionName } from "./contract";

/**
 * What a signed-in client may call by name over a socket (`{"t":"call","method":...}`): the same actions that REST routes
 * lead to, less those that need HTTP (streams), no sign-in, or a secret: those are limited by address.
 */
export const METHODS = [
  "auth.logout",
  "auth.totp",
  "auth.resetTotp",
  "auth.tokens",
  "auth.removeToken",
  "auth.botTokens",
  "auth.roles",
  "auth.setRole",
  "auth.identities",
  "users.me",
  "users.get",
  "users.list",
  "users.updateMe",
  "users.update",
  "users.remove",
  "users.createBot",
  "users.bots",
  "users.removeBot",
  "rooms.list",
  "rooms.create",
  "rooms.get",
  "rooms.update",
  "rooms.remove",
  "rooms.join",
  "rooms.leave",
  "rooms.members",
  "rooms.addMember",
  "rooms.removeMember",
  "rooms.conversations",
  "rooms.converse",
  "messages.send",
  "messages.history",
  "messages.get",
  "messages.edit",
  "messages.remove",
  "messages.react",
  "messages.unreact",
  "messages.pin",
  "messages.unpin",
  "messages.pins",
  "messages.versions",
  "messages.hide",
  "messages.replies",
  "messages.threads",
  "messages.readThread",
  "messages.read",
  "messages.readAll",
  "messages.markUnread",
  "messages.delivered",
  "messages.receipts",
  "messages.unread",
  "messages.overview",
  "messages.open",
  "files.link",
] as const satisfies readonly ActionName[];

export type MethodName = (typeof METHODS)[number];

const names: ReadonlySet<unknown> = new Set(METHODS);

/** Whether `name`, from a client, is one of them. Each is the name of its action. */
export const isMethod = (name: unknown): name is MethodName => names.has(name);

const READS: ReadonlySet<unknown> = new Set<MethodName>([
  "auth.totp",
  "auth.tokens",
  "auth.botTokens",
  "auth.roles",
  "auth.identities",
  "users.bots",
  "users.me",
  "users.get",
  "users.list",
  "rooms.list",
  "rooms.get",
  "rooms.members",
  "rooms.conversations",
  "messages.history",
  "messages.get",
  "messages.pins",
  "messages.versions",
  "messages.replies",
  "messages.threads",
  "messages.receipts",
  "messages.unread",
  "messages.overview",
  "messages.open",
  "files.link",
]);

/** Whether a method changes nothing. */
export const isRead = (name: unknown): boolean => READS.has(name);
