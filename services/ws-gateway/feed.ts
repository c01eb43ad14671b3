import type { LogHead, LogRange } from "../core/contract";
import { RookeryError } from "../core/errors";
import type { RoomEvent, RoomHead, RoomPacket } from "../core/room-bus";
import { within } from "../core/deadline";
import { JoinedReads } from "./joined-reads";
import { Ring, shownAfter, sizeOf, type Encode, type Framed, type Target } from "./ring";

/** What may wait behind a gap; beyond either, or 5 s, the room is reset. */
const HELD_ENTRIES = 1_000;
const HELD_BYTES = 1024 * 1024;
const HEAL_MS = 5_000;
/** Milliseconds between attempts to read the log, and what one attempt gets at least, however late it is. */
const RETRY_MS = 100;
const ATTEMPT_MS = 1_000;
/** Bytes of one read that closes a gap, for all readers. */
const RANGE_BYTES = 512 * 1024;
/** Bytes of one read for those who are behind: what the slowest of them is sent at once. */
const REPLAY_BYTES = 64 * 1024;

/** Before anybody told us. */
const NOWHERE: RoomHead = { offset: -1, seq: 0 };

/** What a feed counts. */
export interface FeedCounts {
  healed(): void;
  rangeRead(use: "heal" | "replay"): void;
  dropped(cause: "duplicate" | "overflow", entries: number): void;
}

/** The same for all feeds. */
export interface FeedDependencies {
  heads(room: string): Promise<LogHead>;
  range(room: string, after: number, maxBytes: number): Promise<LogRange>;
  encode(room: string, event: RoomEvent): string;
  counts: FeedCounts;
  /** Told of entries in order of offset, without a hole, once each. */
  entries(feed: RoomFeed, events: readonly RoomEvent[]): void;
  /** Entries were skipped: readers must fetch. The next entry is the one after its head. */
  skipped(feed: RoomFeed): void;
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
 *
 * Most feeds are one user's, and quiet: what only traffic needs is made with the first of it.
 */
export class RoomFeed {
  /** Last entry passed on. Nothing is before the head was read once. */
  private position = -1;
  private seq = 0;
  private floor = 1;
  /** Where this feed began, or went on after it had skipped. */
  private since = Infinity;
  private ring: Ring | null = null;
  private reads: JoinedReads | null = null;
  private held: Map<number, RoomEvent> | null = null;
  private heldBytes = 0;
  /** The furthest entry anybody told us of. What would not fit in front of a gap is known by it alone. */
  private told: RoomHead = NOWHERE;
  /** Entries came that could not be held. */
  private overflowed = false;
  private healing: Promise<void> | null = null;
  /** Null once the head is known. */
  private loading: Promise<void> | null;
  /** Monotonic milliseconds since the last entry passed, or since nobody had asked for the room. */
  activeAt: number;

  constructor(
    readonly room: string,
    private readonly with_: FeedDependencies,
    /** Resolves once no packet of the room passes us by: only then is its head asked for. */
    interest: Promise<unknown> = Promise.resolve(),
  ) {
    this.activeAt = with_.now();
    this.loading = interest.then(() => with_.heads(room)).then(head => this.start(head));
  }

  /** Resolves once the head is known: from then on the feed is whole. */
  get ready(): Promise<void> {
    return this.loading ?? Promise.resolve();
  }

  /** Of the last entry passed on; below 0 before the head is known. */
  get offset(): number {
    return this.position;
  }

  get head(): LogHead {
    return { offset: this.position, seq: this.seq, floor: this.floor };
  }

  receive(packet: RoomPacket): void {
    if (packet.type === "events") this.collect(packet.events);
    else if (packet.type === "head") this.tell(packet.head);
    else if (packet.type === "floor") this.rise(packet.floor);
    if (this.position < 0) return;
    this.pass();
    if (this.behind) void this.heal();
  }

  /** Entries after an offset from memory, or null if they are not all there. */
  recent(after: number): readonly Framed[] | null {
    return after >= this.position ? [] : (this.ring?.after(after) ?? null);
  }

