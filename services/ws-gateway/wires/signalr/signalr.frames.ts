import type { HubEvent } from "../../../core/calls";
import type { Happened } from "../wire";

/**
 * The JSON hub protocol of SignalR, version 1: objects ended by a separator, each way.
 * Source: HubProtocol.md of dotnet/aspnetcore.
 */
export const SEPARATOR = "\x1e";

/** Bytes of what is said in one tick, or while a request is under way: the library joins it. */
export const JOINED = 1024 * 1024;

export const TYPES = { invocation: 1, completion: 3, stream: 4, cancel: 5, ping: 6, close: 7 } as const;

/** What a client sends, as far as we look into it. */
export interface ClientMessage {
  type?: number;
  target?: unknown;
  arguments?: unknown;
  invocationId?: unknown;
}

export const PING = `{"type":6}${SEPARATOR}`;
/** The answer to a handshake that is taken. */
export const WELCOME = `{}${SEPARATOR}`;

export const record = (value: object): string => `${JSON.stringify(value)}${SEPARATOR}`;

export const completion = (invocationId: string, result: unknown): string =>
  record({ type: TYPES.completion, invocationId, ...(result !== undefined && { result }) });

export const refusal = (invocationId: string, error: string): string =>
  record({ type: TYPES.completion, invocationId, error });

export const closing = (error: string | undefined, allowReconnect: boolean): string =>
  record({ type: TYPES.close, ...(error !== undefined && { error }), allowReconnect });

export const invocations = (event: Happened): string[] =>
  calls(event).map(([target, ...args]) => record({ type: TYPES.invocation, target, arguments: args }));

type Call = [target: HubEvent, ...args: unknown[]];

/** What clients have handlers for, each with its arguments. */
function calls(event: Happened): Call[] {
  switch (event.name) {
    case "message":
      return [["ReceiveMessage", event.channelId, event.message]];
    case "private-message":
      return [["ReceivePrivateMessage", event.targetUserId, event.message]];
    case "message-updated":
      return [["MessageUpdated", event.channelId, event.message]];
    case "message-deleted":
      return [["MessageDeleted", event.channelId, event.message]];
    case "reaction":
      return [["ReactionChanged", event.channelId, event.reaction]];
    case "typing":
      return [["UserTyping", event.channelId, event.userId, event.isTyping]];
    case "presence": {
      const { userId, status, came } = event;
      const update: Call = ["UserPresenceUpdate", userId, status];
      return came === undefined ? [update] : [update, [came ? "UserConnected" : "UserDisconnected", userId]];
    }
  }
}

/**
 * Takes what came apart, in whatever pieces it came.
 * @throws where it is longer than `most` characters without an end
 */
export class Records {
  private rest = "";

  constructor(private readonly most: number) {}

  take(text: string): string[] {
    const parts = (this.rest + text).split(SEPARATOR);
    this.rest = parts.pop() as string;
    if (this.rest.length > this.most) throw new RangeError("a message without an end");
    return parts;
  }
}
