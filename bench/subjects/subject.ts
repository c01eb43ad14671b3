import type { Watched } from "../load/order";
import type { ProtocolName } from "../load/protocols";

/** A server that is measured. */
export interface Subject {
  readonly name: string;
  readonly protocol: ProtocolName;
  /** Of 127.0.0.1, for sockets. */
  readonly ports: readonly number[];
  /** Of the text of a message, so that delivered events have the same size everywhere. */
  readonly textBytes: number;
  /** Rooms a connection is in while it is idle. */
  readonly idleRooms: number;
  /** Connections that are opened at a time; default 50. */
  readonly opening?: number;
  /** What the seed has made, for a subject that knows its users. */
  readonly ground?: string;
  /** Processes that run now; `database` is counted apart. */
  watched(): Watched[];
  stop(): Promise<void>;
}

export const DATABASE = "database";

/** Groups of rooms that the seed makes, by what they are for. */
export const GROUPS = {
  one: { rooms: 1, each: 1, users: 1_000 },
  hundred: { rooms: 100, each: 1, users: 1_000 },
  idle: { rooms: 1_000, each: 5 },
};
