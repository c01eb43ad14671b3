import { upsert, type CollectionSpec, type Documents } from "../../mixins/documents";
import type { Clock } from "../core/clock";
import { hasCode } from "../core/errors";
import { digest, newId } from "../core/ids";
import { parseToken, tokenOf, type LinkSecrets } from "./links";

/** The change of e-mail that a user has asked for; another one takes its place. */
export interface EmailChange {
  /** The user's. */
  id: string;
  /** Of this change: which mails are about it. */
  change: string;
  /** The new address. */
  email: string;
  /** Digests of the links that confirm it, until they have; `cancel` stops it. */
  fresh?: string;
  old?: string;
  cancel: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  /** Set when everything is confirmed and the address is still to be changed. */
  settledAt?: number;
}

export const EMAIL_CHANGES: CollectionSpec = {
  collection: "email_changes",
  indexes: [
    { name: "expiresAt", fields: ["expiresAt"] },
    { name: "settledAt", fields: ["settledAt"] },
  ],
};

/** Milliseconds that the links hold. */
const TTL = 86_400_000;
/** Changes finished or removed in one sweep, and milliseconds for which the node that settled one is given time. */
const BATCH = 100;
const UNDER_WAY = 3_000;

type Purpose = "fresh" | "old" | "cancel";

/** Changes an account's address; CONFLICT if somebody has it. */
type Apply = (userId: string, email: string) => Promise<unknown>;

/** An e-mail changes when who can read it, and who can read the old one, have said so by a link; either may be too late. */
export class EmailChanges {
  constructor(
    private readonly changes: Documents<EmailChange>,
    private readonly secrets: LinkSecrets,
    private readonly clock: Clock,
  ) {}

  /** `both`: the old address has to confirm it, too. Resolves to the id of the change. */
  async begin(userId: string, email: string, both: boolean): Promise<string> {
    const change = newId();
    const made: EmailChange = {
      id: userId,
      change,
      email,
      fresh: this.digestOf("fresh", change),
      ...(both && { old: this.digestOf("old", change) }),
      cancel: this.digestOf("cancel", change),
      expiresAt: this.clock.now() + TTL,
    };
    await upsert(this.changes, made, () => made);
    return change;
  }

  /** The change a mail is about, if it is still open. */
  async open(userId: string, change: string): Promise<EmailChange | null> {
    const known = await this.changes.get(userId);
    const open = known?.change === change && known.expiresAt > this.clock.now() && known.settledAt === undefined;
    return open ? known : null;
  }

  token(purpose: Purpose, { id, change }: EmailChange): string {
    return tokenOf(id, this.secrets.of(`email-${purpose}`, change));
  }

  /** Whose change it was, and whether it is made now; null for no such link. Throws CONFLICT if the address is taken by now. */
  async confirm(token: string, apply: Apply): Promise<{ userId: string; changed: boolean } | null> {
    const parts = parseToken(token);
    if (!parts) return null;
    let confirmed = false;
    const change = await this.changes.update(parts.id, known => {
      const { fresh, old, ...rest } = known;
      const which = parts.digest === fresh ? "fresh" : parts.digest === old ? "old" : null;
      confirmed = which !== null && known.expiresAt > this.clock.now();
      if (!confirmed) return null;
      const left = { ...(which !== "fresh" && fresh && { fresh }), ...(which !== "old" && old && { old }) };
      return { ...rest, ...left, ...(Object.keys(left).length === 0 && { settledAt: this.clock.now() }) };
    });
    if (!confirmed || !change) return null;
    if (change.settledAt === undefined) return { userId: change.id, changed: false };
    await this.finish(change, apply);
    return { userId: change.id, changed: true };
  }

  /** Whether there was a change to stop. */
  async cancel(token: string): Promise<boolean> {
    const parts = parseToken(token);
    const known = parts && (await this.changes.get(parts.id));
    if (!known || known.cancel !== parts.digest || known.settledAt !== undefined) return false;
    // Not by its id alone: another change may just have taken its place, or this one may be made by now.
    return (await this.changes.removeWhere({ id: known.id, change: known.change, settledAt: null })) > 0;
  }

  /** A change that is not confirmed yet is dropped, unless it was asked for after `at`, in milliseconds since the epoch. */
  async withdraw(userId: string, at: number): Promise<void> {
    await this.changes.removeWhere({ id: userId, expiresAt: { $lte: at + TTL }, settledAt: null });
  }

  async forget(userId: string): Promise<void> {
    await this.changes.remove(userId);
  }

  /** Finishes what a crash left, and removes what nobody confirmed. */
  async sweep(apply: Apply): Promise<void> {
    const now = this.clock.now();
    for (const change of await this.changes.find({ where: { settledAt: { $lte: now - UNDER_WAY } }, limit: BATCH }))
      await this.finish(change, apply).catch((error: unknown) => {
        if (!hasCode(error, "CONFLICT")) throw error;
      });
    await this.changes.removeWhere({ expiresAt: { $lte: now }, settledAt: null });
  }

  /** May be repeated. A change that cannot be made, now or ever, is dropped. */
  private async finish({ id, change, email }: EmailChange, apply: Apply): Promise<void> {
    const drop = () => this.changes.removeWhere({ id, change });
    try {
      await apply(id, email);
    } catch (error) {
      if (hasCode(error, "CONFLICT") || hasCode(error, "NOT_FOUND")) await drop();
      throw error;
    }
    await drop();
  }

  private digestOf(purpose: Purpose, change: string): string {
    return digest(this.secrets.of(`email-${purpose}`, change));
  }
}
