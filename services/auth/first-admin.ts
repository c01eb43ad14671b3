import { DuplicateKeyError, type Documents } from "../../mixins/documents";
import { hasCode } from "../core/errors";
import { newId } from "../core/ids";
import type { Accounts, Users } from "./accounts";
import type { Seed } from "./auth.store";

const ADMIN = "admin";
const EMAIL = "admin@localhost";

export interface FirstAdminParts {
  seeds: Documents<Seed>;
  accounts: Accounts;
  users: Users;
  /** Null: a random one is made, and `show` tells it to whoever started this node. */
  password: string | null;
  randomPassword(): string;
  show(password: string): void;
  /**
   * Milliseconds without an end after which another node's attempt is taken over; 0 where there is no other node.
   * An attempt begins when nothing is missing for it, so it ends within seconds or not at all.
   */
  patience: number;
  /** Milliseconds that never jump. */
  monotonic(): number;
}

/**
 * Makes the user `admin` in a new installation, with the given password or a random one. His id is stored before he is, and
 * attempts are numbered: a node that was cut off is followed by another, and what it may still write is refused. Once done,
 * no start changes anything.
 */
export class FirstAdmin {
  /** This run: tells its own attempt from those of others. */
  private readonly run = newId();
  private readonly password: string;
  /** The attempt of another node, and since when it has been looked at. */
  private watched: { attempt: number; since: number } | null = null;

  constructor(private readonly parts: FirstAdminParts) {
    this.password = parts.password ?? parts.randomPassword();
  }

  /** Resolves to whether there is nothing more to do; if another node is at it, false. Rejects while users are away. */
  async make(): Promise<boolean> {
    const { seeds, accounts, users } = this.parts;
    const { done, userId } = await this.seed();
    if (done) return true;
    await users.byLogin(ADMIN);
    const attempt = await this.take();
    if (attempt === null || !(await accounts.seedPassword(userId, this.password, attempt))) return false;
    const mine = (seed: Seed): boolean => !seed.done && seed.attempt === attempt;
    const finish = () => seeds.update(ADMIN, seed => (mine(seed) ? { ...seed, done: true } : null));
    try {
      await users.create({ id: userId, username: ADMIN, email: EMAIL, roles: ["Admin"] });
    } catch (error) {
      if (!hasCode(error, "CONFLICT")) throw error;
      // Somebody else has the name: these users were not made by this store.
      await accounts.revoke(userId, { forget: true });
      await finish();
      return true;
    }
    if (this.parts.password === null) {
      if (!mine(await this.seed())) return false;
      // Shown before it counts as done: who ends in between is followed by one who makes another.
      this.parts.show(this.password);
    }
    await finish();
    return true;
  }

  private async seed(): Promise<Seed> {
    const { seeds } = this.parts;
    for (;;) {
      const known = await seeds.get(ADMIN);
      if (known) return known;
      try {
        return await seeds.insert({ id: ADMIN, userId: newId(), done: false });
      } catch (error) {
        if (!(error instanceof DuplicateKeyError)) throw error;
      }
    }
  }

  /** Number of our attempt; null while it is somebody else's turn. */
  private async take(): Promise<number | null> {
    let taken: number | null = null;
    await this.parts.seeds.update(ADMIN, seed => {
      const { done, maker, attempt = 0 } = seed;
      taken = null;
      if (done) return null;
      if (maker === this.run) taken = attempt;
      if (maker === this.run || (maker !== undefined && !this.isAbandoned(attempt))) return null;
      taken = attempt + 1;
      return { ...seed, maker: this.run, attempt: taken };
    });
    return taken;
  }

  private isAbandoned(attempt: number): boolean {
    const now = this.parts.monotonic();
    if (this.watched?.attempt !== attempt) this.watched = { attempt, since: now };
    return now - this.watched.since >= this.parts.patience;
  }
}
