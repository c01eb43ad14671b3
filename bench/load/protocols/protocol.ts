import type { Stamped } from "../stamp";

/** One connection, as a protocol sees it. */
export interface Speaker {
  readonly rooms: readonly string[];
  /** Of a subject that knows its users. */
  readonly token: string | undefined;
  say(text: string): void;
}

/** How a subject is spoken to. Sends are answered by the event itself, so a protocol need not understand answers. */
export interface Protocol {
  readonly path: string | ((speaker: Speaker) => string);
  readonly subprotocol?: string;
  /** Between the events of one frame; empty: a frame is an event. */
  readonly separator: "" | "\n" | "\x1e";
  /** Said as soon as the socket is open. */
  greet(speaker: Speaker): void;
  /** Whether this event refuses to let it join for now only: then it greets again a moment later. */
  busy?(event: string): boolean;
  /** Whether the connection is in all its rooms by this event; may say more. Throws if it is refused. */
  joined(event: string, speaker: Speaker): boolean;
  send(room: string, message: Stamped): string;
  isDelivery(event: string): boolean;
  /** What is said to an event that wants an answer. */
  reply?(event: string): string | null;
  /** The serial of a send that was refused. */
  refused?(event: string): number | null;
}

/** Counts down to the last room. */
export class Joining {
  private readonly left = new WeakMap<Speaker, number>();

  /** One room more; whether it was the last. */
  one(speaker: Speaker): boolean {
    const left = (this.left.get(speaker) ?? speaker.rooms.length) - 1;
    this.left.set(speaker, left);
    return left === 0;
  }
}
