import { timestamp, type Clock } from "../core/clock";
import { archivedRoom, RookeryError } from "../core/errors";
import { digest, isId, newId, newSecret } from "../core/ids";
import type { Channel, Conversation, Identity, Invitation, Invite, InviteRole, NewInvite } from "../core/model";
import { runsRoom, type Permission } from "../core/permissions";
import { accessOf, isBanned, lookOf, membership } from "./access";
import { mayRun, type Decisions, type Sight } from "./decisions";
import type { Names } from "./member-list";
import type { StoredInvite, StoredRoom } from "./room";

/** Links of a room that may be open at once. */
const OPEN = 50;
const HOUR = 3_600_000;

export interface InviteWish {
  expiresInHours: number;
  uses: number | null;
  role: InviteRole;
}

/** What a user may in the whole installation; null: there is none, or he may not come in. */
export type Standings = (user: string) => Promise<readonly Permission[] | null>;

export const isOpen = ({ uses, used, expiresAt }: StoredInvite, now: string): boolean =>
  expiresAt > now && (uses === null || used < uses);

/** The links after one use of one of them. */
export const taken = (invites: readonly StoredInvite[], { id }: StoredInvite): StoredInvite[] =>
  invites.map(one => (one.id === id ? { ...one, used: one.used + 1 } : one));

export const withoutThoseOf = (invites: readonly StoredInvite[], users: ReadonlySet<string>): StoredInvite[] =>
  invites.filter(({ createdBy }) => !users.has(createdBy));

/**
 * Links that let people into a room. They stand in the room's own record: a use is counted by the decision that lets somebody
 * in, so no more come in than a link is for, and none is used up by somebody who does not. A code begins with the id of its
 * room, so that it is found without an index; what guards it is the rest.
 */
export class Invites {
  constructor(
    private readonly decisions: Decisions,
    private readonly clock: Clock,
  ) {}

  async create(user: Identity, id: string, { expiresInHours, uses, role }: InviteWish): Promise<NewInvite> {
    const code = newCode(id);
    const now = this.clock.now();
    const made: StoredInvite = {
      id: newId(),
      digest: digest(code),
      last4: code.slice(-4),
      role,
      uses,
      used: 0,
      createdBy: user.id,
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + expiresInHours * HOUR).toISOString(),
    };
    await this.decisions.decide(user, id, mayInvite(user), async ({ room }) => {
      const open = this.open(room);
      if (open.length >= OPEN) throw new RookeryError("CONFLICT", `A room has at most ${OPEN} open links.`);
      return { edit: { invites: [...open, made] }, changes: [] };
    });
    return { ...shown(made, true), code, url: `/#invite=${code}` };
  }

  /** Also those that do not hold now: they may again, and are closed by who sees them. */
  async list(user: Identity, id: string, standing: Standings): Promise<{ items: Invite[] }> {
    const seen = await this.decisions.told(user, id);
    mayRun(user)(seen);
    const open = this.open(seen.room);
    const makers = [...new Set(open.map(({ createdBy }) => createdBy))];
    const may = await Promise.all(makers.map(maker => this.mayStill(id, maker, standing)));
    const holds = ({ createdBy }: StoredInvite): boolean =>
      !seen.room.archivedAt && may[makers.indexOf(createdBy)] === true;
    return { items: open.map(invite => shown(invite, holds(invite))) };
  }

  /** By its code, or by the id that the list shows. Resolves to the id of the one that ended, null if there was none. */
  async end(user: Identity, id: string, codeOrId: string): Promise<string | null> {
    const key = digest(codeOrId);
    let ended: string | null = null;
    await this.decisions.decide(user, id, mayRun(user), async ({ room }) => {
      const found = this.open(room).find(one => one.id === codeOrId || one.digest === key);
      ended = found?.id ?? null;
      return found ? { edit: { invites: this.open(room).filter(one => one !== found) }, changes: [] } : null;
    });
    return ended;
  }

  /** What a link leads to. NOT_FOUND for one that has ended like for one that never was. */
  async look(user: Identity, code: string, names: Names, standing: Standings): Promise<Invitation> {
    const { room, invite, member } = await this.find(user, code, standing);
    const [maker] = await names([invite.createdBy]);
    const { id, kind, name, topic, isPrivate, memberCount } = room;
    return {
      room: { id, type: kind, name, ...(topic !== null && { topic }), isPrivate, memberCount },
      invitedBy: { id: invite.createdBy, username: maker?.username ?? "" },
      role: invite.role,
      expiresAt: invite.expiresAt,
      member: member !== null,
    };
  }

  /** Lets the user in; who is in already uses nothing up. Resolves to the room, and to the id of the link if it let him in. */
  async accept(
    user: Identity,
    code: string,
    standing: Standings,
  ): Promise<{ room: Channel | Conversation; used: string | null }> {
    const id = roomOf(code);
    const { room, record } = await this.decisions.records(user.id, id);
    const inside = membership(record) !== null;
    const invite = await this.holding(room, code, standing);
    if (!invite && !inside) throw new RookeryError("NOT_FOUND");
    if (invite) await this.decisions.cross(user, id, "join", invite.digest);
    return { room: await this.decisions.get(user, id), used: inside ? null : (invite?.id ?? null) };
  }

  private async find(user: Identity, code: string, standing: Standings): Promise<Sight & { invite: StoredInvite }> {
    const id = roomOf(code);
    const now = timestamp(this.clock);
    const { room, record } = await this.decisions.records(user.id, id);
    const invite = await this.holding(room, code, standing);
    if (!invite || room.deletedAt !== null) throw new RookeryError("NOT_FOUND");
    if (isBanned(record, now))
      throw new RookeryError(accessOf(id, room, record ?? undefined, lookOf(user, now)).denied ?? "NOT_FOUND");
    return { room, invite, member: membership(record) };
  }

  /** The open link of this code, as long as who made it may still make one. */
  private async holding(room: StoredRoom, code: string, standing: Standings): Promise<StoredInvite | null> {
    const key = digest(code);
    const invite = this.open(room).find(one => one.digest === key);
    return invite && (await this.mayStill(room.id, invite.createdBy, standing)) ? invite : null;
  }

  /** Whether who made a link may make one now. */
  private async mayStill(room: string, maker: string, standing: Standings): Promise<boolean> {
    const [member, may] = await Promise.all([this.decisions.member(room, maker), standing(maker)]);
    return may !== null && (runsRoom(member?.role) || may.includes("channels.manage"));
  }

  private open({ invites = [] }: StoredRoom): StoredInvite[] {
    const now = timestamp(this.clock);
    return invites.filter(invite => isOpen(invite, now));
  }
}

const mayInvite =
  (user: Identity) =>
  (seen: Sight): void => {
    mayRun(user)(seen);
    if (seen.room.archivedAt) throw archivedRoom();
  };

const shown = ({ digest: _digest, ...invite }: StoredInvite, active: boolean): Invite => ({ ...invite, active });

/** The room's id and 256 random bits. */
const newCode = (room: string): string =>
  Buffer.from(room.replaceAll("-", ""), "hex").toString("base64url") + newSecret();

/** Characters of a room's id in a code. */
const ROOM = 22;

/** Of which room a code may be. Throws NOT_FOUND for what is none. */
function roomOf(code: string): string {
  const hex = Buffer.from(code.slice(0, ROOM), "base64url").toString("hex");
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  if (!isId(id)) throw new RookeryError("NOT_FOUND");
  return id;
}
