import type { RelationChange } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { Audience, Identity, Privacy } from "../core/model";
import type { Permission } from "../core/permissions";
import { OPEN, type PreferenceStore } from "./preferences";
import { STRANGERS, type Bond, type Relations } from "./relations";

/**
 * Which of the others are in a room with the user; `small`: in one of few people. Nobody named: all of those, as far as they
 * are asked for.
 */
export type Acquainted = (user: string, others: string[] | undefined, small: boolean) => Promise<string[]>;

export type Viewer = Readonly<Pick<Identity, "id">> & { readonly permissions: readonly Permission[] };

export interface Ask {
  viewer: string;
  /** He finds also those whom he does not know, `findsAll` of permissions. */
  finds: boolean;
  users: readonly string[];
}

/** Changes above which whoever asks looks at everything anew. */
const RECENT = 5_000;

/** What people may know of each other, and do to each other, by what they are to each other and what they wish. */
export class Sight {
  constructor(
    private readonly relations: Pick<Relations, "among" | "changedSince" | "blockersOf" | "friendsOf">,
    private readonly preferences: Pick<PreferenceStore, "privacyOf" | "privacyChangedSince">,
    private readonly acquainted: Acquainted,
  ) {}

  /** Of each list those whose presence is not for its viewer. */
  async unseen(asks: readonly Ask[]): Promise<string[][]> {
    const users = [...new Set(asks.flatMap(ask => ask.users))];
    const [bonds, privacy] = await Promise.all([this.relations.among(asks), this.preferences.privacyOf(users)]);
    return Promise.all(
      asks.map((ask, at) => {
        const known = bonds[at] as Map<string, Bond>;
        const blocked = ask.users.filter(user => known.get(user)?.blockedBy);
        const others = ask.users.filter(user => user !== ask.viewer && !known.get(user)?.blockedBy);
        return Promise.all([
          this.shutOut(ask.viewer, others, known, user => (privacy.get(user) ?? OPEN).presence),
          ask.finds ? [] : this.strangers(ask.viewer, others, known),
        ]).then(([out, strangers]) => [...new Set([...blocked, ...out, ...strangers])]);
      }),
    );
  }

  /** Those between whom and the user there is a block. */
  async blocksAmong(user: string, others: readonly string[]): Promise<string[]> {
    const [bonds] = await this.relations.among([{ viewer: user, users: others }]);
    return others.filter(other => bonds?.get(other)?.blocks || bonds?.get(other)?.blockedBy);
  }

  /** Those who do not want the user to begin a conversation with them. */
  async closedTo(user: string, others: readonly string[]): Promise<string[]> {
    const [[bonds], privacy] = await Promise.all([
      this.relations.among([{ viewer: user, users: others }]),
      this.preferences.privacyOf(others),
    ]);
    return this.shutOut(user, others, bonds ?? new Map<string, Bond>(), other => (privacy.get(other) ?? OPEN).write);
  }

  /** Whether others are not to be told how far the user has read. */
  async discreet(user: string): Promise<boolean> {
    return !((await this.preferences.privacyOf([user])).get(user) ?? OPEN).sendReadReceipts;
  }

  /**
   * Throws NOT_FOUND where somebody is not there for the viewer: who blocks him, and everybody for who may find nobody; those
   * he is in a room with he knows all the same.
   */
  async find(viewer: Viewer, id: string): Promise<void> {
    if (!(await this.finds(viewer, id))) throw new RookeryError("NOT_FOUND");
  }

  /** Whether somebody is there for the viewer, see `find`. */
  async finds(viewer: Viewer, id: string): Promise<boolean> {
    if (viewer.id === id || viewer.permissions.includes("users.manage")) return true;
    const [bonds] = await this.relations.among([{ viewer: viewer.id, users: [id] }]);
    const { friends, blockedBy } = bonds?.get(id) ?? STRANGERS;
    if (!blockedBy && (friends || viewer.permissions.includes("users.find"))) return true;
    return (await this.acquainted(viewer.id, [id], false)).length > 0;
  }

