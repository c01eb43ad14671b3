import { randomBytes } from "node:crypto";
import type { CollectionSpec, Documents } from "../../mixins/documents";
import type { Clock } from "../core/clock";
import type { SignedIn } from "../core/contract";
import { hasCode, RookeryError } from "../core/errors";
import { newId } from "../core/ids";
import type { Accounts, Users } from "./accounts";
import type { RevocationLog } from "./revocation-log";
import type { SessionClient } from "./sessions";

/** A guest: nobody knows a password of his, so he is gone when his session is lost. */
export interface Guest {
  /** The user's. */
  id: string;
  /** Milliseconds since the epoch; when he was last given tokens. */
  lastUsedAt: number;
}

export const GUESTS: CollectionSpec = {
  collection: "guests",
  indexes: [{ name: "lastUsedAt", fields: ["lastUsedAt"] }],
};

export interface GuestParts {
  guests: Documents<Guest>;
  accounts: Pick<Accounts, "signIn">;
  revocations: Pick<RevocationLog, "current">;
  clock: Clock;
  allowed: boolean;
  /** Milliseconds without use after which one is removed. */
  keepFor: number;
}

/** Guests removed in one sweep. */
const BATCH = 50;
/** Names tried; of eight hexadecimal digits hardly one is taken. */
const ATTEMPTS = 3;

/** People without an account, for a while. */
export class Guests {
  constructor(private readonly parts: GuestParts) {}

  /** Throws FORBIDDEN where there are none. */
  async come(users: Users, displayName: string | undefined, client?: SessionClient): Promise<SignedIn> {
    const { allowed, guests, accounts, revocations, clock } = this.parts;
    if (!allowed) throw new RookeryError("FORBIDDEN", "Guests cannot come in here.");
    const revision = await revocations.current();
    const id = newId();
    // First, so that the sweep finds him whatever becomes of the rest.
    await guests.insert({ id, lastUsedAt: clock.now() });
    for (let attempt = 1; ; attempt++) {
      const username = `guest-${randomBytes(4).toString("hex")}`;
      try {
        const user = await users.create({ id, username, roles: ["Guest"], displayName });
        const detail = { guest: true };
        await users.audit({ type: "account.register", actor: id, object: id, result: "ok", detail });
        return await accounts.signIn(users, user, revision, client);
      } catch (error) {
        if (!hasCode(error, "CONFLICT") || attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Somebody was given new tokens; of others than guests there is no record. */
  async used(id: string): Promise<void> {
    await this.parts.guests.update(id, guest => ({ ...guest, lastUsedAt: this.parts.clock.now() }));
  }

  /** @param expire removes a user; may be repeated, and finds nobody then */
  async sweep(expire: (id: string) => Promise<unknown>): Promise<void> {
    const { guests, clock, keepFor } = this.parts;
    const where = { lastUsedAt: { $lte: clock.now() - keepFor } };
    for (const { id } of await guests.find({ where, sort: "lastUsedAt", limit: BATCH })) {
      await expire(id);
      await guests.remove(id);
    }
  }
}
