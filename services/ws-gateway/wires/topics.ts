import { Few } from "../../core/few";
import { framesOf, happenedIn } from "./happened";
import { LocalTopics } from "./http/local-topics";
import type { Wire } from "./wire";

interface Listener {
  send(text: string): void;
}

/** Topics of the engine, one for each room and wire: what happens in a room is encoded once for each wire in use here. */
export class Topics {
  /** Readers of a room by their wire. */
  private readonly rooms = new Map<string, Map<Wire, number>>();
  /** The two people of each direct room that is read here. */
  private readonly directs = new Map<string, readonly string[]>();

  /** Who hears a room as the native frames it consists of. */
  private readonly listeners = new Map<string, Few<Listener>>();
  /** Of connections that the engine does not have. */
  readonly local = new LocalTopics();

  /** @param engine publishes to everybody of a topic */
  constructor(private readonly engine: (topic: string, text: string) => void) {}

  listen(room: string, listener: Listener): void {
    this.listeners.set(room, (this.listeners.get(room) ?? new Few<Listener>()).add(listener));
  }

  unlisten(room: string, listener: Listener): void {
    const all = this.listeners.get(room);
    all?.delete(listener);
    if (all?.size === 0) this.listeners.delete(room);
  }

  /** The topic of a room's readers over a wire, of whom there is one more. */
  enter(wire: Wire, room: string): string {
    const readers = this.rooms.get(room) ?? new Map<Wire, number>();
    this.rooms.set(room, readers);
    readers.set(wire, (readers.get(wire) ?? 0) + 1);
    return topicOf(wire, room);
  }

  leave(wire: Wire, room: string): string {
    const readers = this.rooms.get(room);
    const left = (readers?.get(wire) ?? 1) - 1;
    if (left > 0) readers?.set(wire, left);
    else readers?.delete(wire);
    if (readers?.size === 0) {
      this.rooms.delete(room);
      this.directs.delete(room);
    }
    return topicOf(wire, room);
  }

  /** Who the two of a direct room are; to be said before it is read. */
  direct(room: string, members: readonly string[]): void {
    this.directs.set(room, members);
  }

  /** To everybody who has that wire and is ready. */
  toAll(wire: Wire, text: string): void {
    this.toTopic(wire.name, text);
  }

  /** One native frame to all readers of a room, whatever wire they have. */
  publish(room: string, text: string): void {
    this.engine(room, text);
    for (const listener of this.listeners.get(room) ?? []) listener.send(text);
    const readers = this.rooms.get(room);
    if (!readers) return;
    const direct = this.directs.get(room);
    const told = { text: () => text, events: framesOf(text).flatMap(frame => happenedIn(frame, direct)) };
    for (const wire of readers.keys())
      for (const message of wire.encode(told)) this.toTopic(topicOf(wire, room), message);
  }

  private toTopic(topic: string, text: string): void {
    this.engine(topic, text);
    this.local.publish(topic, text);
  }
}

/** No room's id has a space in it. */
export const topicOf = (wire: Wire, room: string): string => `${wire.name} ${room}`;
