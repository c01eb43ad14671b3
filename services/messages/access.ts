import type { Membership, ParamsOf, ReturnsOf, RoomAccess } from "../core/contract";
import { RookeryError } from "../core/errors";

/** The owner of rooms, asked on behalf of one request, as who it is from. */
export interface Rooms {
  /** @param blocks also whether one of a direct room blocks the other */
  access(user: string, room: string, blocks?: boolean): Promise<RoomAccess | undefined>;
  /** Of these rooms of his those in which nothing can be said. */
  blocked(user: string, rooms: string[]): Promise<string[]>;
  memberIds(room: string): Promise<string[]>;
  memberPage: (params: ParamsOf<"rooms.memberPage">) => Promise<ReturnsOf<"rooms.memberPage">>;
  memberships(user: string): Promise<Membership[]>;
  view(user: string, room: string, members: number): Promise<ReturnsOf<"rooms.view">>;
  shown(user: string, rooms: string[]): Promise<ReturnsOf<"rooms.shown">>;
}

/** What the user may read, else the refusal that the owner of the room gives. */
export async function readable(rooms: Rooms, user: string, room: string, blocks?: boolean): Promise<RoomAccess> {
  const access = await rooms.access(user, room, blocks);
  if (!access || access.denied) throw new RookeryError(access?.denied ?? "NOT_FOUND");
  return access;
}
