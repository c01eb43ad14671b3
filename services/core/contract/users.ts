import type { Page, PublicUser } from "../model";
import type { Role } from "../permissions";
import type { UserRecord } from "./auth";
import type { Paging } from "./paging";

export interface UsersActions {
  "users.create": {
    params: { id: string; username: string; email?: string; roles?: Role[]; displayName?: string };
    returns: UserRecord;
  };
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
  "users.remove": { params: { id: string }; returns: null };
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
