import { Few } from "./few";

/**
 * The fan-out between the writer of a room and the gateways that hold its readers. It may lose, repeat or reorder:
 * offsets let a gateway notice, and the log is the truth it heals from. Payloads are encoded once, by the writer.
 */

/**
 * `user` is what a user's own feed consists of; its data is a `UserNote`. `hidden` is in no log: readers get it in place of an
 * entry that is not for them.
 */
export type EntryKind = "message" | "edit" | "delete" | "reaction" | "member" | "room" | "pin" | "user" | "hidden";

/** One stored change of a room, as every gateway gets it. */
export interface RoomEvent {
  /** Place in the room's log: 1, 2, 3, ... without holes. */
  offset: number;
  /** Number of messages in the log up to and including this entry. */
  seq: number;
  kind: EntryKind;
  /** The event's `data` as JSON text, encoded once by the writer. */
  data: string;
  /** For changes of a message: where that message stands and what it is now, so that no ring keeps what it was. */
  target?: { offset: number; data: string };
  /** For membership: whom it concerns, so that a gateway can cut or grant without parsing. */
  member?: { user: string; change: MemberChange; role?: string; muted?: true };
}

export const MEMBER_CHANGES = ["join", "leave", "remove", "ban", "role", "mute", "unmute", "unban"] as const;
export type MemberChange = (typeof MEMBER_CHANGES)[number];

/** True for changes after which the user may no longer read a room that is not public. */
export const endsMembership = (change: MemberChange): boolean =>
  change === "leave" || change === "remove" || change === "ban";

/** What a change shows of a message that has left the log: an object like every other, and nothing in it. */
export const GONE = "{}";

/** What is shown and forgotten: carries no offset and may be dropped. */
export type RoomSignal =
  | { type: "typing"; user: string; on: boolean }
  | { type: "read"; user: string; seq: number }
  | { type: "delivered"; user: string; seq: number };

export interface RoomHead {
  offset: number;
  seq: number;
}

export type RoomPacket =
  | { type: "events"; room: string; events: RoomEvent[] }
  | { type: "signal"; room: string; signal: RoomSignal }
  /** Told again after a burst, so that a lost last event is noticed. */
  | { type: "head"; room: string; head: RoomHead }
  /** Entries below it have left the log: nobody shows them any more. */
  | { type: "floor"; room: string; floor: number };

export type RoomListener = (packet: RoomPacket) => void;

export interface RoomBus {
  publish(packet: RoomPacket): void;
  /** Calls `listener` for every packet of the room until the returned function is called. Resolves when interest is known. */
  subscribe(room: string, listener: RoomListener): Promise<() => void>;
}

/** The bus of one process: delivers in the same tick, in order. Also what tests use. */
export class MemoryRoomBus implements RoomBus {
  private readonly rooms = new Map<string, Few<RoomListener>>();

  publish(packet: RoomPacket): void {
    const listeners = this.rooms.get(packet.room);
    if (listeners) for (const listener of [...listeners]) listener(packet);
  }

  subscribe(room: string, listener: RoomListener): Promise<() => void> {
    const listeners = this.rooms.get(room) ?? new Few();
    this.rooms.set(room, listeners.add(listener));
    return Promise.resolve(() => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.rooms.get(room) === listeners) this.rooms.delete(room);
    });
  }
}
