import { readFileSync } from "node:fs";
import { Connection } from "./connection";
import type { Meter } from "./meter";
import type { Crowd } from "./order";
import { protocols } from "./protocols";

/** What the seed has made: access tokens of its users, and ids of rooms by group. User `u` is a member as `roomsOf` says. */
export interface Ground {
  tokens: string[];
  groups: Record<string, GroundRooms>;
}

export interface GroundRooms {
  rooms: string[];
  each: number;
}

/** Indexes of the rooms that the user or connection `at` is in. */
export const roomsOf = (at: number, rooms: number, each: number): number[] =>
  Array.from({ length: Math.min(each, rooms) }, (_, k) => (at * each + k) % rooms);

/** Connections that are being opened at a time, unless the order says so. */
const OPENING = 50;

/** Makes the connections of an order; a user who has several is on several devices. */
export function connectionsOf(order: Crowd, meter: Meter): (at: number) => Connection {
  const protocol = protocols[order.protocol];
  const portOf = (at: number): number => order.ports[at % order.ports.length] as number;
  if (order.ground === undefined) {
    const rooms = (at: number) => roomsOf(at, order.rooms, order.roomsEach).map(index => `r${index}`);
    return at => new Connection({ protocol, meter, port: portOf(at), rooms: rooms(at), token: undefined });
  }
  const { tokens, groups } = JSON.parse(readFileSync(order.ground, "utf8")) as Ground;
  const group = groups[order.group ?? ""];
  if (!group) throw new Error(`no rooms of the group ${order.group} in ${order.ground}`);
  const users = Math.min(order.users ?? tokens.length, tokens.length);
  return at => {
    const user = at % users;
    const rooms = roomsOf(user, group.rooms.length, group.each).slice(0, order.roomsEach);
    const ids = rooms.map(index => group.rooms[index] as string);
    return new Connection({ protocol, meter, port: portOf(at), rooms: ids, token: tokens[user] });
  };
}

/** Opens connections, so many at a time; resolves with how long each took, in milliseconds. */
export async function openAll(connections: readonly Connection[], opening = OPENING): Promise<number[]> {
  const times: number[] = [];
  let next = 0;
  const open = async (): Promise<void> => {
    for (let at = next++; at < connections.length; at = next++) {
      const began = performance.now();
      await (connections[at] as Connection).open();
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: opening }, open));
  return times;
}
