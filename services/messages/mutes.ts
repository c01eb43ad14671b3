import type { RoomAccess } from "../core/contract";

/** Until when he only reads, null: until somebody ends it; undefined: he does not. @param now RFC 3339, as in `toISOString` */
export function mutedUntil(access: RoomAccess | undefined, now: string): string | null | undefined {
  const until = access?.mutedUntil;
  return typeof until === "string" && until <= now ? undefined : until;
}
