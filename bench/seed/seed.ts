import { writeFileSync } from "node:fs";
import { emptyStage } from "../../mixins/staged-changes";
import { newId } from "../../services/core/ids";
import type { Identity } from "../../services/core/model";
import { permissionsOf } from "../../services/core/permissions";
import { MEMBERS, memberId, ROOMS, type StoredMember, type StoredRoom } from "../../services/rooms/room";
import { USERS, type StoredUser } from "../../services/users/user";
import { roomsOf, type Ground, type GroundRooms } from "../load/crowd";
import { fill } from "./messages";
import type { Progress } from "./progress";
import { openStores, type Installation, type Stores } from "./stores";

export interface SeedPlan {
  users: number;
  /** User `u` is in the rooms `u * each + 0 ... each - 1` of every group, modulo its rooms, if he is among its first `users`. */
  groups: Record<string, { rooms: number; each: number; users?: number }>;
  /** In all rooms of the first group together. */
  messages: number;
  /** Of names; default: one that was not used before. */
  prefix?: string;
}

/** Documents of one write, and writes under way at a time. */
const BATCH = 1_000;
const AT_ONCE = 8;

/**
 * Makes users, rooms, memberships, messages and access tokens, without a password for anybody: nobody can sign in, and
 * every token holds. Written through the stores of the services, as if all of it had come about by itself.
 */
export async function seed(installation: Installation, plan: SeedPlan, progress: Progress): Promise<Ground> {
  const stores = await openStores(installation);
  try {
    const users = makeUsers(plan);
    await store(await stores.collection<StoredUser>(USERS), users, "users", progress);
    const groups = await storeRooms(stores, plan, users, progress);
    const [first] = Object.values(groups);
    if (first && plan.messages > 0) await fill(stores.messages, first, users, plan.messages, progress);
    const revision = await stores.revision();
    progress.begin("tokens", users.length);
    const tokens = users.map(user => {
      progress.add(1);
      return stores.tokens.sign(identityOf(user), revision);
    });
    progress.end();
    return { tokens, groups };
  } finally {
    await stores.close();
  }
}

/** Keeps what was made where the load generator finds it. */
export function keepGround(file: string, ground: Ground): void {
  const rooms = Object.values(ground.groups)[0]?.rooms ?? [];
  writeFileSync(file, JSON.stringify({ tokens: ground.tokens, rooms, groups: ground.groups }), { mode: 0o600 });
}

function makeUsers({ users, prefix = `s${Date.now().toString(36)}` }: SeedPlan): StoredUser[] {
  const createdAt = new Date().toISOString();
  return Array.from({ length: users }, (_, at) => {
    const username = `${prefix}-${at}`;
    const email = `${username}@example.org`;
    return { id: newId(), username, usernameKey: username, email, emailKey: email, roles: ["User"], createdAt };
  });
}

async function storeRooms(
  stores: Stores,
  { groups, prefix = `seed-${newId()}` }: SeedPlan,
  users: readonly StoredUser[],
  progress: Progress,
): Promise<Record<string, GroundRooms>> {
  const insertRooms = await stores.collection<StoredRoom>(ROOMS);
  const insertMembers = await stores.collection<StoredMember>(MEMBERS);
  const made: Record<string, GroundRooms> = {};
  for (const [name, { rooms: count, each, users: among = users.length }] of Object.entries(groups)) {
    const rooms = Array.from({ length: count }, (_, at) => roomOf(`${prefix}-${name}-${at}`));
    const members = users
      .slice(0, among)
      .flatMap((user, at) => roomsOf(at, count, each).map(index => memberOf(rooms[index] as StoredRoom, user)));
    // A room without members is nobody's, and counts none.
    const owned = rooms.map(room => ({ ...room, createdBy: room.createdBy || (users[0]?.id ?? newId()) }));
    await store(insertRooms, owned, `rooms of ${name}`, progress);
    await store(insertMembers, members, `members of ${name}`, progress);
    made[name] = { rooms: rooms.map(({ id }) => id), each };
  }
  return made;
}

function roomOf(name: string): StoredRoom {
  const id = newId();
  return {
    ...emptyStage(),
    ...{ id, name, nameKey: name, directKey: null, audience: id, topic: null },
    kind: "channel",
    isPrivate: true,
    history: "all",
    createdBy: "",
    createdAt: new Date().toISOString(),
    memberCount: 0,
    deletedAt: null,
  };
}

/** A membership, noted in its room: the first member made the room and owns it. */
function memberOf(room: StoredRoom, { id: user }: StoredUser): StoredMember {
  const isOwner = room.memberCount === 0;
  if (isOwner) room.createdBy = user;
  room.memberCount++;
  room.version++;
  return {
    id: memberId(room.id, user),
    ...{ room: room.id, user, kind: room.kind, n: room.version },
    state: "member",
    role: isOwner ? "owner" : "member",
    joinedAt: room.createdAt,
    visibleFrom: 0,
  };
}

async function store<T>(
  insert: (docs: readonly T[]) => Promise<void>,
  docs: readonly T[],
  what: string,
  progress: Progress,
): Promise<void> {
  progress.begin(what, docs.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next; at < docs.length; at = next) {
      next += BATCH;
      const batch = docs.slice(at, at + BATCH);
      await insert(batch);
      progress.add(batch.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  progress.end();
}

const identityOf = ({ id, username, roles }: StoredUser): Identity => ({
  ...{ id, username, roles, permissions: permissionsOf(roles) },
  sid: newId(),
});
