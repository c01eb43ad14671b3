import type { MemberChange, RoomEvent } from "../core/room-bus";

/** Data of a membership entry, as clients see it. */
interface MemberData {
  userId: string;
  change: MemberChange;
  role?: string;
}

export const memberData = (user: string, change: MemberChange, role?: string): MemberData => ({
  userId: user,
  change,
  ...(role !== undefined && { role }),
});

/** Whom a stored membership entry concerns. */
export function memberOf(data: string): RoomEvent["member"] {
  const { userId, change, role } = JSON.parse(data) as MemberData;
  return { user: userId, change, ...(role !== undefined && { role }) };
}
