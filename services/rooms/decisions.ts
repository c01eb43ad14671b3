import type { Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import { RookeryError } from "../core/errors";
import { isId } from "../core/ids";
import type { Channel, Conversation, Identity } from "../core/model";
import { browses, moderates, runsRoom } from "../core/permissions";
import { accessOf, manages, membership, type Look } from "./access";
import type { RoomChanges, RoomVerdict } from "./changes";
import type { Crossing } from "./crossings";
import {
  decidedBy,
  heldFor,
  memberId,
  peopleOf,
  toChannel,
  toConversation,
  type StoredMember,
  type StoredRoom,
} from "./room";

/** Who looks at a room. */
export type Viewer = Omit<Look, "now"> & { id: string };

/** A room that a user may see, and his membership if any. */
export interface Sight {
  room: StoredRoom;
  member: StoredMember | null;
}

const viewerOf = (user: Identity): Viewer => ({ id: user.id, browses: browses(user), manages: manages(user) });

/** Throws FORBIDDEN unless the user runs the room, or all of them. Nobody runs a direct one. */
export const mayRun =
  (user: Identity) =>
  ({ room, member }: Sight): void => {
    if (room.kind === "direct" || (!runsRoom(member?.role) && !manages(user))) throw new RookeryError("FORBIDDEN");
  };

/** Throws FORBIDDEN unless what is said in the room is the user's matter, see `moderates`. */
export const mayModerate =
  (user: Identity) =>
  ({ room, member }: Sight): void => {
    if (room.kind === "direct" || (!moderates(user, member?.role) && !manages(user)))
      throw new RookeryError("FORBIDDEN");
  };

/** Throws FORBIDDEN where a moderator would decide about those who run the room with him, or own it. */
export function mayDecideOn(user: Identity, { member }: Sight, target: StoredMember | null): void {
  if (runsRoom(target?.role) && member?.role !== "owner" && !manages(user)) throw new RookeryError("FORBIDDEN");
}

export const noSuchUser = (): RookeryError => new RookeryError("NOT_FOUND", "There is no such user.");

/** What all decisions about rooms have in common: who sees a room, and that a decision stands on what is stored. */
export class Decisions {
  constructor(
    private readonly rooms: Documents<StoredRoom>,
    private readonly members: Documents<StoredMember>,
    private readonly changes: RoomChanges,
    private readonly clock: Clock,
  ) {}

  /** The two records about a user and a room. NOT_FOUND: there is no such room, and never was. */
  async records(user: string, id: string): Promise<{ room: StoredRoom; record: StoredMember | null }> {
    if (!isId(id)) throw new RookeryError("NOT_FOUND");
    const [room, record] = await Promise.all([this.rooms.get(id), this.members.get(memberId(id, user))]);
    if (!room) throw new RookeryError("NOT_FOUND");
    return { room, record };
  }

  async member(room: string, user: string): Promise<StoredMember | null> {
    return membership(await this.members.get(memberId(room, user)));
  }

  /** Throws what the user is told if he may not see the room. */
  visible(user: Identity, id: string): Promise<Sight> {
    return this.seen(viewerOf(user), id);
  }

  /**
   * The same with all in the records that the room's log may tell already: who follows the log and then reads who is there
   * would else miss for ever somebody who came between the two.
   */
  told(user: Identity, id: string): Promise<Sight> {
    return this.toldTo(viewerOf(user), id);
  }

  async toldTo(viewer: Viewer, id: string): Promise<Sight> {
    const seen = await this.seen(viewer, id);
    if (seen.room.pending.length === 0) return seen;
    await this.changes.settled(id);
    return this.seen(viewer, id);
  }

  /**
   * Decides on a room that the user may see. `may` throws what he is told if he may not: at once, so that nobody waits for
   * what is refused anyway, and again in his turn. What `judge` is given and reads stands until its verdict is stored.
   * Resolves to whether there was something to do.
   */
  async decide(
    user: Identity,
    id: string,
    may: (sight: Sight) => void,
    judge: (sight: Sight) => Promise<RoomVerdict | null>,
  ): Promise<boolean> {
    may(await this.visible(user, id));
    let changed = false;
    await this.changes.decide(id, async room => {
      const seen = this.sight(viewerOf(user), room, await this.members.get(memberId(id, user.id)));
      may(seen);
      const verdict = await judge(seen);
      changed = verdict !== null;
      return verdict && { ...verdict, changes: decidedBy(user.id, verdict.changes) };
    });
    return changed;
  }

  /** Lets the user come or go by himself; `invite` is the digest of a link's code. */
  async cross(user: Identity, id: string, way: Crossing["way"], invite?: string): Promise<void> {
    if (!isId(id)) throw new RookeryError("NOT_FOUND");
    const by = invite === undefined ? {} : { invite };
    const { id: who, ...look } = viewerOf(user);
    await this.changes.cross(id, { user: who, ...look, way, ...by });
  }

  async get(user: Identity, id: string): Promise<Channel | Conversation> {
    const { room, member } = await this.told(user, id);
    return this.shown(user, room, member);
  }

  async shown(user: Identity, room: StoredRoom, member: StoredMember | null): Promise<Channel | Conversation> {
    const held = heldFor(user, room);
    if (room.kind === "channel") return { ...toChannel(room, member?.role ?? null), ...held };
    return { ...toConversation(room, await peopleOf(this.members, room.id)), ...held };
  }

  /** Throws CONFLICT if the room would be without an owner when this member is none any more. */
  async keepsOwner({ room, user, role }: StoredMember): Promise<void> {
    if (role !== "owner") return;
    const others = { room, role, state: "member", user: { $ne: user } } as const;
    if ((await this.members.count({ where: others })) === 0)
      throw new RookeryError("CONFLICT", "A room keeps at least one owner.");
  }

  private async seen(viewer: Viewer, id: string): Promise<Sight> {
    const { room, record } = await this.records(viewer.id, id);
    return this.sight(viewer, room, record);
  }

  private sight(viewer: Viewer, room: StoredRoom, record: StoredMember | null): Sight {
    const { denied } = accessOf(room.id, room, record ?? undefined, { ...viewer, now: timestamp(this.clock) });
    if (denied) throw new RookeryError(denied);
    return { room, member: membership(record) };
  }
}
