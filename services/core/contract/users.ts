import type { Page, PublicUser } from "../model";
import type { Role } from "../permissions";
import type { UserRecord } from "./auth";
import type { Paging } from "./paging";

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
    params: {
      id: string;
      username: string;
      email?: string;
      roles?: Role[];
      displayName?: string;
      unverified?: boolean;
    };
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
  /** Those of the given ids that belong to a user, with names. */
  "users.names": { params: { ids: string[] }; returns: { id: string; username: string }[] };
  "users.byUsernames": { params: { usernames: string[] }; returns: { id: string; username: string }[] };
  /** Users whose names begin with that, ignoring case, in order of name. */
  "users.startingWith": { params: { prefix: string; limit: number }; returns: { id: string; username: string }[] };
  /** Whether a user's picture is this file. */
  "users.shows": { params: { user: string; file: string }; returns: boolean };
  "users.me": { params: Record<string, never>; returns: PublicUser };
  "users.get": { params: { id: string }; returns: PublicUser };
  "users.list": { params: Paging & { search?: string }; returns: Page<PublicUser> };
  "users.updateMe": { params: { displayName?: string | null; avatarUrl?: string | null }; returns: PublicUser };
  "users.update": {
    params: { id: string; displayName?: string | null; avatarUrl?: string | null; roles?: Role[] };
    returns: PublicUser;
  };
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
  /** E-mail addresses of those of the given ids who have one. */
  "users.emails": { params: { ids: string[] }; returns: { id: string; email: string }[] };
}