  /** Entries after an offset from the log, by a read shared with all who wait for one. Rejects after 5 s. */
  older(after: number): Promise<readonly Framed[]> {
    this.reads ??= new JoinedReads({
      read: from => this.read(from),
      got: entries => this.keep(entries),
      encode: this.encoder(),
    });
    return this.reads.after(after);
  }

  /** What is kept in memory, for whoever looks after this gateway. */
  get ringSize(): { entries: number; bytes: number } {
    return this.ring?.size ?? { entries: 0, bytes: 0 };
  }

  /** Entries that wait behind a gap, or for the head to be known. */
  get waiting(): number {
    return this.held?.size ?? 0;
  }

  /** Whether the entry was passed on here. */
  took(offset: number): boolean {
    return offset > this.since && offset <= this.position;
  }

  /** When (milliseconds since 1970) the entry was passed on here; null if it was not, or is no longer in memory. */
  tookAt(offset: number): number | null {
    return this.ring?.timeOf(offset) ?? null;
  }

  get lastTookAt(): number | null {
    return this.ring?.lastTime ?? null;
  }

  /** Goes as far as the log was when asked, for who knows of an offset we do not. Rejects with UNAVAILABLE if it cannot. */
  async catchUp(): Promise<void> {
    const head = await this.with_.heads(this.room);
    this.learn(head);
    if (this.behind) await this.heal();
    if (head.offset > this.position) throw new RookeryError("UNAVAILABLE");
  }

  /** There are entries that were not passed on yet. */
  get behind(): boolean {
    return this.told.offset > this.position;
  }

  private start(head: LogHead): void {
    this.loading = null;
    this.position = this.since = head.offset;
    this.seq = head.seq;
    this.floor = Math.max(this.floor, head.floor);
    for (const offset of this.held?.keys() ?? []) if (offset <= this.position) this.drop(offset);
    this.pass();
    if (this.behind) void this.heal();
  }

  /** What the log says of itself. */
  private learn(head: LogHead): void {
    this.floor = Math.max(this.floor, head.floor);
    this.tell(head);
  }

  private tell({ offset, seq }: RoomHead): void {
    if (offset > this.told.offset) this.told = { offset, seq };
  }

  /** What follows the position without a hole is about to be passed on; what is beyond a gap waits within bounds. */
  private collect(events: readonly RoomEvent[]): void {
    const { counts } = this.with_;
    let next = this.position + 1;
    for (const event of events) {
      if (event.offset <= this.position || this.held?.has(event.offset)) {
        counts.dropped("duplicate", 1);
        continue;
      }
      this.tell(event);
      const full = this.waiting >= HELD_ENTRIES || this.heldBytes + sizeOf(event) > HELD_BYTES;
      if (event.offset === next) next++;
      else if (full) {
        this.overflowed = true;
        counts.dropped("overflow", 1);
        continue;
      }
      this.hold(event);
    }
  }

  private hold(event: RoomEvent): void {
    this.drop(event.offset);
    this.held ??= new Map();
    this.held.set(event.offset, event);
    this.heldBytes += sizeOf(event);
  }

  /** Passes on what follows the position without a hole. */
  private pass(): void {
    let run: RoomEvent[] = [];
    for (let next = this.next; next; next = this.next) {
      this.drop(next.offset);
      this.position = next.offset;
      this.seq = next.seq;
      run.push(next);
    }
    if (run.length === 0) return;
    // What had to wait may have been changed since, also by what still waits.
    for (const target of targetsOf(run, [...(this.held?.values() ?? [])]))
      run = run.map(event => shownAfter(event, target));
    const at = this.with_.time();
    for (const event of run) this.remember(event, at);
    this.activeAt = this.with_.now();
    this.with_.entries(this, run);
  }

  /** What has left the log is shown to nobody who comes from now on. */
  private rise(floor: number): void {
    if (floor <= this.floor) return;
    this.floor = floor;
    this.ring?.leave(floor);
  }

