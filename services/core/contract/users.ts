import type { Metadata, NotificationLevel, Page, Preferences, Privacy, PublicUser, Related } from "../model";
import type { Permission, Role } from "../permissions";
import type { UserRecord } from "./auth";
import type { Paging } from "./paging";

/** What two people are to each other has changed; `other` null: what the settings of one say to everybody. */
export interface RelationChange {
  user: string;
  other: string | null;
}

/** A user as he is made; without roles he is a User. */
export interface NewUser {
  id: string;
  username: string;
  email?: string;
  roles?: Role[];
  displayName?: string;
  unverified?: boolean;
}

/** Of one's own profile; null clears a field. */
export interface ProfileChange {
  displayName?: string | null;
  avatarUrl?: string | null;
  bio?: string | null;
  pronouns?: string | null;
}

/** What is left out stays as it is, in parts too; null clears. `ui` is replaced as a whole. */
export interface PreferencesChange {
  language?: string | null;
  timeZone?: string | null;
  notifications?: {
    default?: NotificationLevel;
    rooms?: Record<string, { level?: NotificationLevel | null; mutedUntil?: string | null } | null>;
    doNotDisturb?: { from: string; to: string } | null;
    email?: boolean;
    push?: boolean;
  };
  privacy?: Partial<Privacy>;
  ui?: Metadata | null;
}

/** What is kept of a person's relations and wishes, for the export of his data. */
export interface ExportedRelations {
  friends: { user: string; since: string }[];
  blocks: { user: string; since: string }[];
  preferences: Preferences;
}

/** How far the erasure of a user is. */
export interface ErasureState {
  state: "waiting" | "running" | "done";
  requestedAt: string;
  finishedAt?: string;
  /** Rooms done, and messages emptied in them. */
  rooms: number;
  messages: number;
}

export interface UsersActions {
  "users.create": {
    params: NewUser;
    returns: UserRecord;
  };
  /** The address is the user's: he has shown it. Nothing happens if he has another one by now. */
  "users.verified": { params: { id: string; email: string }; returns: null };
  /** Gives a user an address that he has shown to be his. CONFLICT if somebody has it. */
  "users.setEmail": { params: { id: string; email: string }; returns: null };
  /** CONFLICT if somebody has the name, or had it when he was removed. */
  "users.setUsername": { params: { id: string; username: string }; returns: UserRecord };
  /** At the user's own wish, which auth has made sure of. */
  "users.leave": { params: { id: string }; returns: null };
  /** A guest whose time is up. */
  "users.expire": { params: { id: string }; returns: null };
  "users.deactivate": { params: { id: string }; returns: PublicUser };
  "users.activate": { params: { id: string }; returns: PublicUser };
  /** By user name or e-mail, ignoring case. */
  "users.byLogin": { params: { login: string }; returns: UserRecord | null };
  "users.record": { params: { id: string }; returns: UserRecord | null };
  /** Those of the given ids that belong to a user, with names; `active`: to one who is not deactivated. */
  "users.names": { params: { ids: string[]; active?: boolean }; returns: { id: string; username: string }[] };
  "users.byUsernames": { params: { usernames: string[] }; returns: { id: string; username: string }[] };
  /** Users whose names begin with that, ignoring case, in order of name. */
  "users.startingWith": { params: { prefix: string; limit: number }; returns: { id: string; username: string }[] };
  /** Whether a user's picture is this file, and the viewer, if one is named, may see that user. */
  "users.shows": {
    params: { user: string; file: string; viewer?: { id: string; permissions: readonly Permission[] } };
    returns: boolean;
  };
  "users.me": { params: Record<string, never>; returns: PublicUser };
  "users.get": { params: { id: string }; returns: PublicUser };
  "users.list": { params: Paging & { search?: string }; returns: Page<PublicUser> };
  "users.updateMe": { params: ProfileChange; returns: PublicUser };
  "users.update": { params: ProfileChange & { id: string; roles?: Role[] }; returns: PublicUser };
  /** `erase`: also all that he has said and left in rooms, which takes its time (`users.erasure`). */
  "users.remove": { params: { id: string; erase?: boolean }; returns: null };
  "users.erasure": { params: { id: string }; returns: ErasureState };
  /** Has a user hold, of `managed`, the roles `held` and no others. The last Admin stays one. */
  "users.assignRoles": { params: { id: string; managed: Role[]; held: Role[] }; returns: UserRecord };
  /** A user that is a program: no e-mail, no password; auth makes tokens for it. */
  "users.createBot": { params: { username: string; displayName?: string }; returns: PublicUser };
  "users.bots": { params: Paging; returns: Page<PublicUser> };
  "users.removeBot": { params: { id: string }; returns: null };
  /** The profile with its e-mail, for the export of a person's data: oneself, or `users.manage`. */
  "users.personal": { params: { id: string }; returns: PublicUser };
  /** The newest first, like all lists of people. */
  "users.friends": { params: Paging; returns: Page<Related> };
  /** Ids of one's friends: whose presence to watch. */
  "users.friendIds": { params: Record<string, never>; returns: { items: string[] } };
  "users.requests": { params: Record<string, never>; returns: { incoming: Related[]; outgoing: Related[] } };
  /** Asks somebody to be friends, or says yes to him. */
  "users.befriend": { params: { userId: string }; returns: { state: "requested" | "friends" } };
  /** Ends a friendship or a request, whosever it was. */
  "users.unfriend": { params: { userId: string }; returns: null };
  "users.blocks": { params: Paging; returns: Page<Related> };
  "users.block": { params: { userId: string }; returns: null };
  "users.unblock": { params: { userId: string }; returns: null };
  "users.preferences": { params: Record<string, never>; returns: Preferences };
  "users.updatePreferences": { params: PreferencesChange; returns: Preferences };
  /** Those of the others who block the user or are blocked by him; at most 1,000 are looked at. */
  "users.blocksAmong": { params: { user: string; others: string[] }; returns: string[] };
  /** Those of the others who do not let the user begin a conversation with them. */
  "users.closedTo": { params: { user: string; others: string[] }; returns: string[] };
  /**
   * Of each list of users those whose presence is not for that viewer, who `finds` also whom he does not know; at most 1,000
   * users over all lists.
   */
  "users.unseen": { params: { asks: { viewer: string; finds: boolean; users: string[] }[] }; returns: string[][] };
  /** Whether others are not to be told how far the user has read. */
  "users.discreet": { params: { user: string }; returns: boolean };
  /** What an event may have told within that time, milliseconds; null: more than one wants to know one by one. */
  "users.recentRelations": { params: { within: number }; returns: { changes: RelationChange[] | null } };
  "users.exportRelations": { params: { user: string }; returns: ExportedRelations };
  /** E-mail addresses of those of the given ids who have one. */
  "users.emails": { params: { ids: string[] }; returns: { id: string; email: string }[] };
}
