import type { CollectionSpec, Documents, Where } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { MadeInvitation, ShownInvitation, UserRecord } from "../core/contract";
import { RookeryError } from "../core/errors";
import { digest, isId, newId } from "../core/ids";
import type { Identity } from "../core/model";
import type { Role } from "../core/permissions";
import { parseToken, tokenOf, type LinkSecrets } from "./links";
import type { RoleTable } from "./role-table";

/** Lets so many people register. */
export interface Invitation {
  id: string;
  digest: string;
  /** It is for who registers with this address alone. */
  email?: string;
  /** What they are made; none: users. */
  roles?: Role[];
  uses: number;
  /** Users who have taken a place. */
  taken: string[];
  createdBy: string;
  createdAt: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export const INVITATIONS: CollectionSpec = {
  collection: "invitations",
  indexes: [
    { name: "createdBy", fields: ["createdBy"] },
    { name: "expiresAt", fields: ["expiresAt"] },
  ],
};

const DAY = 86_400_000;
const DAYS = 7;
/** Open invitations of one person, and those that are shown. */
const OPEN = 500;

type Records = { record(id: string): Promise<UserRecord | null> };

const refused = (): RookeryError => new RookeryError("FORBIDDEN", "The invitation does not hold.");

/** Who lets whom in. */
export class Invitations {
  constructor(
    private readonly invitations: Documents<Invitation>,
    private readonly secrets: LinkSecrets,
    private readonly roles: Pick<RoleTable, "reachOf" | "permissionsOf">,
    private readonly clock: Clock,
  ) {}

  /** Throws FORBIDDEN for roles that may do what the caller may not, CONFLICT if he has too many open. */
  async make(
    caller: Identity,
    wanted: { email?: string; roles?: Role[]; expiresInDays?: number; uses?: number },
  ): Promise<MadeInvitation> {
    const { email, roles, expiresInDays = DAYS, uses = 1 } = wanted;
    (await this.roles.reachOf(caller)).over(roles ?? ["User"]);
    const open = { createdBy: caller.id, expiresAt: { $gt: this.clock.now() } };
    if ((await this.invitations.count({ where: open })) >= OPEN)
      throw new RookeryError("CONFLICT", `You have ${OPEN} invitations open.`);
    const id = newId();
    const made: Invitation = {
      id,
      digest: digest(this.secrets.of("invitation", id)),
      ...(email !== undefined && { email }),
      ...(roles && { roles }),
      uses,
      taken: [],
      createdBy: caller.id,
      createdAt: timestamp(this.clock),
      expiresAt: this.clock.now() + expiresInDays * DAY,
    };
    await this.invitations.insert(made);
    return { ...shown(made), invitation: this.codeOf(made) };
  }

  /** What lets people in: for who made it, and for the mail to who is invited. */
  codeOf({ id }: Pick<Invitation, "id">): string {
    return tokenOf(id, this.secrets.of("invitation", id));
  }

  /** One that still holds, and who made it. */
  async open(users: Records, id: string): Promise<{ invitation: Invitation; inviter: UserRecord } | null> {
    const invitation = isId(id) ? await this.invitations.get(id) : null;
    if (!invitation || !this.holds(invitation)) return null;
    const inviter = await this.inviterOf(users, invitation);
    return inviter && { invitation, inviter };
  }

  /** One's own, or everybody's for who manages users; the newest first. */
  async list(caller: Identity): Promise<ShownInvitation[]> {
    const where: Where<Invitation> = { expiresAt: { $gt: this.clock.now() }, ...this.ofCaller(caller) };
    return (await this.invitations.find({ where, sort: "-id", limit: OPEN })).map(shown);
  }

  /** Throws NOT_FOUND. */
  async withdraw(caller: Identity, id: string): Promise<void> {
    const gone = isId(id) ? await this.invitations.removeWhere({ id, ...this.ofCaller(caller) }) : 0;
    if (gone === 0) throw new RookeryError("NOT_FOUND");
  }

  /** Takes a place for a new user; the same again takes no other. Throws FORBIDDEN, with the same words whatever is wrong. */
  async take(users: Records, code: string, userId: string, email: string): Promise<Invitation> {
    const parts = parseToken(code);
    const made = parts && (await this.invitations.get(parts.id));
    if (!parts || !made || !(await this.inviterOf(users, made))) throw refused();
    let taken = false;
    const invitation = await this.invitations.update(parts.id, known => {
      const meant = known.email === undefined || known.email.toLowerCase() === email.trim().toLowerCase();
      const mine = known.taken.includes(userId);
      taken = known.digest === parts.digest && meant && (mine || this.holds(known));
      return taken && !mine ? { ...known, taken: [...known.taken, userId] } : null;
    });
    if (!taken || !invitation) throw refused();
    return invitation;
  }

  /** The user was never made. */
  async giveBack(id: string, userId: string): Promise<void> {
    if (!isId(id)) return;
    await this.invitations.update(id, known =>
      known.taken.includes(userId) ? { ...known, taken: known.taken.filter(other => other !== userId) } : null,
    );
  }

  /** Who came by it is gone: where it was for his address, nothing of it is kept. */
  async forget(id: string): Promise<void> {
    if ((await this.invitations.get(id))?.email !== undefined) await this.invitations.remove(id);
  }

  async sweep(): Promise<void> {
    await this.invitations.removeWhere({ expiresAt: { $lte: this.clock.now() - DAY } });
  }

  /** An invitation is good for what its maker may do now: null if he is gone, or may not invite to these roles any more. */
  private async inviterOf(users: Records, { createdBy, roles = ["User"] }: Invitation): Promise<UserRecord | null> {
    const inviter = await users.record(createdBy);
    if (!inviter || inviter.deactivated) return null;
    if (!(await this.roles.permissionsOf(inviter.roles)).includes("invitations.create")) return null;
    return (await this.roles.reachOf(inviter)).covers(roles) ? inviter : null;
  }

  private holds({ expiresAt, taken, uses }: Invitation): boolean {
    return expiresAt > this.clock.now() && taken.length < uses;
  }

  private ofCaller({ id, permissions }: Identity): Where<Invitation> {
    return permissions.includes("users.manage") ? {} : { createdBy: id };
  }
}

const shown = ({ id, email, roles, uses, taken, createdBy, createdAt, expiresAt }: Invitation): ShownInvitation => ({
  id,
  ...(email !== undefined && { email }),
  roles: roles ?? ["User"],
  uses,
  used: taken.length,
  createdBy,
  createdAt,
  expiresAt: new Date(expiresAt).toISOString(),
});
