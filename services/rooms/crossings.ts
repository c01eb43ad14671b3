import type { Documents } from "../../mixins/documents";
import { RookeryError } from "../core/errors";
import {
  accessOf,
  memberId,
  membership,
  type RoomChange,
  type Standing,
  type StoredMember,
  type StoredRoom,
} from "./room";

/** Somebody who comes or goes by himself. */
export interface Crossing {
  user: string;
  way: "join" | "leave";
}

export interface Crossed {
  /** For each crossing what it is refused with, null for those that are granted. */
  refused: (RookeryError | null)[];
  /** What all that are granted come to: nothing of whoever is where he was. */
  changes: RoomChange[];
}

/** A user's way through the crossings of one decision. */
interface Path {
  /** The membership it began with. */
  was: StoredMember | null;
  /** Where he stands after those looked at so far. */
  now: Standing | undefined;
  /** Whether that membership has ended since, even if another began. */
  ended: boolean;
}

const JOINED: Standing = { state: "member", role: "member", visibleFrom: 0 };

/**
 * Judges crossings that came together, each as if it was alone at its place in the row. Of different people they do not
 * depend on each other, so all goings are told before all comings: who goes and comes is then in, and who comes and goes was
 * never there.
 */
export async function judgeCrossings(
  members: Documents<StoredMember>,
  room: StoredRoom,
  crossings: readonly Crossing[],
): Promise<Crossed> {
  const users = [...new Set(crossings.map(({ user }) => user))];
  const records = new Map((await members.getMany(users.map(user => memberId(room.id, user)))).map(m => [m.user, m]));
  const paths = new Map(
    users.map((user): [string, Path] => {
      const record = records.get(user);
      return [user, { was: membership(record), now: record, ended: false }];
    }),
  );
  const refused = crossings.map(({ user, way }) => step(room, paths.get(user) as Path, way));
  const all = [...paths];
  const out = all.flatMap(([, { was, ended }]) => (was && ended ? [was] : []));
  const come = all.filter(([, { was, now, ended }]) => now?.state === "member" && (!was || ended));
  return {
    refused,
    changes: [
      ...(await takingOut(members, out, "leave")),
      ...come.map(([user]): RoomChange => ({ type: "member", user, change: "join", role: "member" })),
    ],
  };
}

/** Ends memberships of one room; where the last owner goes, the longest-standing of the highest role takes over. */
export async function takingOut(
  members: Documents<StoredMember>,
  out: readonly StoredMember[],
  change: "leave" | "remove",
): Promise<RoomChange[]> {
  const owners = out.filter(({ role }) => role === "owner");
  const others = out.filter(({ role }) => role !== "owner");
  const heir = owners[0] ? await heirOf(members, owners[0].room, new Set(out.map(({ user }) => user))) : null;
  return [
    ...(heir ? [{ type: "member", user: heir, change: "role", role: "owner" } as const] : []),
    // Owners last: a room that all leave has one until the end.
    ...[...others, ...owners].map(({ user }): RoomChange => ({ type: "member", user, change })),
  ];
}

/** Moves a user one step on, or says why not. */
function step(room: StoredRoom, path: Path, way: Crossing["way"]): RookeryError | null {
  const { denied } = accessOf(room.id, room, path.now);
  if (denied) return new RookeryError(denied);
  const inside = path.now?.state === "member";
  if (inside === (way === "join")) return null;
  if (way === "join") path.now = JOINED;
  else {
    if (room.kind === "direct") return new RookeryError("FORBIDDEN", "A direct room cannot be left.");
    path.now = { ...JOINED, state: "left" };
    path.ended = true;
  }
  return null;
}

/** Who becomes owner when all of `out` go, null if an owner stays or nobody does. */
async function heirOf(
  members: Documents<StoredMember>,
  room: string,
  out: ReadonlySet<string>,
): Promise<string | null> {
  for (const role of ["owner", "moderator", "member"] as const) {
    const where = { room, role, state: "member" } as const;
    const found = await members.find({ where, sort: "joinedAt", limit: out.size + 1 });
    const first = found.find(({ user }) => !out.has(user));
    if (first) return role === "owner" ? null : first.user;
  }
  return null;
}