  /** Throws NOT_FOUND for who finds nobody and does not know him. Whether he is blocked makes no difference here. */
  async ask(viewer: Identity, id: string): Promise<void> {
    if (viewer.permissions.includes("users.find")) return;
    if ((await this.acquainted(viewer.id, [id], false)).length === 0) throw new RookeryError("NOT_FOUND");
  }

  /** Throws NOT_FOUND for whom he does not want to be found by, FORBIDDEN for whom he takes no conversation from. */
  async mayRequest(viewer: Identity, id: string): Promise<void> {
    const [[bonds = new Map<string, Bond>()], privacy] = await Promise.all([
      this.relations.among([{ viewer: viewer.id, users: [id] }]),
      this.preferences.privacyOf([id]),
    ]);
    const { find, write } = privacy.get(id) ?? OPEN;
    const isShutOut = async (audience: Audience): Promise<boolean> =>
      (await this.shutOut(viewer.id, [id], bonds, () => audience)).length > 0;
    if (!viewer.permissions.includes("users.manage") && (await isShutOut(find))) throw new RookeryError("NOT_FOUND");
    if (await isShutOut(write)) throw new RookeryError("FORBIDDEN", "This user takes no requests from you.");
  }

  /** What the viewer's lists are made of: the audiences he belongs to, and those who are not there for him. */
  async listed(viewer: Identity): Promise<{ audiences: (string | null)[]; without: string[] } | null> {
    if (viewer.permissions.includes("users.manage")) return null;
    const [friends, without, met] = await Promise.all([
      this.relations.friendsOf(viewer.id),
      this.relations.blockersOf(viewer.id),
      // Whoever hides from others stays hidden while it cannot be found out whom one knows.
      this.acquainted(viewer.id, undefined, true).catch(() => []),
    ]);
    const contacts = new Set([viewer.id, ...met, ...friends.map(({ id }) => id)]);
    const known = [...contacts].map(id => audienceOf(id, "contacts"));
    return { audiences: [null, audienceOf(viewer.id, "nobody"), ...known], without };
  }

  /** What changed since then; null: too much to say it one by one. */
  async changedSince(since: number): Promise<RelationChange[] | null> {
    const [pairs, users] = await Promise.all([
      this.relations.changedSince(since, RECENT + 1),
      this.preferences.privacyChangedSince(since, RECENT + 1),
    ]);
    const changes = [...pairs, ...users.map(user => ({ user, other: null }))];
    return changes.length > RECENT ? null : changes;
  }

  /** Those who are nothing to the user: neither friends nor in a room with him. */
  private async strangers(
    user: string,
    others: readonly string[],
    bonds: ReadonlyMap<string, Bond>,
  ): Promise<string[]> {
    const unsure = others.filter(other => !bonds.get(other)?.friends);
    if (unsure.length === 0) return [];
    const known = new Set(await this.acquainted(user, unsure, false));
    return unsure.filter(other => !known.has(other));
  }

  /** Those of whose audience the user is not. Rooms are looked at only for who asks for that. */
  private async shutOut(
    user: string,
    others: readonly string[],
    bonds: ReadonlyMap<string, Bond>,
    audience: (other: string) => Audience,
  ): Promise<string[]> {
    const out = others.filter(other => audience(other) === "nobody");
    const unsure = others.filter(other => audience(other) === "contacts" && !bonds.get(other)?.friends);
    if (unsure.length === 0) return out;
    const known = new Set(await this.acquainted(user, unsure, true));
    return [...out, ...unsure.filter(other => !known.has(other))];
  }
}

/** What stands in a user's record for who finds him: everybody is the absence of it. */
export const audienceOf = (user: string, find: Privacy["find"]): string => `${find}:${user}`;
