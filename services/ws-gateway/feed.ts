import type { LogHead, LogRange } from "../core/contract";
import type { RoomEvent, RoomHead, RoomPacket } from "../core/room-bus";

/** Entries a feed keeps as they were published, for those who were away for a moment. */
const RING_ENTRIES = 256;
const RING_BYTES = 256 * 1024;
/** What may wait behind a gap; beyond either, or 5 s, the room is reset. */
const HELD_ENTRIES = 1_000;
const HELD_BYTES = 1024 * 1024;
const HEAL_MS = 5_000;
/** Bytes of one range read. */
const RANGE_BYTES = 512 * 1024;

export interface FeedDependencies {
  heads(room: string): Promise<LogHead>;
  range(room: string, after: number, maxBytes: number): Promise<LogRange>;
  /** Told of entries in order of offset, without a hole, once each. */
  entries(events: readonly RoomEvent[]): void;
  /** Entries were skipped: readers must fetch. The next entry is the one after `head`. */
  skipped(head: RoomHead): void;
  /** Milliseconds, monotonic. */
  now(): number;
}

/**
 * What this gateway knows of one room: how far it is, and the last entries. The bus may lose, repeat and reorder; a feed
 * passes entries on strictly in order, drops what it had, and heals a gap by one read of the log for all its readers.
 */
export class RoomFeed {
  /** Last entry passed on. Nothing is before the head was read once. */
  private position = -1;
  private seq = 0;
  private floor = 1;
  private ring: RoomEvent[] = [];
  private ringBytes = 0;
  private readonly held = new Map<number, RoomEvent>();
  private heldBytes = 0;
  private healing: Promise<void> | null = null;
  private readonly loaded: Promise<void>;

  constructor(
    readonly room: string,
    private readonly with_: FeedDependencies,
  ) {
    this.loaded = with_.heads(room).then(head => this.start(head));
  }

  /** Resolves once the head is known: from then on the feed is whole. */
  get ready(): Promise<void> {
    return this.loaded;
  }

  get head(): LogHead {
    return { offset: this.position, seq: this.seq, floor: this.floor };
  }

  receive(packet: RoomPacket): void {
    if (packet.type === "events") for (const event of packet.events) this.hold(event);
    if (this.position < 0) return;
    this.pass();
    if (packet.type === "head" && packet.head.offset > this.position) void this.heal();
    else if (this.held.size > 0) void this.heal();
  }

  /** Entries after an offset from memory, or null if they are not all there. */
  recent(after: number): RoomEvent[] | null {
    if (after >= this.position) return [];
    const first = this.ring[0];
    if (!first || first.offset > after + 1) return null;
    return this.ring.slice(after + 1 - first.offset);
  }

  /** Makes sure the feed is at least as far as the log was when asked: for who knows of an offset we do not. */
  async catchUp(): Promise<void> {
    const head = await this.with_.heads(this.room);
    if (head.offset > this.position) await this.heal();
  }

  private start(head: LogHead): void {
    this.position = head.offset;
    this.seq = head.seq;
    this.floor = head.floor;
    this.pass();
    if (this.held.size > 0) void this.heal();
  }

  private hold(event: RoomEvent): void {
    if (event.offset <= this.position || this.held.has(event.offset)) return;
    this.held.set(event.offset, event);
    this.heldBytes += event.data.length;
  }

  /** Passes on what follows the position without a hole. */
  private pass(): void {
    const run: RoomEvent[] = [];
    for (let next = this.held.get(this.position + 1); next; next = this.held.get(this.position + 1)) {
      this.held.delete(next.offset);
      this.heldBytes -= next.data.length;
      this.position = next.offset;
      this.seq = next.seq;
      this.remember(next);
      run.push(next);
    }
    if (run.length > 0) this.with_.entries(run);
  }

  private remember(event: RoomEvent): void {
    if (event.target) this.replace(event.target.offset, event.target.data);
    this.ring.push(event);
    this.ringBytes += event.data.length;
    while (this.ring.length > RING_ENTRIES || this.ringBytes > RING_BYTES) {
      const oldest = this.ring.shift();
      if (!oldest) return;
      this.ringBytes -= oldest.data.length;
    }
  }

  /** A replay shows a message as it is now, so nothing keeps what was edited away or deleted. */
  private replace(offset: number, data: string): void {
    this.ring.forEach((event, index) => {
      const shows = event.offset === offset || (event.target?.offset === offset && event.kind !== "reaction");
      if (!shows && event.target?.offset !== offset) return;
      const now: RoomEvent = { ...event, ...(shows && { data }), ...(event.target && { target: { offset, data } }) };
      this.ringBytes += now.data.length - event.data.length;
      this.ring[index] = now;
    });
  }

  private heal(): Promise<void> {
    this.healing ??= this.close().finally(() => (this.healing = null));
    return this.healing;
  }

  /** Reads what is missing until nothing waits behind a gap, or gives up and says so. */
  private async close(): Promise<void> {
    const deadline = this.with_.now() + HEAL_MS;
    for (;;) {
      let range: LogRange | null = null;
      try {
        range = await this.with_.range(this.room, this.position, RANGE_BYTES);
      } catch {
        if (this.with_.now() > deadline) return this.skip();
        await new Promise(resolve => setTimeout(resolve, 100));
      }
      for (const event of range?.events ?? []) this.hold(event);
      this.pass();
      for (const offset of this.held.keys()) if (offset <= this.position) this.drop(offset);
      if (range && this.held.size === 0 && this.position >= range.head.offset) return;
      if (this.held.size > HELD_ENTRIES || this.heldBytes > HELD_BYTES || this.with_.now() > deadline)
        return this.skip();
      if (range && range.events.length === 0 && this.held.size > 0) return this.skip();
    }
  }

  private drop(offset: number): void {
    this.heldBytes -= this.held.get(offset)?.data.length ?? 0;
    this.held.delete(offset);
  }

  /** Jumps to the furthest entry known. The ring starts anew: it holds no gap either. */
  private skip(): void {
    const last = [...this.held.values()].reduce<RoomEvent | null>((a, b) => (a && a.offset > b.offset ? a : b), null);
    this.held.clear();
    this.heldBytes = 0;
    if (!last) return;
    this.ring = [];
    this.ringBytes = 0;
    this.position = last.offset;
    this.seq = last.seq;
    this.with_.skipped(this.head);
  }
}
