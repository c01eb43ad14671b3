import type { MemberChange, RoomEvent } from "../core/room-bus";

/** Data of a membership entry, as clients see it. */
interface MemberData {
  userId: string;
  change: MemberChange;
  role?: string;
  /** When a ban or a mute ends by itself. */
  until?: string;
  /** Of who comes, and is not heard for now. */
  muted?: true;
}

export const memberData = (
  user: string,
  change: MemberChange,
  { role, until, muted }: Pick<MemberData, "role" | "until" | "muted">,
): MemberData => ({
  userId: user,
  change,
  ...(role !== undefined && { role }),
  ...(until !== undefined && { until }),
  ...(muted && { muted }),
});

/** Whom a stored membership entry concerns. */
export function memberOf(data: string): RoomEvent["member"] {
  const { userId, change, role, muted } = JSON.parse(data) as MemberData;
  return { user: userId, change, ...(role !== undefined && { role }), ...(muted && { muted }) };
}
