import { timestamp, type Clock } from "../core/clock";
import { invalidField, RookeryError } from "../core/errors";
import type { Channel, Conversation, Identity } from "../core/model";
import { manages } from "./access";
import type { Decisions, Sight } from "./decisions";
import type { Succession } from "./succession";

/** What owners decide about their room as a whole. Each resolves to whether it changed something. */
export class Ownership {
  constructor(
    private readonly decisions: Decisions,
    private readonly clock: Clock,
    private readonly succession: Succession,
  ) {}

  /** The other becomes owner and the caller moderator, in one decision: the room is never without an owner. */
  async transfer(user: Identity, id: string, userId: string): Promise<boolean> {
    if (user.id === userId) throw invalidField("userId", "Name somebody else.");
    const may = ({ member }: Sight): void => {
      if (member?.role !== "owner") throw new RookeryError("FORBIDDEN", "Only an owner passes a room on.");
    };
    may(await this.decisions.visible(user, id));
    const [there] = await this.succession.present([userId]);
    return this.decisions.decide(user, id, may, async () => {
      const target = await this.decisions.member(id, userId);
      if (!target || !there) throw new RookeryError("NOT_FOUND", "There is no such member.");
      const step = { type: "member", user: user.id, change: "role", role: "moderator" } as const;
      return { changes: [...this.succession.rising(target), step] };
    });
  }

  /** An archived room is read and searched, and nobody writes or comes in. */
  async archive(user: Identity, id: string, on: boolean): Promise<{ room: Channel | Conversation; changed: boolean }> {
    const may = ({ room, member }: Sight): void => {
      if (room.kind === "direct" || (member?.role !== "owner" && !manages(user)))
        throw new RookeryError("FORBIDDEN", "An owner decides on that.");
    };
    const changed = await this.decisions.decide(user, id, may, async ({ room }) => {
      if (Boolean(room.archivedAt) === on) return null;
      return { edit: { archivedAt: on ? timestamp(this.clock) : null }, changes: [{ type: "room" }] };
    });
    return { room: await this.decisions.get(user, id), changed };
  }
}
