import type { Account } from "./account";
import { memberOf, type Cast, type Room } from "./cast";
import type { Ground } from "./ground";
import type { Journal } from "./journal";
import { some } from "./random";
import { allOverRest, Reader } from "./reader";

/** Milliseconds until everybody must have come to rest once nothing is wrong any more. */
const PATIENCE = 30_000;
const PACE = 100;
/** Own messages of how many clients whose receipts are read. */
const RECEIPTS = 20;

/**
 * Waits until everybody has come to rest, then reads everything that can be read, through every door. Returns what had not
 * come to rest; the history shows what that means.
 */
export async function readAll(
  ground: Ground,
  cast: Cast,
  journal: Journal,
  random: () => number,
  patience = PATIENCE,
): Promise<string[]> {
  const restless: string[] = [];
  const wait = async (what: () => string[]): Promise<void> => {
    const left = await until(what, patience);
    restless.push(...left);
  };
  await wait(() =>
    cast.clients.filter(({ hasLeft, isQuiet }) => !hasLeft && !isQuiet).map(({ name, owes }) => `${name}: ${owes}`),
  );

  const readers = await openReaders(ground, cast, journal, random);
  const heads = new Map<string, number>();
  // A gateway may not know yet of what was acknowledged.
  for (const known of [...readers.map(({ reader }) => reader.heads), ...cast.clients.map(one => one.acknowledged)])
    for (const [room, head] of known) heads.set(room, Math.max(head, heads.get(room) ?? 0));
  await wait(() => behind(cast, heads));
  await Promise.all(
    readers.map(async ({ reader, rooms }) => {
      for (const room of rooms) await reader.all(room.id);
      reader.close();
    }),
  );
  for (const room of cast.rooms) {
    const account = memberOf(cast, room, random);
    if (account) await allOverRest(account, room.id, journal);
  }
  await readMarks(cast, random);
  await readPresence(cast, patience);
  return restless;
}

/** One for each door and each account that is needed to see all rooms. */
async function openReaders(ground: Ground, cast: Cast, journal: Journal, random: () => number) {
  const byAccount = new Map<Account, Room[]>();
  for (const room of cast.rooms) {
    const account = memberOf(cast, room, random);
    if (account) byAccount.set(account, [...(byAccount.get(account) ?? []), room]);
  }
  const wanted = ground.doors.flatMap(door => [...byAccount].map(([account, rooms]) => ({ door, account, rooms })));
  return Promise.all(
    wanted.map(async ({ door, account, rooms }) => ({
      rooms,
      reader: await Reader.open(
        door,
        account,
        rooms.map(({ id }) => id),
        journal,
      ),
    })),
  );
}

function behind(cast: Cast, heads: ReadonlyMap<string, number>): string[] {
  const there = cast.clients.filter(({ hasLeft }) => !hasLeft);
  return there.flatMap(({ name, rooms }) =>
    [...rooms].flatMap(([room, { offset }]) => {
      const head = heads.get(room) ?? 0;
      return (offset ?? 0) < head ? [`${name} is at ${offset} of ${head} in room ${room}`] : [];
    }),
  );
}

async function readMarks({ clients, devices }: Cast, random: () => number): Promise<void> {
  for (const [{ account } = {}] of devices.values()) await account?.ask({ op: "unread" }, "GET", "/api/unread");
  const authors = clients.filter(({ own }) => own.length > 0);
  for (const { account, own } of some(random, authors, RECEIPTS)) {
    const { room, id: message } = own.at(-1) as { room: string; id: string };
    await account.ask({ op: "receipts", room, message }, "GET", `/api/messages/${message}/receipts`);
  }
}

/** Waits until it is as it must be, and writes down what it is then. */
async function readPresence({ admin, clients, devices }: Cast, patience: number): Promise<void> {
  const who = [...devices.keys()];
  const online = new Set(clients.filter(({ isReady }) => isReady).map(({ account: { user } }) => user));
  const read = async (): Promise<Record<string, string> | null> => {
    const answers = await Promise.all(who.map(user => admin.request("GET", `/api/users/${user}`)));
    const known = answers.flatMap((answer, n) => (answer.state === "ok" ? [[who[n], answer.body.status]] : []));
    return known.length === who.length ? Object.fromEntries(known) : null;
  };
  await until(async () => {
    const presence = await read();
    return who.filter(user => (presence?.[user] === "online") !== online.has(user));
  }, patience);
  await admin.observe({ op: "presence", who }, async () => {
    const presence = await read();
    return presence && { presence };
  });
}

/** What is left of it in the end. */
async function until(left: () => string[] | Promise<string[]>, patience: number): Promise<string[]> {
  for (const end = performance.now() + patience; ; await breath()) {
    const now = await left();
    if (now.length === 0 || performance.now() > end) return now;
  }
}

const breath = (): Promise<void> => new Promise(resolve => setTimeout(resolve, PACE));
