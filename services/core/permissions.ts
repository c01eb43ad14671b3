/** Roles of the whole installation and what they allow. Rooms have roles of their own (`RoomRole`). */
export const ROLES = ["Guest", "User", "Moderator", "Admin"] as const;
export type Role = (typeof ROLES)[number];

export const PERMISSIONS = [
  "channels.create",
  "channels.manage",
  "messages.moderate",
  "users.manage",
  "users.email",
  /** See, read and join public channels. */
  "channels.join",
  /** Begin direct conversations and groups. */
  "conversations.create",
  /** List, find and see users with whom one shares no room. */
  "users.find",
  "files.upload",
  /** Personal access tokens of one's own. */
  "tokens.create",
  "bots.manage",
  "roles.manage",
  "invitations.create",
  "audit.read",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const USER: readonly Permission[] = [
  "channels.join",
  "conversations.create",
  "users.find",
  "files.upload",
  "tokens.create",
];

/** Guests are in the rooms they were let into and nowhere else. Every other role has all that a user has. */
const GRANTS: Record<Role, readonly Permission[]> = {
  Guest: ["files.upload"],
  User: USER,
  Moderator: [...USER, "channels.create", "messages.moderate", "invitations.create"],
  Admin: PERMISSIONS,
};

/** What these roles allow together, in a stable order. Goes into the `permissions` claim. */
export function permissionsOf(roles: readonly Role[]): Permission[] {
  return PERMISSIONS.filter(permission => roles.some(role => GRANTS[role].includes(permission)));
}

/** A guest of a room posts, reads what was said since he came, and calls nobody. */
export const ROOM_ROLES = ["owner", "moderator", "member", "guest"] as const;
export type RoomRole = (typeof ROOM_ROLES)[number];

/** Owner and moderators run a room: members, deletion of others' messages. */
export const runsRoom = (role: RoomRole | null | undefined): boolean => role === "owner" || role === "moderator";

/** Whether public channels are there for somebody who is no member of them. */
export const browses = (user: { permissions: readonly Permission[] }): boolean =>
  user.permissions.includes("channels.join");

/** Whether also those are there for somebody whom he does not know. */
export const findsAll = (user: { permissions: readonly Permission[] }): boolean =>
  user.permissions.includes("users.find") || user.permissions.includes("users.manage");

/** Whose matter it is what others say in a room: who runs it, and who moderates everywhere. */
export const moderates = (user: { permissions: readonly Permission[] }, role: RoomRole | null | undefined): boolean =>
  runsRoom(role) || user.permissions.includes("messages.moderate");
