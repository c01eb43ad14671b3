import type { Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { Paging } from "../core/contract";
import { invalidField, RookeryError } from "../core/errors";
import type { Limits } from "../core/limits";
import type { Ban, Identity, Page, Sanction } from "../core/model";
import { pageOf, RFC_3339 } from "../core/rules";
import { endOf, FOREVER, isBanned, isMuted, manages, membership } from "./access";
import { mayDecideOn, mayModerate, mayRun, noSuchUser, type Decisions } from "./decisions";
import type { Standings } from "./invites";
import type { Names } from "./member-list";
import { memberId, type Grounds, type RoomChange, type StoredMember } from "./room";

/** What somebody is kept from something with. */
export interface Sentence {
  /** RFC 3339; null: until somebody ends it. */
  until: string | null;
  reason: string | null;
}

/**
 * Bans and mutes: who runs a room decides on its members, an owner also on those who run it with him. Who moderates everywhere
 * mutes members where he reads, since that is about what is said; who is in a room is none of his business.
 */
export class Sanctions {
  constructor(
    private readonly members: Documents<StoredMember>,
    private readonly decisions: Decisions,
    private readonly clock: Clock,
    private readonly limits: Limits,
  ) {}

  /** Ends the membership if there is one, and keeps the user out, whoever he is. Each resolves to whether it changed something. */
  async ban(
    user: Identity,
    id: string,
    userId: string,
    sentence: Sentence,
    { names, standing }: { names: Names; standing: Standings },
  ): Promise<boolean> {
    const until = this.endOf(sentence);
    mayRun(user)(await this.decisions.visible(user, id));
    if (user.id === userId) throw invalidField("userId", "Nobody bans himself.");
    if ((await names([userId])).length === 0) throw noSuchUser();
    if ((await standing(userId))?.includes("channels.manage"))
      throw new RookeryError("FORBIDDEN", "Who runs the installation is not kept out of a room.");
    return this.decisions.decide(user, id, mayRun(user), async seen => {
      const record = await this.members.get(memberId(id, userId));
      const target = membership(record);
      mayDecideOn(user, seen, target);
      if (target) await this.decisions.keepsOwner(target);
      if (isBanned(record, timestamp(this.clock)) && isSame(record?.bannedUntil, record?.ban, until, sentence))
        return null;
      return one({ user: userId, change: "ban", ...told(until, sentence), ...(!target && { untold: true }) });
    });
  }

  async unban(user: Identity, id: string, userId: string): Promise<boolean> {
    return this.decisions.decide(user, id, mayRun(user), async () => {
      const record = await this.members.get(memberId(id, userId));
      return record?.state === "banned" ? one({ user: userId, change: "unban", untold: true }) : null;
    });
  }

  async bans(user: Identity, id: string, paging: Paging, names: Names): Promise<Page<Ban>> {
    mayRun(user)(await this.decisions.told(user, id));
    const { page, pageSize } = pageOf(paging, this.limits);
    const where = { room: id, state: "banned", bannedUntil: { $gt: timestamp(this.clock) } } as const;
    const [found, total] = await Promise.all([
      this.members.find({ where, sort: ["joinedAt", "id"], limit: pageSize, offset: (page - 1) * pageSize }),
      this.members.count({ where }),
    ]);
    const users = new Map((await names(found.map(record => record.user))).map(one => [one.id, one.username]));
    const items = found.map(record => ({
      userId: record.user,
      username: users.get(record.user) ?? "",
      ...sanctionOf(record.bannedUntil, record.ban, record.joinedAt),
    }));
    return { items, page, pageSize, total };
  }

  async mute(user: Identity, id: string, userId: string, sentence: Sentence): Promise<boolean> {
    const until = this.endOf(sentence);
    return this.decisions.decide(user, id, mayModerate(user), async seen => {
      if (user.id === userId) throw invalidField("userId", "Nobody mutes himself.");
      const target = await this.decisions.member(id, userId);
      if (!target) throw new RookeryError("NOT_FOUND", "There is no such member.");
      mayDecideOn(user, seen, target);
      if (isMuted(target, timestamp(this.clock)) && isSame(target.mutedUntil, target.mute, until, sentence))
        return null;
      return one({ user: userId, change: "mute", ...told(until, sentence) });
    });
  }

  async unmute(user: Identity, id: string, userId: string): Promise<boolean> {
    return this.decisions.decide(user, id, mayModerate(user), async seen => {
      const record = await this.members.get(memberId(id, userId));
      if (record?.mutedUntil === undefined) return null;
      mayDecideOn(user, seen, membership(record));
      // Who is muted himself does not end it, whatever he is here.
      if (user.id === userId && !manages(user)) throw new RookeryError("FORBIDDEN");
      return one({ user: userId, change: "unmute", ...(record.state !== "member" && { untold: true }) });
    });
  }

  private endOf({ until }: Sentence): string | undefined {
    if (until === null) return undefined;
    const at = Date.parse(until);
    if (!RFC_3339.test(until) || Number.isNaN(at)) throw invalidField("until", "Give a time as RFC 3339 has it.");
    if (at <= this.clock.now()) throw invalidField("until", "Give a time to come.");
    return new Date(at).toISOString();
  }
}

type MemberChange = Omit<Extract<RoomChange, { type: "member" }>, "type">;

const one = (change: MemberChange): { changes: RoomChange[] } => ({ changes: [{ type: "member", ...change }] });

const told = (until: string | undefined, { reason }: Sentence): Pick<MemberChange, "until" | "reason"> => ({
  ...(until !== undefined && { until }),
  ...(reason && { reason }),
});

const isSame = (
  stands: string | undefined,
  grounds: Grounds | undefined,
  until: string | undefined,
  { reason }: Sentence,
): boolean => (stands ?? FOREVER) === (until ?? FOREVER) && (grounds?.reason ?? "") === (reason ?? "");

/** As those see it who run the room. @param since where it is not known when it was said */
export const sanctionOf = (until: string | undefined, grounds: Grounds | undefined, since: string): Sanction => ({
  by: grounds?.by ?? null,
  at: grounds?.at ?? since,
  ...endOf(until ?? FOREVER),
  ...(grounds?.reason !== undefined && { reason: grounds.reason }),
});
