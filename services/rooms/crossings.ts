import type { Documents } from "../../mixins/documents";
import { archivedRoom, RookeryError } from "../core/errors";
import { accessOf, isBanned, isMuted, membership, type Look, type Standing } from "./access";
import { isOpen, taken } from "./invites";
import { memberId, type RoomChange, type StoredInvite, type StoredMember, type StoredRoom } from "./room";
import type { Succession } from "./succession";

/** Somebody who comes or goes by himself. */
export interface Crossing extends Omit<Look, "now"> {
  user: string;
  way: "join" | "leave";
  /** Digest of the code of the link by which he comes. */
  invite?: string;
}

export interface Crossed {
  /** For each crossing what it is refused with, null for those that are granted. */
  refused: (RookeryError | null)[];
  /** What all that are granted come to: nothing of whoever is where he was. */
  changes: RoomChange[];
  /** The room's links, where some were used. */
  edit?: Pick<StoredRoom, "invites">;
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

/** What holds for all crossings of one decision, but for what those before a crossing have used up. */
interface Ground {
  room: StoredRoom;
  now: string;
  /** Members of a group at most. */
  most: number;
  invites: readonly StoredInvite[];
  /** How many more are in than when the decision began. */
  grown: number;
}

/**
 * Judges crossings that came together, each as if it was alone at its place in the row. Of different people they do not
 * depend on each other, so all goings are told before all comings: who goes and comes is then in, and who comes and goes was
 * never there.
 */
export async function judgeCrossings(
  members: Documents<StoredMember>,
  room: StoredRoom,
  crossings: readonly Crossing[],
  { now, most }: Pick<Ground, "now" | "most">,
  succession: Succession,
): Promise<Crossed> {
  const users = [...new Set(crossings.map(({ user }) => user))];
  const records = new Map((await members.getMany(users.map(user => memberId(room.id, user)))).map(m => [m.user, m]));
  const paths = new Map(
    users.map((user): [string, Path] => {
      const record = records.get(user);
      return [user, { was: membership(record), now: record, ended: false }];
    }),
  );
  const ground: Ground = { room, now, most, invites: room.invites ?? [], grown: 0 };
  const refused = crossings.map(crossing => step(ground, paths.get(crossing.user) as Path, crossing));
  const all = [...paths];
  const out = all.flatMap(([, { was, ended }]) => (was && ended ? [was] : []));
  const come = all.filter(([, { was, now, ended }]) => now?.state === "member" && (!was || ended));
  return {
    refused,
    changes: [
      ...(await succession.takingOut(out, "leave")),
      ...come.map(([user, { now: to }]): RoomChange => {
        const muted = isMuted(records.get(user), now);
        return { type: "member", user, change: "join", role: to?.role ?? "member", ...(muted && { muted }) };
      }),
    ],
    ...(ground.invites !== (room.invites ?? ground.invites) && { edit: { invites: [...ground.invites] } }),
  };
}

/** Moves a user one step on, or says why not. */
function step(ground: Ground, path: Path, { way, invite: digest, ...look }: Crossing): RookeryError | null {
  const { room, now } = ground;
  const inside = path.now?.state === "member";
  const invite = digest === undefined ? undefined : ground.invites.find(one => one.digest === digest);
  const invited = !inside && invite !== undefined && isOpen(invite, now) && !isBanned(path.now, now);
  const { denied } = accessOf(room.id, room, path.now, { ...look, now });
  if (denied && !(invited && room.deletedAt === null)) return new RookeryError(denied);
  if (digest !== undefined && !inside && !invited) return new RookeryError("NOT_FOUND");
  if (inside === (way === "join")) return null;
  // Who runs the installation sees the room all the same, and lifts the ban by a decision of its own.
  if (way === "join" && isBanned(path.now, now)) return new RookeryError("FORBIDDEN", "You are banned here.");
  if (way === "leave") {
    if (room.kind === "direct") return new RookeryError("FORBIDDEN", "A direct room cannot be left.");
    path.now = { ...JOINED, state: "left" };
    path.ended = true;
    ground.grown--;
    return null;
  }
  if (room.archivedAt) return archivedRoom();
  if (room.kind === "group" && room.memberCount + ground.grown >= ground.most)
    return new RookeryError("CONFLICT", `A group has at most ${ground.most} members.`);
  if (invited) ground.invites = taken(ground.invites, invite);
  path.now = { ...JOINED, role: invited ? invite.role : "member" };
  ground.grown++;
  return null;
}
