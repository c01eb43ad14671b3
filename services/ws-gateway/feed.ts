import type { LogHead, LogRange } from "../core/contract";
import type { RoomEvent, RoomHead, RoomPacket } from "../core/room-bus";

/** Entries a feed keeps as they were published, for those who were away for a moment. */
const RING_ENTRIES = 256;
const RING_BYTES = 256 * 1024;
/** What may wait behind a gap; beyond either, or 5 s, the room is reset. */
const HELD_ENTRIES = 1_000;
const HELD_BYTES = 1024 * 1024;
const HEAL_MS = 5_000;
/** Milliseconds between attempts to read the log. */
const RETRY_MS = 100;
/** Bytes of one range read. */
const RANGE_BYTES = 512 * 1024;

export interface FeedDependencies {
  heads(room: string): Promise<LogHead>;
  range(room: string, after: number, maxBytes: number): Promise<LogRange>;
  /** Told of entries in order of offset, without a hole, once each. */
  entries(events: readonly RoomEvent[]): void;
  /** Entries were skipped: readers must fetch. The next entry is the one after `head`. */
  skipped(head: RoomHead): void;
  /** Runs the healing of a gap when there is room for it: after an outage all rooms have one. */
  heal(work: () => Promise<void>): Promise<void>;
  /** Milliseconds, monotonic. */
  now(): number;
  /** Milliseconds since 1970. */
  time(): number;
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
  /** Where this feed began, or went on after it had skipped. */
  private since = Infinity;
  private ring: RoomEvent[] = [];
  /** When each entry of the ring was passed on. */
  private times: number[] = [];
  private ringBytes = 0;
  private readonly held = new Map<number, RoomEvent>();
  private heldBytes = 0;
  /** The furthest entry anybody told us of. What would not fit in front of a gap is known by it alone. */
  private told: RoomHead = { offset: -1, seq: 0 };
  /** Entries came that could not be held. */
  private overflowed = false;
  private healing: Promise<void> | null = null;
  private readonly loaded: Promise<void>;
  /** Monotonic milliseconds since the last entry passed, or since nobody had asked for the room. */
  activeAt: number;

  constructor(
    readonly room: string,
    private readonly with_: FeedDependencies,
  ) {
    this.activeAt = with_.now();
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
    if (packet.type === "events") this.collect(packet.events);
    else if (packet.type === "head") this.tell(packet.head);
    if (this.position < 0) return;
    this.pass();
    if (this.behind) void this.heal();
  }

  /** Entries after an offset from memory, or null if they are not all there. */
  recent(after: number): RoomEvent[] | null {
    if (after >= this.position) return [];
    const first = this.ring[0];
    if (!first || first.offset > after + 1) return null;
    return this.ring.slice(after + 1 - first.offset);
  }

  /** What is kept in memory, for whoever looks after this gateway. */
  get ringSize(): { entries: number; bytes: number } {
    return { entries: this.ring.length, bytes: this.ringBytes };
  }

  /** Entries that wait behind a gap, or for the head to be known. */
  get waiting(): number {
    return this.held.size;
  }

  /** Whether the entry was passed on here. */
  took(offset: number): boolean {
    return offset > this.since && offset <= this.position;
  }

  /** When (milliseconds since 1970) the entry was passed on here; null if it was not, or is no longer in memory. */
  tookAt(offset: number): number | null {
    const first = this.ring[0]?.offset;
    return (first === undefined ? undefined : this.times[offset - first]) ?? null;
  }

  get lastTookAt(): number | null {
    return this.times.at(-1) ?? null;
  }

  /** Makes sure the feed is at least as far as the log was when asked: for who knows of an offset we do not. */
  async catchUp(): Promise<void> {
    this.tell(await this.with_.heads(this.room));
    if (this.behind) await this.heal();
  }

  /** There are entries that were not passed on yet. */
  get behind(): boolean {
    return this.told.offset > this.position;
  }

