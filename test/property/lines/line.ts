import type { Client } from "../../support/client";
import { isPassing, refusedWith } from "../../chaos/outcome";
import type { Body } from "../../support/rest";
import type { Call } from "../operation";
import type { Told } from "../model";

/** How a request ended for who made it. `again`: nobody knows, or not now; `sure`: it has not happened. */
export type Answer =
  | { state: "ok"; body: Body }
  | { state: "refused"; code: string }
  | { state: "again"; sure: boolean; code: string | null };

export const UNKNOWN: Answer = { state: "again", sure: false, code: null };

export function refused(code: string): Answer {
  if (isPassing(code)) return { state: "again", sure: true, code };
  return refusedWith(code).state === "fail" || code === "INTERNAL" ? { state: "refused", code } : UNKNOWN;
}

/** Where a client comes in, and what it has of a room already. */
export interface Entry {
  client: Client;
  url: string;
  wsUrl: string;
  room: string;
  isDirect: boolean;
  /** Null: nothing. */
  had: { offset: number | null; lastSeq: number; n: number | null; epoch: string | null } | null;
  /** Whether its user has taken a message out of his sight, or is about to: it need not be told. */
  isHidden: (seq: number) => boolean;
}

/** What a wire lets its clients know. */
export interface Knowledge {
  /** Members, settings and marks; without it messages alone. */
  readonly everything: boolean;
  /** Offsets: what happened while away is told, also to messages that were known before. */
  readonly offsets: boolean;
}

/** What it is told when it comes in. */
export interface Entered {
  state: "live" | "replayed" | "reset" | "denied";
  /** After which the first event comes, where the wire tells. */
  offset: number | null;
  /** The notes of the user's own feed go on where they were. */
  notes: boolean;
}

/** One connection of a client over one wire, reading one room. It ends once and is not used again. */
export interface Line {
  readonly isOpen: boolean;
  /** Of the room since it came in, in order. Grows. */
  readonly told: readonly Told[];
  /** What it was told against the promises of its wire: twice, out of order, with a hole. */
  readonly broken: readonly string[];
  /** Last note of the user's own feed, and the epoch, where the wire tells. */
  readonly n: number | null;
  readonly epoch: string | null;
  /** Null where its wire has no word for it. */
  ask(call: Call): Promise<Answer> | null;
  /** Ends it, in order or without a word. */
  end(inOrder: boolean): Promise<void>;
}

export interface Wire {
  readonly name: string;
  readonly knows: Knowledge;
  /** Rejects where nobody lets it in now. */
  open(entry: Entry): Promise<{ line: Line; entered: Entered }>;
}

/** The codes of a room's state that say no more than "not now". */
export const isNotNow = (code: unknown): boolean => code === "UNAVAILABLE" || code === "UNKNOWN_OUTCOME";

/** Messages of a room by their numbers: each once and in order, once the first has come; hidden ones may be missing. */
export class InOrder {
  private readonly jumps: { from: number; to: number }[] = [];

  /** @param last the last one known of; null: whichever comes first is the first */
  constructor(
    private last: number | null,
    private readonly isHidden: (seq: number) => boolean = () => false,
  ) {}

  took(seq: number): void {
    if (this.last !== null && seq !== this.last + 1) this.jumps.push({ from: this.last, to: seq });
    this.last = seq;
  }

  /** Looked at when it is asked for: what is hidden may be known later than what is told. */
  get broken(): string[] {
    const excused = ({ from, to }: { from: number; to: number }): boolean => {
      for (let seq = from + 1; seq < to; seq += 1) if (!this.isHidden(seq)) return false;
      return to > from;
    };
    return this.jumps.filter(jump => !excused(jump)).map(({ from, to }) => `message ${to} came after ${from}`);
  }
}
