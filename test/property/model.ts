import type { Message, Thread, Unread } from "../../services/core/model";
import type { Body } from "../support/rest";
import { Marks } from "./marks";
import type { Telling } from "./operation";
import { Rules } from "./rules";
import { Silences } from "./silences";
import { names, Threads } from "./threads";
import { Versions } from "./versions";

/** What a client is told of a room over any wire. */
export type Told =
  | { what: "event"; kind: string; data: Body; offset: number | null }
  /** Of the user's own feed: about this room, or about which rooms are his. */
  | { what: "note"; kind: string; data: Body }
  /** Reads the room no more. */
  | { what: "cut" }
  /** Entries of the room (up to `offset`), or notes, were skipped: what is known is to be fetched anew. */
  | { what: "reset"; offset: number | null };

/** Where a room stands. */
export interface Head {
  offset: number;
  seq: number;
}

/** What is fetched to begin with. */
export interface Fetched {
  /** Read before the rest: all up to here is in it. */
  head: Head;
  messages: readonly Message[];
  members: readonly { userId: string; role: string; muted?: unknown }[];
  room: Body;
  /** Null for who is no member. */
  unread: Unread | null;
  /** The last pinned first. */
  pins: readonly Message[];
  /** The last replied to first. */
  threads: readonly Thread[];
  /** Ids of all rooms that are his. */
  rooms: readonly string[];
}

/** Messages that a person has asked to have out of his sight: their numbers by id. */
export type OutOfSight = ReadonlyMap<string, number>;

/** What one device knows of a room: what it fetched when it came in, and what it was told since, in that order. */
export class Model {
  /** By id; those that are in sight. */
  readonly messages = new Map<string, Message>();
  /** Roles by user. */
  readonly members = new Map<string, string>();
  /** Settings as everybody sees them. */
  room: Body = null;
  /** Ids, the last pinned first. */
  pins: string[] = [];
  /** Ids of the rooms that are his. */
  readonly rooms = new Set<string>();
  readonly marks = new Marks();
  readonly threads = new Threads();
  readonly versions = new Versions();
  readonly rules = new Rules();
  readonly silences = new Silences();
  /** Of the last entry it was told of. */
  offset: number | null = null;
  /** What it was told that cannot be, whatever was fetched before. */
  readonly faults: string[] = [];
  /** Numbers of messages that are out of sight. */
  private readonly hidden = new Set<number>();
  private head: Head = { offset: 0, seq: 0 };

  constructor(
    /** Id of its user. */
    readonly me: string,
    private readonly tellings: {
      readonly events: Readonly<Record<string, Telling>>;
      readonly notes: Readonly<Record<string, Telling>>;
    },
    readonly outOfSight: OutOfSight = new Map(),
  ) {}

  /** Forgets what it knew for what is so now; what was told since the fetch began is to be told to it after this. */
  begin(fetched: Fetched): void {
    const { messages, members, room, pins } = fetched;
    this.messages.clear();
    for (const message of messages) this.messages.set(message.id, message);
    this.members.clear();
    for (const { userId, role } of members) this.members.set(userId, role);
    this.room = room;
    this.pins = pins.map(({ id }) => id);
    this.versions.begin(messages);
    this.rules.begin();
    this.silences.begin();
    this.own(fetched);
  }

  /** The same of what its user alone is told, where only that was missed. */
  own({ head, messages, unread, threads, rooms }: Fetched): void {
    if (head.seq > this.head.seq) this.head = head;
    const shown = new Set(messages.map(({ seq }) => seq));
    for (let seq = 1; seq <= head.seq; seq += 1) if (!shown.has(seq)) this.hide(seq);
    this.marks.begin(unread, head);
    this.threads.begin(threads);
    this.rooms.clear();
    for (const room of rooms) this.rooms.add(room);
  }

  take(told: Told): void {
    if (told.what !== "event" && told.what !== "note") return;
    const { kind, data } = told;
    const telling = (told.what === "event" ? this.tellings.events : this.tellings.notes)[kind];
    if (telling) telling(this, data, told.what === "event" ? told.offset : null);
    else this.faults.push(`nobody knows what the ${told.what} "${kind}" means`);
    if (told.what === "event" && told.offset !== null) this.offset = told.offset;
  }

  /** A message that somebody sent; not one that is out of sight. */
  add(message: Message): void {
    if (message.seq > this.head.seq) this.head = { offset: message.offset, seq: message.seq };
    if (!this.hidden.has(message.seq)) this.messages.set(message.id, message);
  }

  /** A message as it is from now on: one that it was told of, or that is out of sight. */
  change(message: Message): void {
    if (this.known(message.id, "a change")) this.messages.set(message.id, message);
  }

  /** What it knows of a message that it is told of; null where that is out of sight. */
  known(id: string, of: string): Message | null {
    const message = this.messages.get(id);
    if (!message && !this.outOfSight.has(id)) this.faults.push(`${of} of ${id}, of which it was never told`);
    return message ?? null;
  }

  /** It is in nobody's sight here any more. */
  hide(seq: number): void {
    this.hidden.add(seq);
    for (const { id } of [...this.messages.values()].filter(one => one.seq === seq)) {
      this.messages.delete(id);
      this.pins = this.pins.filter(pinned => pinned !== id);
    }
  }

  /** Oldest first. */
  get inOrder(): Message[] {
    return [...this.messages.values()].sort((one, other) => one.seq - other.seq);
  }

  get lastSeq(): number {
    return this.head.seq;
  }

  /** The number of the last message before an entry. */
  seqAt(offset: number): number {
    const before = [...this.messages.values()].filter(one => one.offset < offset).map(({ seq }) => seq);
    return Math.max(this.head.offset < offset ? this.head.seq : 0, ...before);
  }

  /** As a client counts it by the rules; null for who is no member. */
  get unread(): Omit<Unread, "roomId"> | null {
    if (!this.members.has(this.me)) return null;
    const { readSeq, seen } = this.marks;
    const all = this.inOrder;
    const threads = all.filter(({ thread }) => thread).filter(root => this.threads.of(root, all, this.me).unread > 0);
    const waiting = all.filter(
      ({ seq, senderId, deletedAt, threadId }) =>
        seq > seen && senderId !== this.me && deletedAt === undefined && threadId === undefined,
    );
    return {
      unread: waiting.length,
      mentions: waiting.filter(one => names(one, this.me)).length,
      lastSeq: this.lastSeq,
      readSeq,
      ...(seen < readSeq && { unreadFrom: seen + 1 }),
      ...(threads.length > 0 && { threads: threads.length }),
    };
  }
}