  private start(head: LogHead): void {
    this.position = this.since = head.offset;
    this.seq = head.seq;
    this.floor = head.floor;
    for (const offset of this.held.keys()) if (offset <= this.position) this.drop(offset);
    this.pass();
    if (this.behind) void this.heal();
  }

  private tell({ offset, seq }: RoomHead): void {
    if (offset > this.told.offset) this.told = { offset, seq };
  }

  /** What follows the position without a hole is about to be passed on; what is beyond a gap waits within bounds. */
  private collect(events: readonly RoomEvent[]): void {
    let next = this.position + 1;
    for (const event of events) {
      if (event.offset <= this.position || this.held.has(event.offset)) continue;
      this.tell(event);
      const full = this.held.size >= HELD_ENTRIES || this.heldBytes + event.data.length > HELD_BYTES;
      if (event.offset === next) next++;
      else if (full) {
        this.overflowed = true;
        continue;
      }
      this.hold(event);
    }
  }

  private hold(event: RoomEvent): void {
    this.drop(event.offset);
    this.held.set(event.offset, event);
    this.heldBytes += event.data.length;
  }

  /** Passes on what follows the position without a hole. */
  private pass(): void {
    const run: RoomEvent[] = [];
    const at = this.held.size > 0 ? this.with_.time() : 0;
    for (let next = this.held.get(this.position + 1); next; next = this.held.get(this.position + 1)) {
      this.held.delete(next.offset);
      this.heldBytes -= next.data.length;
      this.position = next.offset;
      this.seq = next.seq;
      this.remember(next, at);
      run.push(next);
    }
    if (run.length === 0) return;
    this.activeAt = this.with_.now();
    this.with_.entries(run);
  }

  private remember(event: RoomEvent, at: number): void {
    if (event.target) this.replace(event.target.offset, event.target.data);
    this.ring.push(event);
    this.times.push(at);
    this.ringBytes += event.data.length;
    while (this.ring.length > RING_ENTRIES || this.ringBytes > RING_BYTES) {
      const oldest = this.ring.shift();
      this.times.shift();
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
    this.healing ??= this.with_.heal(() => this.close()).finally(() => (this.healing = null));
    return this.healing;
  }

  /** Reads what is missing until nothing waits behind a gap, or gives up and says so. */
  private async close(): Promise<void> {
    const deadline = this.with_.now() + HEAL_MS;
    while (this.behind) {
      let range: LogRange | null = null;
      try {
        range = await this.with_.range(this.room, this.position, RANGE_BYTES);
      } catch {
        await new Promise(resolve => setTimeout(resolve, RETRY_MS));
      }
      if (range) this.take(range);
      if (!this.behind) break;
      const late = this.with_.now() > deadline;
      const empty = range?.events.length === 0;
      if (!late && !this.overflowed && !empty) continue;
      if (this.held.size > 0 || this.overflowed) return this.skip();
      // Nothing waits, so nothing is skipped: the log is believed, or asked again when a head is told again.
      if (empty) this.told = { offset: this.position, seq: this.seq };
      return;
    }
    this.overflowed = false;
  }

  private take({ events, head }: LogRange): void {
    this.tell(head);
    // The log goes before what was held of the same entry: it has it as it is now.
    for (const event of events) if (event.offset > this.position) this.hold(event);
    this.pass();
  }

  private drop(offset: number): void {
    const event = this.held.get(offset);
    if (!event) return;
    this.held.delete(offset);
    this.heldBytes -= event.data.length;
  }

  /** Jumps to the furthest entry known. The ring starts anew: it holds no gap either. */
  private skip(): void {
    this.held.clear();
    this.heldBytes = 0;
    this.overflowed = false;
    this.ring = [];
    this.times = [];
    this.ringBytes = 0;
    this.position = this.since = this.told.offset;
    this.seq = this.told.seq;
    this.with_.skipped(this.head);
  }
}
