import { createHash } from "node:crypto";
import type { Answer, Asked, RoomStart, Shown } from "../judge/history";
import type { Body } from "../support/rest";
import type { Frame } from "../support/socket";
import type { Sight } from "./journal";

/** Of a text: enough of a digest to tell any two texts of a run apart. */
export const hashOf = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 16);

/** A message as the wire shows it, less what no rule looks at. */
export const shown = (message: Body): Shown => ({
  id: message.id,
  offset: message.offset,
  seq: message.seq,
  sender: message.senderId,
  clientId: message.clientId ?? null,
  hash: message.deletedAt ? null : hashOf(message.text),
  deleted: Boolean(message.deletedAt),
  edited: Boolean(message.editedAt),
});

/** What an `ok`, a `welcome` or the body of a REST answer says about what was asked. */
export function answerOf(asked: Asked, body: Body): Answer {
  switch (asked.op) {
    case "send":
    case "edit":
    case "delete":
    case "react":
      return { message: shown(body.message), ...(body.duplicate === true && { duplicate: true }) };
    case "history":
      return { items: body.items.map(shown) };
    case "subscribe": {
      const { epoch, n, feed } = body;
      return { rooms: startsOf(body.rooms), ...(epoch !== undefined && { epoch, n }), ...(feed && { feed }) };
    }
    case "unread":
      return {
        unread: body.items.map(({ roomId: room, unread, lastSeq, readSeq }: Body) => ({
          room,
          unread,
          lastSeq,
          readSeq,
        })),
      };
    case "receipts":
      return { receipts: Object.fromEntries(body.items.map(({ userId, state }: Body) => [userId, state])) };
    // Who is there is told right after; of whom nothing is told is not.
    case "presence":
      return { presence: Object.fromEntries(asked.who.map(user => [user, "offline"])) };
    default:
      return {};
  }
}

/** What came without being asked for; null for what is not recorded. */
export function sightsOf(frame: Frame): Sight[] {
  const { t, room } = frame;
  switch (t) {
    case "event":
      return [eventOf(frame)];
    case "reset":
      return [{ phase: "seen", what: "reset", room, offset: frame.offset }];
    case "unsub":
      return [{ phase: "seen", what: "unsub", room, code: frame.code }];
    case "read":
    case "delivered":
      return [{ phase: "seen", what: t, room, who: frame.user, seq: frame.seq }];
    case "presence":
      return frame.changes.map(({ user: who, status }: Body) => ({ phase: "seen", what: "presence", who, status }));
    case "user":
      return [{ phase: "seen", what: "user", n: frame.n, kind: frame.kind }];
    default:
      return [];
  }
}

const startsOf = (rooms: Body): Record<string, RoomStart> =>
  Object.fromEntries(
    Object.entries<Body>(rooms ?? {}).map(([room, { state, code, offset }]) => [
      room,
      state === "denied" ? { state, code } : { state, offset },
    ]),
  );

function eventOf({ room, offset, kind, data }: Frame): Sight {
  const event = { phase: "seen", what: "event", room, offset, kind } as Extract<Sight, { what: "event" }>;
  switch (kind) {
    case "message":
    case "edit":
    case "delete":
      return { ...event, message: shown(data) };
    case "member":
      return { ...event, member: { user: data.userId, change: data.change } };
    case "reaction":
      return { ...event, reaction: { message: data.messageId, user: data.userId, emoji: data.emoji, on: data.on } };
    default:
      return event;
  }
}
