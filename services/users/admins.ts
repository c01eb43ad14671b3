import type { CollectionSpec, Documents } from "../../mixins/documents";
import { StagedChanges, type Stage, type Verdict } from "../../mixins/staged-changes";
import type { Clock } from "../core/clock";
import type { ProfileChange } from "../core/contract";
import type { Role } from "../core/permissions";
import { Turns } from "../core/turns";

/** A change of somebody who holds the role Admin, or gets it: other roles, and with them the profile, or the removal. */
export type AdminChange = { user: string } & (
  | ({ kind: "roles"; roles: Role[] } & ProfileChange)
  | { kind: "removal"; removedAt: string }
  | { kind: "deactivation"; deactivatedAt: string }
);

export type AdminStage = Stage<AdminChange>;

export const ADMINS: CollectionSpec = {
  collection: "admins",
  indexes: [{ name: "pending_since", fields: ["pendingSince"] }],
};

/** There is one document: all such changes follow each other, whichever node makes them. */
const ID = "admins";

/** Decides who is Admin, one change after another over all nodes: two Admins could otherwise demote one another. */
export class Admins {
  private readonly staged: StagedChanges<AdminChange, AdminStage>;
  private readonly turns = new Turns();

  constructor(
    stages: Documents<AdminStage>,
    /** Changes the user unless he has seen a change with this number, or a later one. May be repeated. */
    carryOut: (change: AdminChange, n: number) => Promise<void>,
    clock: Clock,
  ) {
    const all = async ({ pending }: AdminStage) => {
      for (const change of pending) await carryOut(change, change.n);
      return {};
    };
    this.staged = new StagedChanges(stages, all, clock);
  }

  /** Who is Admin does not change between what `judge` reads and its verdict. */
  async decide(judge: () => Promise<Verdict<AdminStage, AdminChange>>): Promise<void> {
    await this.turns.run(ID, async () => {
      await this.staged.begin({ id: ID });
      await this.staged.decide(ID, judge);
    });
  }

  /** Finishes what was left half done. */
  async sweep(report: (error: unknown) => void): Promise<void> {
    await this.staged.sweep(1, (_, error) => report(error));
  }
}
