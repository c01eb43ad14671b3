import { readFileSync } from "node:fs";
import type { Ground } from "../load/crowd";
import type { HttpOrder } from "../load/order";

/** Connections, each of a user of his own: a server answers many at a time. */
const CONNECTIONS = 32;
/** Messages of a page of history. */
export const PAGE = 50;
/** Bytes of a posted text. */
const TEXT = 61;

export interface RestPlace {
  port: number;
  ground: string;
  watched: HttpOrder["watched"];
  warm: number;
  seconds: number;
}

/** The newest page of a room, or a message to it: by 32 people, in the rooms of the group `hundred` that they are in. */
export function httpOrder(method: HttpOrder["method"], { ground, ...place }: RestPlace): HttpOrder {
  const { tokens, groups } = JSON.parse(readFileSync(ground, "utf8")) as Ground;
  const rooms = groups.hundred?.rooms.slice(0, CONNECTIONS) ?? [];
  const query = method === "GET" ? `?limit=${PAGE}` : "";
  return {
    kind: "http",
    ...place,
    connections: CONNECTIONS,
    method,
    paths: rooms.map(room => `/api/channels/${room}/messages${query}`),
    tokens: tokens.slice(0, CONNECTIONS),
    ...(method === "POST" && { text: "x".repeat(TEXT) }),
    status: method === "POST" ? 201 : 200,
  };
}
