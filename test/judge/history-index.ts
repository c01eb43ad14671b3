import type { Asked, Completion, HistoryLine, Invoke, Observed, Shown, Staged } from "./history";

export type Asking<O extends Asked["op"]> = Invoke & Extract<Asked, { op: O }>;
export type Seen<W extends Observed["what"]> = Observed & Extract<Observed, { what: W }>;

/** One operation: as it was asked, and how it ended. */
export interface Operation<I extends Invoke = Invoke> {
  asked: I;
  /** null: nothing came. */
  end: Completion | null;
  /** Nobody knows whether it happened: a missing end counts as info. */
  outcome: "ok" | "fail" | "info";
  /** Milliseconds; Infinity for what may still happen. */
  until: number;
}

/** All attempts under one (room, sender, clientId). */
export interface Send {
  room: string;
  sender: string;
  clientId: string;
  attempts: Operation<Asking<"send">>[];
}

/** What is known of a message within one era, by the first line that showed it. */
export interface Message {
  room: string;
  id: string;
  seq: number;
  offset: number;
  sender: string;
  clientId: string | null;
  /** Milliseconds: when anybody was shown it first, and when its sender had the first ok. */
  knownAt: number;
  ackedAt: number;
  first: Completion | Observed;
  ack: Completion | null;
}

/** What is known of a room within one era: between two restores of the store. */
export interface RoomPast {
  room: string;
  era: number;
  byId: Map<string, Message>;
  /** The first that was known by this number. */
  bySeq: Map<number, Message>;
  /** In the order in which they became known. */
  inOrder: Message[];
  /** Highest seq of the first n of them. */
  highest: number[];
  /** Highest offset of anything, and the line that told. */
  head: { offset: number; line: HistoryLine | null };
}

export interface FaultWindow {
  name: string;
  target: string;
  from: number;
  to: number;
}

export type RoomMade = Staged & { what: "room" };

export const sendKey = (room: string, sender: string, clientId: string): string => `${room} ${sender} ${clientId}`;

/** The one index of a history that all rules read. Lines are in order of time; what happened at once stays as recorded. */
export class HistoryIndex {
  readonly lines: readonly HistoryLine[];
  /** By id, in the order they were asked. */
  readonly operations = new Map<number, Operation>();
  readonly sends = new Map<string, Send>();
  readonly made = new Map<string, RoomMade>();
  readonly faults: FaultWindow[] = [];
  /** When the store was put back. */
  readonly restores: number[] = [];
  seed: number | null = null;
  healedAt = Infinity;
  /** When the first final read was asked for: everything has come to rest by then. */
  quietAt = Infinity;
  readonly endsAt: number;
  private readonly byOp = new Map<Asked["op"], Operation[]>();
  private readonly past = new Map<string, RoomPast>();
  private readonly byMessage = new Map<string, Operation[]>();

  constructor(lines: readonly HistoryLine[]) {
    this.lines = inOrder(lines);
    this.endsAt = this.lines.at(-1)?.t ?? 0;
    for (const line of this.lines) {
      if (line.phase === "invoke") this.ask(line);
      else if (line.phase === "run") this.stage(line);
      else if (line.phase !== "seen") this.end(line);
      else if (line.what === "event") this.reach(line.room, this.era, line.offset, line);
    }
    this.eachShown((shown, room, line, _since, era) => this.know(shown, room, line, era));
  }

  /** Eras are numbered by the restores before them. */
  eraAt(t: number): number {
    let era = 0;
    while (era < this.restores.length && (this.restores[era] as number) <= t) era++;
    return era;
  }

  get era(): number {
    return this.restores.length;
  }

  pastOf(room: string, era: number): RoomPast {
    const key = `${era} ${room}`;
    let past = this.past.get(key);
    if (!past) {
      past = {
        room,
        era,
        byId: new Map(),
        bySeq: new Map(),
        inOrder: [],
        highest: [],
        head: { offset: 0, line: null },
      };
      this.past.set(key, past);
    }
    return past;
  }

  pasts(): Iterable<RoomPast> {
    return this.past.values();
  }

  /** Edits and deletions that name the message. */
  changesOf(message: string): readonly Operation[] {
    return this.byMessage.get(message) ?? [];
  }

  /** In the order they were asked. */
  asked<O extends Asked["op"]>(op: O): readonly Operation<Asking<O>>[] {
    return (this.byOp.get(op) ?? []) as Operation<Asking<O>>[];
  }

