import type {
  EntryKind,
  MemberChange,
  RoomEvent,
  RoomHead,
  RoomPacket,
  RoomSignal,
} from "../../services/core/room-bus";

/**
 * Packets as they travel: a line of JSON that says what follows, then one line for each text of an entry. Texts are JSON
 * already, so no line break can be in them, and nothing is encoded twice.
 */

/** First field of the head line; another number is another language, and dropped. */
const VERSION = 1;

type EventLine = [
  offset: number,
  seq: number,
  kind: EntryKind,
  target: number,
  member?: { user: string; change: MemberChange; role?: string },
];

type HeadLine =
  | [version: number, type: "events", entries: EventLine[]]
  | [version: number, type: "signal", signal: RoomSignal]
  | [version: number, type: "head", head: RoomHead]
  | [version: number, type: "floor", floor: number];

/** The packet in parts of at most about `maxBytes`; an entry is never cut. */
export function encodePacket(packet: RoomPacket, maxBytes: number): Buffer[] {
  if (packet.type === "signal") return [Buffer.from(JSON.stringify([VERSION, "signal", packet.signal]))];
  if (packet.type === "head") return [Buffer.from(JSON.stringify([VERSION, "head", packet.head]))];
  if (packet.type === "floor") return [Buffer.from(JSON.stringify([VERSION, "floor", packet.floor]))];
  const parts: Buffer[] = [];
  let events: RoomEvent[] = [];
  let bytes = 0;
  for (const event of packet.events) {
    const size = sizeOf(event);
    if (events.length > 0 && bytes + size > maxBytes) {
      parts.push(encodeEvents(events));
      events = [];
      bytes = 0;
    }
    events.push(event);
    bytes += size;
  }
  parts.push(encodeEvents(events));
  return parts;
}

/** Null for what is not a packet of this version. */
export function decodePacket(room: string, bytes: Uint8Array): RoomPacket | null {
  const [first = "", ...texts] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString().split("\n");
  let head: HeadLine;
  try {
    head = JSON.parse(first) as HeadLine;
  } catch {
    return null;
  }
  if (!Array.isArray(head) || head[0] !== VERSION) return null;
  if (head[1] === "signal") return { type: "signal", room, signal: head[2] };
  if (head[1] === "head") return { type: "head", room, head: head[2] };
  if (head[1] === "floor") return { type: "floor", room, floor: head[2] };
  if (head[1] !== "events") return null;
  let next = 0;
  const events = head[2].map(([offset, seq, kind, target, member]): RoomEvent => {
    const event: RoomEvent = { offset, seq, kind, data: texts[next++] ?? "" };
    if (target > 0) event.target = { offset: target, data: texts[next++] ?? "" };
    if (member) event.member = member;
    return event;
  });
  return next === texts.length ? { type: "events", room, events } : null;
}

function encodeEvents(events: readonly RoomEvent[]): Buffer {
  const lines: EventLine[] = [];
  let texts = "";
  for (const { offset, seq, kind, data, target, member } of events) {
    lines.push(member ? [offset, seq, kind, target?.offset ?? 0, member] : [offset, seq, kind, target?.offset ?? 0]);
    texts += `\n${data}`;
    if (target) texts += `\n${target.data}`;
  }
  return Buffer.from(JSON.stringify([VERSION, "events", lines]) + texts);
}

/** Bytes of an entry at most, but for multi-byte characters: close enough for a bound half of what the server takes. */
const sizeOf = ({ data, target }: RoomEvent): number => data.length + (target?.data.length ?? 0) + 200;
