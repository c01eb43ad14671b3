/** Roles of the whole installation and what they allow. Rooms have roles of their own (`RoomRole`). */
export const ROLES = ["User", "Moderator", "Admin"] as const;
export type Role = (typeof ROLES)[number];

export const PERMISSIONS = [
  "channels.create",
  "channels.manage",
  "messages.moderate",
  "users.manage",
  "users.email",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const GRANTS: Record<Role, readonly Permission[]> = {
  User: [],
  Moderator: ["channels.create", "messages.moderate"],
  Admin: PERMISSIONS,
};

/** What these roles allow together, in a stable order. Goes into the `permissions` claim. */
export function permissionsOf(roles: readonly Role[]): Permission[] {
  return PERMISSIONS.filter(permission => roles.some(role => GRANTS[role].includes(permission)));
}

export const ROOM_ROLES = ["owner", "moderator", "member"] as const;
export type RoomRole = (typeof ROOM_ROLES)[number];

/** Owner and moderators run a room: members, deletion of others' messages. */
export const runsRoom = (role: RoomRole | null | undefined): boolean => role === "owner" || role === "moderator";

/** Whose matter it is what others say in a room: who runs it, and who moderates everywhere. */
export const moderates = (user: { permissions: readonly Permission[] }, role: RoomRole | null | undefined): boolean =>
  runsRoom(role) || user.permissions.includes("messages.moderate");