  /**
   * Calls for every message that anything showed.
   * @param visit `since`: what was stored before that time (milliseconds) should have been taken into account
   */
  eachShown(
    visit: (shown: Shown, room: string, line: Completion | Observed, since: number, era: number) => void,
  ): void {
    let era = 0;
    for (const line of this.lines) {
      if (line.phase === "run" && line.what === "restored") era++;
      if (line.phase === "seen") {
        if (line.what === "event" && line.message) visit(line.message, line.room, line, line.t, era);
      } else if (line.phase === "ok") {
        const asked = this.operations.get(line.id)?.asked;
        if (!asked || !("room" in asked)) continue;
        if (line.answer.message) visit(line.answer.message, asked.room, line, asked.t, era);
        for (const shown of line.answer.items ?? []) visit(shown, asked.room, line, asked.t, era);
      }
    }
  }

  /** Whether a fault of these names troubled anything in that time. */
  troubled(from: number, to: number, names?: (name: string, target: string) => boolean): FaultWindow | undefined {
    return this.faults.find(
      fault => fault.from <= to && fault.to >= from && (!names || names(fault.name, fault.target)),
    );
  }

  private ask(asked: Invoke): void {
    const operation: Operation = { asked, end: null, outcome: "info", until: Infinity };
    this.operations.set(asked.id, operation);
    push(this.byOp, asked.op, operation);
    if (asked.op === "send") {
      const key = sendKey(asked.room, asked.user, asked.clientId);
      let send = this.sends.get(key);
      if (!send) {
        send = { room: asked.room, sender: asked.user, clientId: asked.clientId, attempts: [] };
        this.sends.set(key, send);
      }
      send.attempts.push(operation as Operation<Asking<"send">>);
    } else if (asked.op === "edit" || asked.op === "delete") push(this.byMessage, asked.message, operation);
    else if (asked.op === "final") this.quietAt = Math.min(this.quietAt, asked.t);
  }

  private end(line: Completion): void {
    const operation = this.operations.get(line.id);
    if (!operation || operation.end) return;
    operation.end = line;
    operation.outcome = line.phase;
    if (line.phase !== "info") operation.until = line.t;
  }

  private stage(line: Staged): void {
    if (line.what === "room") this.made.set(line.room, line);
    else if (line.what === "seed") this.seed = line.seed;
    else if (line.what === "healed") this.healedAt = line.t;
    else if (line.what === "restored") this.restores.push(line.t);
    else if (line.state === "begin")
      this.faults.push({ name: line.name, target: line.target, from: line.t, to: Infinity });
    else {
      const open = this.faults.findLast(
        ({ name, target, to }) => name === line.name && target === line.target && to === Infinity,
      );
      if (open) open.to = line.t;
    }
  }

  private know(shown: Shown, room: string, line: Completion | Observed, era: number): void {
    const past = this.pastOf(room, era);
    let message = past.byId.get(shown.id);
    if (!message) {
      const { id, seq, offset, sender, clientId } = shown;
      message = { room, id, seq, offset, sender, clientId, knownAt: line.t, ackedAt: Infinity, first: line, ack: null };
      past.byId.set(id, message);
      past.inOrder.push(message);
      past.highest.push(Math.max(past.highest.at(-1) ?? 0, seq));
      if (!past.bySeq.has(seq)) past.bySeq.set(seq, message);
    }
    if (!message.ack && line.phase === "ok" && this.operations.get(line.id)?.asked.op === "send") {
      message.ackedAt = line.t;
      message.ack = line;
    }
    this.reach(room, era, shown.offset, line);
  }

  private reach(room: string, era: number, offset: number, line: HistoryLine): void {
    const past = this.pastOf(room, era);
    if (offset > past.head.offset) past.head = { offset, line };
  }
}

/** One more of what is kept by key. */
export function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** Of things in order of time: how many `come` before those that do not. */
export function countOf<T>(ordered: readonly T[], come: (one: T) => boolean): number {
  let from = 0;
  let to = ordered.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (come(ordered[middle] as T)) from = middle + 1;
    else to = middle;
  }
  return from;
}

function inOrder(lines: readonly HistoryLine[]): readonly HistoryLine[] {
  for (let i = 1; i < lines.length; i++)
    if ((lines[i] as HistoryLine).t < (lines[i - 1] as HistoryLine).t) return lines.toSorted((a, b) => a.t - b.t);
  return lines;
}

/** Highest seq that was known in the room before a time (milliseconds). */
export function highestBefore({ inOrder: messages, highest }: RoomPast, t: number): number {
  return highest[countOf(messages, ({ knownAt }) => knownAt < t) - 1] ?? 0;
}

/** The first attempt that may have stored something; undefined if none may. */
export const effective = (send: Send): Operation<Asking<"send">> | undefined =>
  send.attempts.find(({ outcome }) => outcome !== "fail");
