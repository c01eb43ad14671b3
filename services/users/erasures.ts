import { DuplicateKeyError, type CollectionSpec, type Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { ErasureState } from "../core/contract";
import { hasCode, RookeryError } from "../core/errors";
import type { Identity } from "../core/model";
import type { Guard } from "./directory";
import type { Consequences, Lifecycle } from "./lifecycle";

/** That all a user has said and left is to go, and how far that is. */
export interface StoredErasure {
  /** The user's. */
  id: string;
  state: "waiting" | "running" | "done";
  requestedAt: string;
  finishedAt?: string;
  /** Milliseconds since the epoch before which no other node takes it up. */
  claimedUntil: number;
  /** The last room that is done, in the order of ids. */
  room: string;
  /** In the next one, the last entry that is done. */
  entry: string;
  rooms: number;
  messages: number;
}

export const ERASURES: CollectionSpec = {
  collection: "erasures",
  indexes: [{ name: "open", fields: ["state", "claimedUntil"] }],
};

/** What an erasure needs of the owners of data. All of it may be repeated. */
export interface Owners {
  /** Removes the user, if he is still there. Throws CONFLICT if that cannot be. */
  remove(user: string): Promise<void>;
  /** A room he is or was in, by id from behind `after`; null: there is no other. */
  nextRoom(user: string, after: string): Promise<string | null>;
  erase(room: string, user: string, after: string): Promise<{ erased: number; next: string | null }>;
  forget(room: string, user: string): Promise<unknown>;
  eraseFiles(user: string): Promise<unknown>;
}

/** Milliseconds for which a node that has one in hand keeps others from it; renewed with each step. */
const CLAIM = 15_000;
/** Erasures taken up in one round. */
const BATCH = 10;

/**
 * Erases people, room by room: what they said, how they reacted, how far they read, their files. How far it is is stored after
 * each step, and each step may be repeated, so whoever takes up what another node left repeats one step at most.
 */
export class Erasures {
  constructor(
    private readonly erasures: Documents<StoredErasure>,
    private readonly clock: Clock,
    /** Told of what failed; the next round goes on. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Durable when it resolves; nothing happens if it is asked for again. Not begun before the caller has had time to remove him. */
  async request(id: string): Promise<void> {
    const claimedUntil = this.clock.now() + CLAIM;
    const progress = { room: "", entry: "", rooms: 0, messages: 0 };
    try {
      await this.erasures.insert({
        id,
        state: "waiting",
        requestedAt: timestamp(this.clock),
        claimedUntil,
        ...progress,
      });
    } catch (error) {
      if (!(error instanceof DuplicateKeyError)) throw error;
    }
  }

  /** He was not removed. */
  async drop(id: string): Promise<void> {
    await this.erasures.removeWhere({ id, state: "waiting" });
  }

  /** He is removed: nothing has to be waited for. */
  async begin(id: string): Promise<void> {
    await this.erasures.update(id, known => (known.state === "waiting" ? { ...known, claimedUntil: 0 } : null));
  }

  /** For a process that is alone with its store: who had one in hand is dead. */
  async takeOver(): Promise<void> {
    for (const state of ["waiting", "running"] as const)
      for (const { id } of await this.erasures.find({ where: { state } }))
        await this.erasures.update(id, known => ({ ...known, claimedUntil: 0 }));
  }

  /** Throws NOT_FOUND. */
  async of(id: string): Promise<ErasureState> {
    const known = await this.erasures.get(id);
    if (!known) throw new RookeryError("NOT_FOUND");
    const { state, requestedAt, finishedAt, rooms, messages } = known;
    return { state, requestedAt, ...(finishedAt !== undefined && { finishedAt }), rooms, messages };
  }

  /** Goes on with those that nobody has in hand. */
  async round(owners: Owners): Promise<void> {
    for (const state of ["waiting", "running"] as const) {
      const where = { state, claimedUntil: { $lte: this.clock.now() } };
      for (const { id } of await this.erasures.find({ where, limit: BATCH }))
        await this.goOn(id, owners).catch((error: unknown) => this.failed(error));
    }
  }

  private async goOn(id: string, owners: Owners): Promise<void> {
    let mine = false;
    let now = await this.erasures.update(id, known => {
      mine = known.state !== "done" && known.claimedUntil <= this.clock.now();
      return mine ? { ...known, state: "running", claimedUntil: this.clock.now() + CLAIM } : null;
    });
    if (!mine) return;
    try {
      await owners.remove(id);
    } catch (error) {
      // The last Admin stays, whatever was wanted of him.
      if (hasCode(error, "CONFLICT")) return void (await this.erasures.remove(id));
      throw error;
    }
    while (now) {
      const room = await owners.nextRoom(id, now.room);
      if (room === null) break;
      const { erased, next } = await owners.erase(room, id, now.entry);
      if (next === null) await owners.forget(room, id);
      now = await this.step(id, known => ({
        ...known,
        ...(next === null ? { room, entry: "", rooms: known.rooms + 1 } : { entry: next }),
        messages: known.messages + erased,
      }));
    }
    await owners.eraseFiles(id);
    await owners.forget(id, id);
    await this.step(id, known => ({ ...known, state: "done", finishedAt: timestamp(this.clock) }));
  }

  private step(id: string, change: (known: StoredErasure) => StoredErasure): Promise<StoredErasure | null> {
    return this.erasures.update(id, known => ({ ...change(known), claimedUntil: this.clock.now() + CLAIM }));
  }
}

/**
 * Removes a user like any removal, and has him erased. What is to be erased is stored first: a crash leaves somebody who is
 * there and will be gone, never one who is gone and not erased. Who was removed before can be erased by who manages users.
 */
export async function askForErasure(
  lifecycle: Pick<Lifecycle, "isRemoved" | "mayRemove" | "remove">,
  erasures: Pick<Erasures, "request" | "drop" | "begin">,
  consequences: Consequences,
  id: string,
  caller: Identity,
  guard?: Guard,
): Promise<void> {
  const removed = caller.permissions.includes("users.manage") && (await lifecycle.isRemoved(id));
  if (!removed) await lifecycle.mayRemove(id, caller, guard);
  await erasures.request(id);
  try {
    if (!removed) await lifecycle.remove(consequences, id, caller, guard);
  } catch (error) {
    if (hasCode(error, "CONFLICT") || hasCode(error, "FORBIDDEN")) await erasures.drop(id);
    // Somebody else has just removed him.
    if (!hasCode(error, "NOT_FOUND")) throw error;
  }
  await erasures.begin(id);
}
