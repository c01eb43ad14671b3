import Validator, { type ValidationError } from "fastest-validator";
import type { PublicError } from "./errors";
import { fieldErrors, RookeryError } from "./errors";
import { absentNulls } from "./absent";
import { FRAMES } from "./frames";
import { checkTree } from "./json";
import type { Identity, PresenceStatus, UserNotes } from "./model";
import type { SendBody } from "./send";
import type { PresenceChange } from "./contract";
import type { RoomEvent } from "./room-bus";

/**
 * The native wire: the types of its frames; their fields are in `frames.ts`. A text frame holds one JSON object, or several
 * joined by newlines, both ways. Unknown fields are ignored; fields are only ever added. The subprotocol names the major
 * version.
 */
export const SUBPROTOCOL = "rookery.v1";

/** Request number of the client, echoed once in the answer. */
type Numbered = { i?: number };

export type ClientFrame = Numbered &
  (
    | { t: "hello"; token: string; rooms?: Record<string, number | null>; epoch?: string; n?: number | null }
    | { t: "sub"; rooms: string[]; from?: Record<string, number | null>; mode?: "active" | "passive" }
    | { t: "unsub"; rooms: string[] }
    | ({ t: "send"; room: string } & SendBody)
    | { t: "history"; room: string; before?: number; after?: number; around?: number; limit?: number }
    | { t: "edit"; room: string; id: string; text: string }
    | { t: "delete"; room: string; id: string }
    | { t: "react"; room: string; id: string; emoji: string; on?: boolean }
    | { t: "read"; room: string; seq: number; private?: boolean }
    | { t: "delivered"; room: string; seq: number }
    | { t: "typing"; room: string; on?: boolean }
    | { t: "watch"; users: string[] }
    | { t: "auth"; token: string }
    | { t: "call"; method: string; params?: Record<string, unknown> }
    | { t: "ping" }
  );

export type FrameType = ClientFrame["t"];
/** What only a connection begins with. Over `/stream` opening it says so. */
export const OPENING = "hello" satisfies FrameType;
export type FrameOf<T extends FrameType> = Extract<ClientFrame, { t: T }> & Numbered;

const validator = new Validator({ useNewCustomCheckerFunction: true });
type Check = (frame: unknown) => true | ValidationError[];
const checks = new Map(
  Object.entries(FRAMES).map(([type, { fields }]) => [
    type,
    {
      check: validator.compile({ i: { type: "number", integer: true, optional: true }, ...fields } as never) as Check,
      absent: absentNulls(fields as never),
    },
  ]),
);

/** An object with a string `t`: all that can be said before its type is known. */
export interface RawFrame {
  t: string;
  i?: number;
}

/** The objects of one text frame; null if any is not JSON, not an object or has no string `t`. */
export function splitFrames(text: string): RawFrame[] | null {
  const frames: RawFrame[] = [];
  const lines = text.includes("\n") ? text.split("\n") : [text];
  for (const line of lines) {
    if (line === "" && lines.length > 1) continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return null;
    }
    if (typeof value !== "object" || value === null || typeof (value as RawFrame).t !== "string") return null;
    frames.push(value as RawFrame);
  }
  return frames;
}

/** The frame with its fields checked. Throws INVALID for an unknown type or a bad field. */
export function checkFrame(raw: RawFrame): ClientFrame {
  const known = checks.get(raw.t);
  if (!known)
    throw new RookeryError("INVALID", "There is no such frame.", { errors: [{ field: "t", message: "Unknown." }] });
  const frame = known.absent(raw);
  const result = known.check(frame);
  if (result === true) return checkedTrees(frame as ClientFrame);
  const errors = fieldErrors(result);
  throw new RookeryError("INVALID", errors.map(error => error.message).join(" "), { errors });
}

/** What has no shape of its own goes on to other nodes as it is. */
function checkedTrees(frame: ClientFrame): ClientFrame {
  if (frame.t === "send" && frame.metadata) checkTree(frame.metadata, "metadata");
  if (frame.t === "call" && frame.params) checkTree(frame.params, "params");
  return frame;
}

export type RoomState =
  | { offset: number; seq: number; state: "live" | "replayed" | "reset"; mode?: "passive" }
  | { state: "denied"; code: PublicError["code"] };

/** Frames the server sends, but for the answers. */
export type ServerFrame =
  | { t: "event"; room: string; offset: number; kind: string; data: unknown }
  | { t: "reset"; room: string; offset: number }
  /** Of the user's own feed. `reset`: notes up to `n` were skipped. */
  | { t: "user"; n: number; kind: keyof UserNotes | "reset"; data: object }
  | { t: "unsub"; room: string; code: PublicError["code"] }
  | { t: "bump"; room: string; offset: number; seq: number }
  | { t: "read" | "delivered"; room: string; user: string; seq: number }
  | { t: "typing"; room: string; user: string; on: boolean }
  | { t: "presence"; changes: PresenceChange[] }
  | { t: "expiring"; inMs: number }
  | { t: "reconnect"; afterMs: number };

export const encode = (frame: ServerFrame): string => JSON.stringify(frame);

/** An answer: `i` goes where the client's number was, and nowhere if there was none. */
export function answer(
  t: "welcome" | "ok" | "pong",
  i: number | undefined,
  fields: Record<string, unknown> = {},
): string {
  return JSON.stringify({ t, ...(i !== undefined && { i }), ...fields });
}

export function errorAnswer(i: number | undefined, error: PublicError): string {
  const { code, status, detail, errors, retryAfterMs } = error;
  return JSON.stringify({ t: "err", ...(i !== undefined && { i }), code, status, detail, errors, retryAfterMs });
}

/** An event around data that is JSON text already: encoded once for everybody. */
export const eventFrame = (room: string, offset: number, kind: string, data: string): string =>
  `{"t":"event","room":"${room}","offset":${offset},"kind":"${kind}","data":${data}}`;

/** The same of a user's own feed: the note says its kind and data itself. */
const userFrame = (n: number, note: string): string => `{"t":"user","n":${n},${note.slice(1)}`;

/** An entry of a log as its readers get it. */
export const entryFrame = (log: string, { offset, kind, data }: RoomEvent): string =>
  kind === "user" ? userFrame(offset, data) : eventFrame(log, offset, kind, data);

/** Entries were skipped and are not sent any more; the next is the one after `offset`. `own`: the log is the reader's own feed. */
export const resetFrame = (log: string, offset: number, own: boolean): string =>
  encode(own ? { t: "user", n: offset, kind: "reset", data: {} } : { t: "reset", room: log, offset });

/** The answer to a send, around the message as the log gave it. */
export const sentFrame = (i: number, data: string, duplicate: boolean): string =>
  `{"t":"ok","i":${i},"message":${data}${duplicate ? ',"duplicate":true' : ""}}`;

/** What welcome tells of who is connected: nothing that would need a call. */
export const welcomeUser = ({ id: user, username, roles, permissions }: Identity) => ({
  id: user,
  username,
  roles,
  permissions,
});

/**
 * The answer to hello, from parts: a third of it is the limits, which are the same for all.
 * @param limits JSON
 */
export const welcomeFrame = (
  i: number,
  identity: Identity,
  epoch: string,
  { n, feed }: { n: number; feed: string },
  limits: string,
  rooms: object,
): string =>
  `{"t":"welcome","i":${i},"user":${JSON.stringify(welcomeUser(identity))},"session":${JSON.stringify(identity.sid)},` +
  `"epoch":${JSON.stringify(epoch)},"n":${n},"feed":"${feed}","limits":${limits},"rooms":${JSON.stringify(rooms)}}`;

export type { PresenceStatus };
