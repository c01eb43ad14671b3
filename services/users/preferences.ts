import type { CollectionSpec, Documents } from "../../mixins/documents";
import { StagedChanges, type Stage } from "../../mixins/staged-changes";
import type { Clock } from "../core/clock";
import type { PreferencesChange } from "../core/contract";
import { invalidField } from "../core/errors";
import { isId } from "../core/ids";
import type { Metadata, NotificationPreferences, Preferences, Privacy, RoomNotifications } from "../core/model";

/** What follows a change of one's preferences; `privacy`: others are concerned, too. */
export interface Consequence {
  privacy: boolean;
}

/** What was set; all else is as `DEFAULTS` say. */
export interface StoredPreferences extends Stage<Consequence> {
  language?: string;
  timeZone?: string;
  notifications?: Partial<NotificationPreferences>;
  privacy?: Partial<Privacy>;
  ui?: Metadata;
  /** When others were concerned last, milliseconds since 1970. */
  privacyAt?: number;
}

export const PREFERENCES: CollectionSpec = {
  collection: "preferences",
  indexes: [
    { name: "privacy_at", fields: ["privacyAt"] },
    { name: "pending_since", fields: ["pendingSince"] },
  ],
};

export const OPEN: Privacy = { find: "everyone", write: "everyone", presence: "everyone", sendReadReceipts: true };

const NOTIFIED: NotificationPreferences = { default: "all", rooms: {}, email: true, push: true };

/** Rooms of which one may say something, and bytes of what clients keep, as JSON. */
const MAX_ROOMS = 1_000;
const MAX_UI = 8 * 1_024;

/** How people want things to be, whatever device they are at. */
export class PreferenceStore {
  private readonly staged: StagedChanges<Consequence, StoredPreferences>;

  constructor(
    private readonly records: Documents<StoredPreferences>,
    /** Carries out what follows a change; may be repeated. `id`: of the last change; `revision`: its number. */
    follow: (user: string, after: { privacy: Privacy | null; id: string; revision: number }) => Promise<void>,
    private readonly clock: Clock,
  ) {
    const all = async (doc: StoredPreferences): Promise<object> => {
      const last = doc.pending.at(-1);
      const privacy = doc.pending.some(change => change.privacy) ? privacyOf(doc) : null;
      if (last) await follow(doc.id, { privacy, id: last.id, revision: last.n });
      return {};
    };
    this.staged = new StagedChanges(records, all, clock);
  }

  async of(user: string): Promise<Preferences> {
    return shown(await this.records.get(user));
  }

  /** Throws INVALID for rooms that cannot be, and what is too much. */
  async change(user: string, change: PreferencesChange): Promise<Preferences> {
    await this.staged.begin({ id: user });
    const after = await this.staged.decide(user, async known => {
      const edit = merged(known, change);
      const before = JSON.stringify(shown(known));
      if (JSON.stringify(shown({ ...known, ...edit })) === before) return null;
      const privacy = JSON.stringify(privacyOf(known)) !== JSON.stringify(privacyOf({ ...known, ...edit }));
      return { edit: { ...edit, ...(privacy && { privacyAt: this.clock.now() }) }, changes: [{ privacy }] };
    });
    return shown(after);
  }

  /** Of many people at once; who is not named has said nothing. */
  async privacyOf(users: readonly string[]): Promise<Map<string, Privacy>> {
    const found = await this.records.pick(users, ["privacy"]);
    return new Map([...found].map(([user, { privacy }]) => [user, privacyOf({ privacy })]));
  }

  /** Whose privacy has changed since then, milliseconds since 1970, at most so many. */
  async privacyChangedSince(since: number, limit: number): Promise<string[]> {
    return (await this.records.find({ where: { privacyAt: { $gte: since } }, limit })).map(({ id }) => id);
  }

  async forget(user: string): Promise<void> {
    await this.records.remove(user);
  }

  async sweep(limit: number, report: (id: string, error: unknown) => void): Promise<void> {
    await this.staged.sweep(limit, report);
  }
}

const privacyOf = ({ privacy }: { privacy?: Partial<Privacy> | null }): Privacy => ({ ...OPEN, ...privacy });

function shown(stored: StoredPreferences | null): Preferences {
  const { language, timeZone, notifications, ui, version = 0 } = stored ?? {};
  return {
    ...(language !== undefined && { language }),
    ...(timeZone !== undefined && { timeZone }),
    notifications: { ...NOTIFIED, ...notifications },
    privacy: privacyOf(stored ?? {}),
    ...(ui !== undefined && { ui }),
    revision: version,
  };
}

function merged(known: StoredPreferences, change: PreferencesChange): Partial<StoredPreferences> {
  const { language, timeZone, notifications, privacy, ui } = change;
  if (ui && Buffer.byteLength(JSON.stringify(ui)) > MAX_UI)
    throw invalidField("ui", `At most ${MAX_UI} bytes of JSON.`);
  return {
    ...(language !== undefined && { language: language ?? undefined }),
    ...(timeZone !== undefined && { timeZone: timeZone ?? undefined }),
    ...(notifications && { notifications: notified(known.notifications ?? {}, notifications) }),
    ...(privacy && { privacy: { ...known.privacy, ...given(privacy) } }),
    ...(ui !== undefined && { ui: ui ?? undefined }),
  };
}

function notified(
  known: Partial<NotificationPreferences>,
  { rooms, doNotDisturb, ...change }: NonNullable<PreferencesChange["notifications"]>,
): Partial<NotificationPreferences> {
  const { doNotDisturb: before, ...rest } = known;
  const quiet = doNotDisturb === undefined ? before : (doNotDisturb ?? undefined);
  return {
    ...rest,
    ...given(change),
    ...(rooms && { rooms: ofRooms(known.rooms ?? {}, rooms) }),
    ...(quiet && { doNotDisturb: quiet }),
  };
}

type RoomsChange = NonNullable<NonNullable<PreferencesChange["notifications"]>["rooms"]>;

function ofRooms(
  known: Readonly<Record<string, RoomNotifications>>,
  change: RoomsChange,
): Record<string, RoomNotifications> {
  const rooms = new Map(Object.entries(known));
  for (const [room, wanted] of Object.entries(change)) {
    if (!isId(room)) throw invalidField("notifications.rooms", "Name rooms by their ids.");
    const { level, mutedUntil } = { ...rooms.get(room), ...(wanted && given(wanted)) };
    rooms.delete(room);
    if (!wanted || (!level && !mutedUntil)) continue;
    rooms.set(room, { ...(level && { level }), ...(mutedUntil && { mutedUntil }) });
  }
  if (rooms.size > MAX_ROOMS) throw invalidField("notifications.rooms", `At most ${MAX_ROOMS}.`);
  return Object.fromEntries(rooms);
}

/** Without what was left out. */
const given = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
