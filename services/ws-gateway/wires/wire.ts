import type { Wire as WireName } from "../../../config/metrics";
import type { Close } from "../../core/closes";
import { publicError, type PublicError } from "../../core/errors";
import type { PresenceStatus } from "../../core/model";
import type { ClientFrame } from "../../core/protocol";

/**
 * A wire is a translator between what its clients say and the native frames, which alone the gateway knows: it needs no
 * more than the two interfaces below, and what the clients of all wires ask for is in `chat.ts`.
 */
export interface Wire {
  readonly name: Exclude<WireName, "native">;
  /** Milliseconds from connecting to the first word, if they are not those of the native wire. */
  readonly helloWithin?: number;
  /** What all who are ready get so often, if nothing else shows that the connection lives. Milliseconds. */
  readonly ping?: { every: number; text: string };
  /** What is told, as texts to be sent one by one: encoded once for all who are told it here. */
  encode(told: Told): string[];
  /** One who has just connected. */
  session(port: Port): Session;
}

export interface Session {
  /** What the client sent. */
  text(text: string): void;
  /** A binary message came; absent: this wire has none. */
  binary?(): void;
  /** One call over plain HTTP, where it is answered at once: resolves to the answer. */
  single?(text: string): Promise<string>;
  /** The last words before the end, if this wire has any. */
  closing(close: Close): string | null;
}

/** What a session has of the world. */
export interface Port {
  /** The access token that came with the connection; empty if none did. */
  readonly token: string;
  /** Under which requests of it come, where it consists of requests; else a name of its own. */
  readonly name: string;
  readonly closed: boolean;
  /** Bytes that wait for the client. */
  readonly buffered: number;
  /** It consists of requests of HTTP. */
  readonly requests: boolean;
  /** Says a native frame on the client's behalf; it is answered exactly once unless the connection ends before. */
  ask(frame: ClientFrame, answered: (answer: Answer) => void): void;
  /** To be asked for each thing the client said, before it is looked into. False: he is not listened to any more. */
  heeds(): boolean;
  /** To be asked for each call that is no send, before anything is done for it. Throws RATE_LIMITED. */
  throttle(): void;
  /** Told of every native frame that is no answer and comes to this client alone, and of all that its own feed has. */
  heard: (frame: Heard) => void;
  /** Whose feed its own is; to be said in the call that answers hello. */
  own(user: string): void;
  /** Says who the two of a direct room are: from then on its messages are private ones. */
  direct(room: string, members: readonly string[]): void;
  /** While it is held the readers of a room are not joined, though the room was asked for. */
  hold(room: string, on: boolean): void;
  /** Tells of a message of a room that was not replayed. */
  missed(room: string, message: unknown): void;
  transmit(text: string): void;
  /** From here on it may be pinged. */
  ready(): void;
  end(close: Close): void;
}

/** What the gateway tells, but for answers. */
export interface Told {
  /** Native frames, joined by newlines. */
  text(): string;
  /** What they mean to those who do not know them. */
  events: readonly Happened[];
}

/** A native frame of the server, parsed. */
export type Heard = { t: string } & Record<string, unknown>;

export type Answer = Heard & { t: "ok" | "welcome" | "pong" | "err" };

/** How a call of a client ended. */
export type Outcome = { ok: true; result: Record<string, unknown> } | { ok: false; error: PublicError };

/** What clients of every wire but the native one are told, by the names of Socket.IO. */
export type Happened =
  | { name: "message" | "message-updated" | "message-deleted"; channelId: string; message: unknown }
  | { name: "private-message"; targetUserId: string; message: unknown }
  | { name: "reaction"; channelId: string; reaction: object }
  | { name: "typing"; channelId: string; userId: string; isTyping: boolean }
  /** `came`: he was not there before; false: he was, and is not any more; absent: what he is has changed, or is first told. */
  | { name: "presence"; userId: string; status: PresenceStatus; came?: boolean };

export function outcomeOf({ t, i: _i, ...rest }: Answer): Outcome {
  return t === "err" ? { ok: false, error: rest as unknown as PublicError } : { ok: true, result: rest };
}

export const refusedWith = (error: unknown): Extract<Outcome, { ok: false }> => ({
  ok: false,
  error: publicError(error),
});
