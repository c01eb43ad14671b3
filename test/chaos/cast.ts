import type { Ground } from "./ground";
import { Account } from "./account";
import { pick, some } from "./random";
import { Recorder, type Surroundings } from "./recorder";

/** A room of the run, and who is in it now as far as the run knows. */
export interface Room {
  readonly id: string;
  readonly kind: "public" | "private" | "direct";
  readonly members: Set<string>;
  /** Whose membership is being changed: what became of it nobody knows yet. */
  readonly changing: Set<string>;
}

/** Everybody of a run: the admin, who owns the channels, users, and clients that are their devices. */
export interface Cast {
  readonly admin: Account;
  readonly rooms: readonly Room[];
  readonly clients: readonly Recorder[];
  /** By id of the user. */
  readonly devices: ReadonlyMap<string, readonly Recorder[]>;
}

export interface CastOptions {
  clients: number;
  rooms: number;
}

const PASSWORD = "a-good-password";
/** Of a hundred clients forty people; of ten rooms six are public and two direct. */
const DEVICES_PER_USER = 2.5;
const DIRECT = 0.2;
const PRIVATE = 0.4;
/** Times that somebody tries to sign in before anything has gone wrong, and how many at once: it is all hashing. */
const TRIES = 5;
const ABREAST = 4;
/** Rooms that a user is in, but for the direct ones. */
const ROOMS_EACH = 4;

/** Registers everybody and makes the rooms. Rejects if the server does not play along: nothing has gone wrong yet. */
export async function gather(
  ground: Ground,
  { clients, rooms }: CastOptions,
  surroundings: Surroundings,
): Promise<Cast> {
  const { journal, random } = surroundings;
  const account = (client: string, username: string, password = PASSWORD): Account =>
    new Account(client, ground.url, { username, password }, journal);
  const admin = account("admin", "admin", ground.adminPassword);
  await signIn(admin);

  const names = Array.from({ length: Math.max(2, Math.ceil(clients / DEVICES_PER_USER)) }, (_, n) => `user-${n}`);
  const accounts = Array.from({ length: Math.max(clients, names.length) }, (_, n) =>
    account(`c${n}`, names[n % names.length] as string),
  );
  const first = accounts.slice(0, names.length);
  await each(first, async (one, n) => {
    // A machine under load may leave it unknown; then he is there, or signs in in vain.
    for (let left = TRIES; left > 0 && !(await one.register(`${names[n]}@example.org`)); left -= 1)
      if (one.refusal === "CONFLICT") return signIn(one);
    await signIn(one);
  });
  await each(accounts.slice(names.length), signIn);

  const users = first.map(({ user }) => user);
  const direct = Math.floor(rooms * DIRECT);
  const channels = await channelsOf(admin, rooms - direct, users, random);
  const pairs = await directsOf(first, direct, random);
  const all = [...channels, ...pairs];
  for (const { id, kind, members } of all)
    journal.staged({
      phase: "run",
      what: "room",
      room: id,
      members: [...members],
      open: true,
      public: kind === "public",
    });

  const recorders = accounts.map(one => new Recorder(one, surroundings));
  const devices = new Map(users.map(user => [user, recorders.filter(({ account: { user: id } }) => id === user)]));
  return { admin, rooms: all, clients: recorders, devices };
}

/** The channels are the admin's; each user is in some of them, each has two members at least. */
async function channelsOf(
  admin: Account,
  count: number,
  users: readonly string[],
  random: () => number,
): Promise<Room[]> {
  const crowds = Array.from({ length: count }, () => new Set(some(random, users, 2)));
  for (const user of users) for (const crowd of some(random, crowds, ROOMS_EACH)) crowd.add(user);
  const rooms: Room[] = [];
  await each(crowds, async (crowd, n) => {
    const isPrivate = n < count * PRIVATE;
    const made = await done("a channel", admin, "POST", "/api/channels", { name: `room-${n}`, isPrivate });
    for (const userId of crowd) await done("a member", admin, "POST", `/api/channels/${made.id}/members`, { userId });
    rooms.push({
      id: made.id,
      kind: isPrivate ? "private" : "public",
      members: new Set([admin.user, ...crowd]),
      changing: new Set(),
    });
  });
  return rooms;
}

async function directsOf(accounts: readonly Account[], count: number, random: () => number): Promise<Room[]> {
  const rooms = new Map<string, Room>();
  for (let n = 0; n < count; n += 1) {
    const [one, other] = some(random, accounts, 2) as [Account, Account];
    const body = { type: "direct", members: [other.user] };
    const { id } = await done("a direct room", one, "POST", "/api/conversations", body);
    rooms.set(id, { id, kind: "direct", members: new Set([one.user, other.user]), changing: new Set() });
  }
  return [...rooms.values()];
}

/** An account of somebody who is in the room, the admin's if he is. */
export function memberOf({ admin, devices }: Cast, { members }: Room, random: () => number): Account | null {
  if (members.has(admin.user)) return admin;
  const user = pick(random, [...members]);
  return (user !== undefined && devices.get(user)?.[0]?.account) || null;
}

async function done(what: string, account: Account, method: string, path: string, body: unknown) {
  const outcome = await account.request(method, path, body);
  if (outcome.state !== "ok") throw new Error(`${what}: ${outcome.code}`);
  return outcome.body;
}

async function signIn(account: Account): Promise<void> {
  for (let left = TRIES; left > 0; left -= 1) if ((await account.token()) !== null) return;
  throw new Error(`${account.client} cannot sign in: ${account.refusal}`);
}

/** A few at a time. */
async function each<T>(all: readonly T[], act: (one: T, n: number) => Promise<void>, abreast = ABREAST): Promise<void> {
  const entries = all.entries();
  await Promise.all(
    Array.from({ length: abreast }, async () => {
      for (const [n, one] of entries) await act(one, n);
    }),
  );
}
