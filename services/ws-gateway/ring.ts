import { GONE, type RoomEvent } from "../core/room-bus";

/** Entries a room keeps in memory, for those who were away for a moment. */
const ENTRIES = 256;
/** Characters of their data, and of the messages they name. */
const SIZE = 256 * 1024;

/** Makes the frame of an entry. */
export type Encode = (event: RoomEvent) => string;

/** An entry and its bytes on the wires: made when somebody first is behind, then kept for all others who are. */
export class Framed {
  private made: Buffer | undefined;
  /** The same as messages of other wires. */
  private forms: Map<string, readonly string[]> | undefined;
  private blank: Framed | undefined;

  constructor(
    readonly event: RoomEvent,
    private readonly encode: Encode,
  ) {}

  get bytes(): Buffer {
    return (this.made ??= ownBytes(this.encode(this.event)));
  }

  /** Its messages on another wire: made of its frame's text when somebody there is first behind. */
  form(name: string, make: (text: string) => readonly string[]): readonly string[] {
    this.forms ??= new Map();
    const messages = this.forms.get(name) ?? make(this.encode(this.event));
    this.forms.set(name, messages);
    return messages;
  }

  /** The same entry for one who sees nothing from before an offset: whatever tells of that tells nothing but its own place. */
  seenFrom(visibleFrom: number): Framed {
    if (visibleFrom === 0 || messageOf(this.event) > visibleFrom) return this;
    const { offset, seq } = this.event;
    return (this.blank ??= new Framed({ offset, seq, kind: "hidden", data: GONE }, this.encode));
  }

  /** The same entry after a change. */
  after(target: Target): Framed {
    const now = shownAfter(this.event, target);
    return now === this.event ? this : new Framed(now, this.encode);
  }
}

/** In memory of its own: a small part of Node's pool, kept for long, would keep all 8 KiB around it. */
function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

export type Target = NonNullable<RoomEvent["target"]>;

/** An entry after a message was changed: whatever shows that message shows it as it is now, and nothing keeps what it was. */
export function shownAfter(event: RoomEvent, { offset, data }: Target): RoomEvent {
  const names = event.target?.offset === offset;
  const shows = event.offset === offset || (names && (event.kind === "edit" || event.kind === "delete"));
  if (!shows && !names) return event;
  return { ...event, ...(shows && { data }), ...(event.target && { target: { offset, data } }) };
}

/** Kinds of entries that tell of a message said before them. */
const ABOUT: ReadonlySet<RoomEvent["kind"]> = new Set(["edit", "delete", "reaction", "pin"]);

/** Offset of the message that an entry tells of: 0 where it has left the log, beyond all where there is none but itself. */
export const messageOf = ({ kind, target }: RoomEvent): number => (ABOUT.has(kind) ? (target?.offset ?? 0) : Infinity);

/** Characters that an entry keeps in memory: a reaction is short, and names its message as a whole. */
export const sizeOf = ({ data, target }: RoomEvent): number => data.length + (target?.data.length ?? 0);

/** The last entries of a room, without a hole, as they are shown now. */
export class Ring {
  private entries: Framed[] = [];
  /** When each was passed on; null where that was elsewhere. */
  private times: (number | null)[] = [];
  private bytes = 0;

  constructor(private readonly encode: Encode) {}

  get size(): { entries: number; bytes: number } {
    return { entries: this.entries.length, bytes: this.bytes };
  }

  /** Offset of the oldest entry; undefined if there is none. */
  get first(): number | undefined {
    return this.entries[0]?.event.offset;
  }

  /** When (milliseconds since 1970) the entry was passed on, if it is here and was passed on here. */
  timeOf(offset: number): number | null {
    return (this.first === undefined ? undefined : this.times[offset - this.first]) ?? null;
  }

  get lastTime(): number | null {
    return this.times.at(-1) ?? null;
  }

  /** Entries after an offset, or null if they are not all here. */
  after(offset: number): Framed[] | null {
    if (this.first === undefined || this.first > offset + 1) return null;
    return this.entries.slice(offset + 1 - this.first);
  }

  /** The next entry. The oldest leave when there are too many. */
  push(event: RoomEvent, time: number): void {
    this.entries.push(new Framed(event, this.encode));
    this.times.push(time);
    this.bytes += sizeOf(event);
    while (this.entries.length > ENTRIES || this.bytes > SIZE) this.shift();
  }

  /** Entries below the floor have left the log; those that stay show nothing of a message there. */
  leave(floor: number): void {
    while ((this.first ?? floor) < floor) this.shift();
    const gone = new Set(this.entries.flatMap(({ event }) => event.target?.offset ?? []));
    for (const offset of gone) if (offset < floor) this.change({ offset, data: GONE });
  }

  /** Older entries, the last of them just before the first one here: as many of the newest as there is room for. */
  extend(older: readonly Framed[]): void {
    let from = older.length;
    while (from > 0 && this.entries.length + older.length - from < ENTRIES) {
      const length = sizeOf((older[from - 1] as Framed).event);
      if (this.bytes + length > SIZE) break;
      this.bytes += length;
      from--;
    }
    const kept = older.slice(from);
    this.entries = [...kept, ...this.entries];
    this.times = [...kept.map(() => null), ...this.times];
  }

  /** A message was changed. */
  change(target: Target): void {
    this.entries.forEach((entry, index) => {
      const now = entry.after(target);
      this.bytes += sizeOf(now.event) - sizeOf(entry.event);
      this.entries[index] = now;
    });
  }

  private shift(): void {
    const oldest = this.entries.shift();
    if (oldest) this.bytes -= sizeOf(oldest.event);
    this.times.shift();
  }
}
