import type { LogRange, RoomAccess } from "../../../services/core/contract";
import { Few } from "../../../services/core/few";
import { newId } from "../../../services/core/ids";
import { MemoryRoomBus, type RoomEvent } from "../../../services/core/room-bus";
import { Connection } from "../../../services/ws-gateway/connection";
import type { Socket } from "../../../services/ws-gateway/engine";
import { Hub } from "../../../services/ws-gateway/hub";
import { Counts } from "./counts";

export interface Frame {
  t: string;
  room?: string;
  offset?: number;
  code?: string;
  user?: string;
}

/** A socket that keeps what it was sent; topics as an engine has them. */
export class RecordingSocket implements Socket {
  readonly address = "127.0.0.1";
  readonly protocol = "rookery.v1";
  data: unknown;
  closed = false;
  ended: { code: number; reason: string } | null = null;
  buffered = 0;
  readonly frames: Frame[] = [];
  /** As they were sent, before they were split. */
  readonly sent: Buffer[] = [];
  readonly topics = new Set<string>();
  constructor(readonly id: number) {}
  send(text: string | Uint8Array): void {
    this.sent.push(Buffer.from(text));
    for (const line of Buffer.from(text).toString().split("\n")) this.frames.push(JSON.parse(line) as Frame);
  }
  cork(write: () => void): void {
    write();
  }
  subscribe(topic: string): void {
    this.topics.add(topic);
  }
  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }
  end(code: number, reason: string): void {
    this.closed = true;
    this.ended = { code, reason };
  }
  close(): void {
    this.closed = true;
  }
  get offsets(): (number | undefined)[] {
    return this.frames.filter(({ t }) => t === "event").map(({ offset }) => offset);
  }
}

/** A hub over a log that tests write, with readers whose frames are kept. */
export function ground(entries = 0) {
  const room = newId();
  const bus = new MemoryRoomBus();
  const log: RoomEvent[] = Array.from({ length: entries }, (_, n) => event(n + 1));
  const sockets: RecordingSocket[] = [];
  const access = new Map<string, Partial<RoomAccess>>();
  let asked = async (_user: string): Promise<void> => undefined;
  let read = async (): Promise<void> => undefined;
  const count = new Counts();
  let passed = 0;
  let unreadable = false;
  let floor = 1;
  const reads: { after: number; maxBytes: number }[] = [];
  let reading = async (): Promise<void> => undefined;
  const head = () => ({ offset: log.length, seq: log.length, floor });
  /** As the log does it: what is there when the read arrives, at least one entry, within the bytes. */
  const range = async (after: number, maxBytes: number): Promise<LogRange> => {
    reads.push({ after, maxBytes });
    const events: RoomEvent[] = [];
    let bytes = 0;
    for (const entry of unreadable ? [] : log.slice(Math.max(after, floor - 1), after + 1_000)) {
      if ((bytes += entry.data.length) > maxBytes && events.length > 0) break;
      events.push(entry);
    }
    const answer = { events, more: true, head: head() };
    await reading();
    return answer;
  };
  const published: { topic: string; frame: Frame }[] = [];
  const hub = new Hub({
    bus,
    publish(topic, frame) {
      published.push(...frame.split("\n").map(text => ({ topic, frame: JSON.parse(text) as Frame })));
      sockets.filter(({ topics }) => topics.has(topic)).forEach(socket => socket.send(frame));
    },
    access: async (user, _browses, rooms) => {
      const answers = rooms.map(id => ({
        room: id,
        role: "member" as const,
        open: true,
        visibleFrom: 0,
        ...access.get(user),
      }));
      await asked(user);
      return answers;
    },
    heads: async () => {
      await read();
      return head();
    },
    range: (_room, after, maxBytes) => range(after, maxBytes),
    now: () => performance.now() + passed,
    time: () => Date.now(),
    delivered: () => undefined,
    replayed: () => undefined,
    counts: count.counts,
  });
  const connect = (user: string) => {
    const socket = new RecordingSocket(sockets.length);
    sockets.push(socket);
    const connection = new Connection(socket, 0, () => undefined);
    connection.token = {
      identity: { id: user, username: user, roles: [], permissions: [], sid: "s" },
      expiresAt: 0,
      revision: 0,
    };
    hub.users.set(user, (hub.users.get(user) ?? new Few()).add(connection));
    return { socket, connection };
  };
  const append = (...events: RoomEvent[]): void => {
    log.push(...events);
    bus.publish({ type: "events", room, events });
  };
  const join = async (
    connection: Connection,
    user: string,
    from: number | null = null,
    sameEpoch = true,
    passive = false,
  ) => {
    const allowed = await hub.prepare(connection, user, [room]);
    if (from !== null) await hub.reach(new Map([[room, from]]), allowed);
    const states = hub.admit(connection, [room], allowed, new Map([[room, from]]), sameEpoch, passive);
    hub.run(connection, [room]);
    return states[room];
  };
  return {
    room,
    bus,
    log,
    hub,
    access,
    connect,
    append,
    join,
    /** What the engine was given, whoever hears it. */
    published,
    whileAsking: (work: (user: string) => Promise<void>) => (asked = work),
    whileReadingHeads: (work: () => Promise<void>) => (read = work),
    /** What was read of the log, without heads. */
    reads,
    count: count.by,
    whileReading: (work: () => Promise<void>) => (reading = work),
    /** Entries below it have left the log. */
    trim: (offset: number) => (floor = offset),
    pass: (ms: number) => (passed += ms),
    /** Makes the feed jump over 2,000 entries: it can neither hold nor read them. */
    skip: (...lost: RoomEvent[]) => {
      unreadable = true;
      const end = log.length + 2_000;
      log.push(...lost);
      while (log.length < end) log.push(event(log.length + 1));
      bus.publish({ type: "events", room, events: log.slice(end - 1_500) });
    },
  };
}

/** Work that waits until it is let go on. */
export function gate() {
  let open = (): void => undefined;
  const opened = new Promise<void>(resolve => (open = resolve));
  let reached = 0;
  const pass = async (): Promise<void> => {
    reached++;
    await opened;
  };
  return { pass, open: () => open(), reached: () => reached };
}

export const OUT = { denied: "NOT_FOUND", role: null } as const;
export const PRIVATE = { open: false } as const;

export const event = (offset: number, data = `"${offset}"`): RoomEvent => ({
  offset,
  seq: offset,
  kind: "message",
  data,
});
export const cut = (offset: number, user: string, change: "remove" | "leave" | "ban" = "remove"): RoomEvent => ({
  offset,
  seq: offset - 1,
  kind: "member",
  data: JSON.stringify({ userId: user, change }),
  member: { user, change },
});