  /** A replay shows a message as it is now, so nothing keeps what was edited away or deleted. */
  private remember(event: RoomEvent, at: number): void {
    if (event.target) {
      this.ring?.change(event.target);
      this.reads?.change(event.target);
    }
    this.ring ??= new Ring(this.encoder());
    this.ring.push(event, at);
  }

  private encoder(): Encode {
    return event => this.with_.encode(this.room, event);
  }

  private async read(after: number): Promise<readonly RoomEvent[]> {
    for (const deadline = this.with_.now() + HEAL_MS; ; await breath()) {
      const range = await this.range(after, "replay", REPLAY_BYTES, deadline);
      if (range) {
        this.floor = Math.max(this.floor, range.head.floor);
        return range.events;
      }
      if (this.with_.now() > deadline) throw new RookeryError("UNAVAILABLE");
    }
  }

  /** What was read for one who was behind is there for the next one, if it goes up to what is in memory. */
  private keep(read: readonly Framed[]): void {
    this.ring ??= new Ring(this.encoder());
    const next = this.ring.first ?? this.position + 1;
    const older = read.filter(({ event }) => event.offset < next);
    if (older.at(-1)?.event.offset === next - 1) this.ring.extend(older);
  }

  private heal(): Promise<void> {
    const deadline = this.with_.now() + HEAL_MS;
    this.healing ??= this.with_.heal(() => this.close(deadline)).finally(() => (this.healing = null));
    return this.healing;
  }

  /** Reads what is missing until nothing waits behind a gap, or gives up and says so. */
  private async close(deadline: number): Promise<void> {
    const began = this.position;
    while (this.behind) {
      const before = this.position;
      const range = await this.range(this.position, "heal", RANGE_BYTES, deadline);
      if (range) this.take(range);
      else await breath();
      if (!this.behind) break;
      // The log has nothing that follows.
      const ends = range !== null && this.position === before;
      const late = this.with_.now() > deadline;
      if (!late && !this.overflowed && !ends) continue;
      if (this.waiting > 0 || this.overflowed) return this.skip();
      // Nothing waits, so nothing is skipped: the log is believed, or asked again when a head is told again.
      if (ends) this.told = { offset: this.position, seq: this.seq };
      return;
    }
    this.overflowed = false;
    if (this.position > began) this.with_.counts.healed();
  }

  /** Null if the log does not answer in time. */
  private async range(
    after: number,
    use: "heal" | "replay",
    maxBytes: number,
    deadline: number,
  ): Promise<LogRange | null> {
    const time = Math.max(deadline - this.with_.now(), ATTEMPT_MS);
    this.with_.counts.rangeRead(use);
    return within(time, this.with_.range(this.room, after, maxBytes)).catch(() => null);
  }

  private take({ events, head }: LogRange): void {
    this.learn(head);
    // The log goes before what was held of the same entry: it has it as it is now.
    for (const event of events) if (event.offset > this.position) this.hold(event);
    this.pass();
  }

  /** What comes next, if it is here. */
  private get next(): RoomEvent | undefined {
    return this.held?.get(this.position + 1);
  }

  private drop(offset: number): void {
    const event = this.held?.get(offset);
    if (!event) return;
    this.held?.delete(offset);
    this.heldBytes -= sizeOf(event);
  }

  /** Jumps to the furthest entry known. The ring starts anew: it holds no gap either. */
  private skip(): void {
    this.held = null;
    this.heldBytes = 0;
    this.overflowed = false;
    this.ring = null;
    this.position = this.since = this.told.offset;
    this.seq = this.told.seq;
    this.with_.skipped(this);
  }
}

/** Its head is known: no entry gets past it. */
export const isWhole = (feed: RoomFeed): boolean => feed.offset >= 0;

const breath = (): Promise<void> => new Promise(resolve => setTimeout(resolve, RETRY_MS));

/** What entries, and those that wait behind them, make of messages: in order of offset, the last word of each last. */
function targetsOf(run: readonly RoomEvent[], waiting: readonly RoomEvent[]): Target[] {
  return [...run, ...waiting.toSorted((one, other) => one.offset - other.offset)].flatMap(({ target }) => target ?? []);
}
