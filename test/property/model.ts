import type { Message, Unread } from "../../services/core/model";
import type { Body } from "../support/rest";
import type { Telling } from "./operation";

/** What a client is told of a room over any wire. */
export type Told =
  | { what: "event"; kind: string; data: Body; offset: number | null }
  /** Of the user's own feed, about this room. */
  | { what: "note"; kind: string; data: Body }
  /** Reads the room no more. */
  | { what: "cut" }
  /** Entries of the room (up to `offset`), or notes, were skipped: what is known is to be fetched anew. */
  | { what: "reset"; offset: number | null };

/** What is fetched to begin with. */
export interface Fetched {
  messages: readonly Message[];
  members: readonly { userId: string; role: string }[];
  room: Body;
  /** Null for who is no member. */
  unread: Unread | null;
}

/** What one device knows of a room: what it fetched when it came in, and what it was told since, in that order. */
export class Model {
  /** By id. */
  readonly messages = new Map<string, Message>();
  /** Roles by user. */
  readonly members = new Map<string, string>();
  /** Settings as everybody sees them. */
  room: Body = null;
  readSeq = 0;
  /** Of the last entry it was told of. */
  offset: number | null = null;
  /** What it was told that cannot be, whatever was fetched before. */
  readonly faults: string[] = [];

  constructor(
    /** Id of its user. */
    readonly me: string,
    private readonly tellings: {
      readonly events: Readonly<Record<string, Telling>>;
      readonly notes: Readonly<Record<string, Telling>>;
    },
  ) {}

  /** Forgets what it knew for what is so now; what was told since the fetch began is to be told to it after this. */
  begin({ messages, members, room, unread }: Fetched): void {
    this.messages.clear();
    for (const message of messages) this.messages.set(message.id, message);
    this.members.clear();
    for (const { userId, role } of members) this.members.set(userId, role);
    this.room = room;
    this.marks(unread);
  }

  marks(unread: Unread | null): void {
    this.read(unread?.readSeq ?? 0);
  }

  take(told: Told): void {
    if (told.what !== "event" && told.what !== "note") return;
    const { kind, data } = told;
    const telling = (told.what === "event" ? this.tellings.events : this.tellings.notes)[kind];
    if (telling) telling(this, data, told.what === "event" ? told.offset : null);
    else this.faults.push(`nobody knows what the ${told.what} "${kind}" means`);
    if (told.what === "event" && told.offset !== null) this.offset = told.offset;
  }

  /** Marks never go back. */
  read(seq: number): void {
    this.readSeq = Math.max(this.readSeq, seq);
  }

  /** Oldest first. */
  get inOrder(): Message[] {
    return [...this.messages.values()].sort((one, other) => one.seq - other.seq);
  }

  get lastSeq(): number {
    return Math.max(0, ...[...this.messages.values()].map(({ seq }) => seq));
  }

  /** The number of the last message before an entry. */
  seqAt(offset: number): number {
    return Math.max(0, ...[...this.messages.values()].filter(one => one.offset < offset).map(({ seq }) => seq));
  }

  /** As a client counts it by the rules; null for who is no member. */
  get unread(): Omit<Unread, "roomId"> | null {
    if (!this.members.has(this.me)) return null;
    const waiting = this.inOrder.filter(
      ({ seq, senderId, deletedAt }) => seq > this.readSeq && senderId !== this.me && deletedAt === undefined,
    );
    return {
      unread: waiting.length,
      mentions: waiting.filter(({ mentions }) => mentions?.includes(this.me)).length,
      lastSeq: this.lastSeq,
      readSeq: this.readSeq,
    };
  }
}
