import type { Ground } from "../chaos/ground";
import { Stage, say, type Client, type Origin } from "../support/client";
import type { Scene } from "./vocabulary";

const PEOPLE = ["ann", "bob", "cem", "dora"];
const ROOMS = 6;
/** Of each room: frames name them, so that more than their absence is answered. */
const MESSAGES = 5;

/** What a run needs. */
export interface Staged {
  scene: Scene;
  /** He, his own room and one of the others'. */
  witness: Client;
  own: string;
  common: string;
}

/** Registers everybody and makes the rooms. */
export async function setScene(ground: Ground): Promise<Staged> {
  const origin: Origin = { url: ground.url, wsUrl: ground.doors[0] as string, adminPassword: ground.adminPassword };
  const stage = await Stage.on(origin);
  const people: Client[] = [];
  for (const name of PEOPLE) people.push(await stage.user(name));
  const witness = await stage.user("witness");
  const rooms: string[] = [];
  const messages: string[] = [];
  for (let n = 0; n < ROOMS; n++) {
    const room = await stage.channel([...people, witness]);
    rooms.push(room);
    const author = people[n % people.length] as Client;
    for (let m = 0; m < MESSAGES; m++) messages.push((await say(author, room, `message ${m}`)).id as string);
  }
  const own = await stage.channel([witness], { isPrivate: true });
  return {
    scene: {
      port: Number(new URL(ground.url).port),
      people: people.map(({ id, token }) => ({ id, token: token as string })),
      ...{ rooms, messages, foreign: own },
    },
    witness,
    own,
    common: rooms[0] as string,
  };
}
