import { RookeryError } from "../core/errors";
import type { Identity } from "../core/model";
import { manages } from "./access";
import { noSuchUser } from "./decisions";
import type { Present } from "./succession";

/** What stands between people. */
export interface Barriers {
  /** Those of the others between whom and the user there is a block. */
  blocks(user: string, others: string[]): Promise<string[]>;
  /** Those of them with whom he may not begin a conversation. */
  closed(user: string, others: string[]): Promise<string[]>;
  /** Those of them who are not deactivated. */
  present: Present;
}

/** Who runs the installation says who is where, whatever they wish. */
export const withoutWishes = (user: Identity, barriers: Barriers): Barriers =>
  manages(user) || user.permissions.includes("users.manage") ? { ...barriers, closed: async () => [] } : barriers;

export const NO_BARRIERS: Barriers = { blocks: async () => [], closed: async () => [], present: async users => users };

/** Throws NOT_FOUND where one blocks the other, as if there was no such person, and FORBIDDEN where somebody wants no such thing. */
export async function approach(user: string, others: string[], barriers: Barriers): Promise<void> {
  if (others.length === 0) return;
  const [blocked, closed, present] = await Promise.all([
    barriers.blocks(user, others),
    barriers.closed(user, others),
    barriers.present(others),
  ]);
  if (blocked.length > 0 || present.length < others.length) throw noSuchUser();
  if (closed.length > 0) throw new RookeryError("FORBIDDEN", "Not everybody named takes conversations from you.");
}
