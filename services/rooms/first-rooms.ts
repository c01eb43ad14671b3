import { DuplicateKeyError, type CollectionSpec, type Documents } from "../../mixins/documents";
import type { AppendAnswer, UserRecord } from "../core/contract";
import { hasCode, RookeryError } from "../core/errors";
import type { Identity } from "../core/model";
import { permissionsOf } from "../core/permissions";
import type { Append } from "./changes";
import type { StoredRoom } from "./room";
import type { Rooms } from "./rooms";

/** That something was seeded once: what an operator deletes later does not come back. */
export interface Seed {
  id: string;
}

export const SEEDS: CollectionSpec = { collection: "room_seeds" };

const CHANNELS = [
  {
    name: "general",
    topic: "Everything and everybody",
    messages: [
      "Welcome to Rookery. This channel is public: everybody who signs in may read it, members may write.",
      "Open a second window, sign in as somebody else, and write. Then stop the server in the middle of it: what was acknowledged is still there.",
      "The REST interface can be tried at /api/docs.",
    ],
  },
  { name: "random", topic: "What does not fit elsewhere", messages: ["Nothing here has to make sense."] },
];

interface Ground {
  seeds: Documents<Seed>;
  store: Documents<StoredRoom>;
  rooms: Rooms;
  append: Append;
  /** Characters a message may have here. */
  maxText: number;
  admin(): Promise<UserRecord | null>;
}

/**
 * Makes the first channels and messages, once. Resolves to whether that is done; while there is no admin, false. Every step
 * can be repeated: a start that was cut off goes on where it was, and nodes that do it at the same time do it once.
 */
export async function seedRooms({ seeds, store, rooms, append, maxText, admin }: Ground): Promise<boolean> {
  const done = async (): Promise<boolean> => (await seeds.get("channels")) !== null;
  if (await done()) return true;
  const owner = await admin();
  if (!owner) return false;
  const user: Identity = { ...owner, permissions: permissionsOf(owner.roles), sid: "seed" };
  for (const { name, topic, messages } of CHANNELS) {
    // Another node may have come first; what an operator deleted since then does not come back.
    if (await done()) return true;
    const made = await rooms.createChannel(owner.id, { name, topic }).catch(taken);
    const room = made ?? (await store.findOne({ nameKey: name }));
    // A channel of this name that somebody else made is his.
    if (room?.createdBy !== owner.id) continue;
    // Also waits for a room that another node is just making.
    await rooms.join(user, room.id);
    for (const [index, whole] of messages.entries()) {
      const entry = { op: "send", text: whole.slice(0, maxText), clientId: `seed-${index + 1}` } as const;
      const answer = (await append([{ room: room.id, user, entry }]))[0] as AppendAnswer;
      if (!answer.ok) throw new RookeryError(answer.error.code, answer.error.detail);
    }
  }
  try {
    await seeds.insert({ id: "channels" });
  } catch (error) {
    if (!(error instanceof DuplicateKeyError)) throw error;
  }
  return true;
}

function taken(error: unknown): null {
  if (hasCode(error, "CONFLICT")) return null;
  throw error;
}
