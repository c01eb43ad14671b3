import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Answer, Asked, Completion, HistoryLine, Invoke, Line, Observed, Staged } from "../judge/history";

/** Who a line is about: everything of a line but its time. */
export type Who = Omit<Line, "t">;

/** Without the fields of `Who` and the time; a union stays one. */
type Bare<T> = T extends unknown ? Omit<T, keyof Line> : never;
export type Sight = Bare<Observed>;
export type Stage = Bare<Staged>;

/** Characters that wait to be written. A process that is killed loses no more. */
const BLOCK = 64 * 1024;
const NOBODY: Who = { client: "", user: "", session: "", door: "" };

/** What was counted while it was written, for the floor of traffic and for progress. */
export interface Tally {
  /** Sends answered ok, repeats included. */
  acked: number;
  /** Operations of which nobody knows whether they happened. */
  unknown: number;
  failed: number;
  delivered: number;
  /** Rooms that went on from an offset: replayed or live. */
  resumed: number;
  reset: number;
}

/** The history of one run, written to a file as it happens. Nothing but counts is kept in memory. */
export class Journal {
  readonly tally: Tally = { acked: 0, unknown: 0, failed: 0, delivered: 0, resumed: 0, reset: 0 };
  private readonly descriptor: number;
  private readonly began = performance.now();
  private block: string[] = [];
  private size = 0;
  private last = 0;

  constructor(readonly file: string) {
    mkdirSync(dirname(file), { recursive: true });
    this.descriptor = openSync(file, "w");
  }

  /** Milliseconds since the run began, of one monotonic clock for all clients. */
  get now(): number {
    return Math.round((performance.now() - this.began) * 1000) / 1000;
  }

  /** Writes that an operation begins. Returns its id. */
  invoke(who: Who, asked: Asked): number {
    const id = ++this.last;
    this.write({ t: this.now, ...who, phase: "invoke", id, ...asked } as Invoke);
    return id;
  }

  ok(who: Who, id: number, asked: Asked, answer: Answer): void {
    if (asked.op === "send") this.tally.acked += 1;
    if (asked.op === "subscribe") this.count(asked.rooms, answer);
    this.write({ t: this.now, ...who, phase: "ok", id, answer });
  }

  ended(who: Who, id: number, phase: "fail" | "info", code: string): void {
    this.tally[phase === "info" ? "unknown" : "failed"] += 1;
    this.write({ t: this.now, ...who, phase, id, code } as Completion);
  }

  seen(who: Who, sight: Sight): void {
    if (sight.what === "event") this.tally.delivered += 1;
    if (sight.what === "reset") this.tally.reset += 1;
    this.write({ t: this.now, ...who, ...sight } as Observed);
  }

  staged(stage: Stage): void {
    this.write({ t: this.now, ...NOBODY, ...stage } as Staged);
  }

  close(): void {
    this.flush();
    closeSync(this.descriptor);
  }

  private count(asked: Record<string, number | null>, { rooms = {} }: Answer): void {
    for (const [room, from] of Object.entries(asked)) {
      const state = rooms[room]?.state;
      if (state === "reset") this.tally.reset += 1;
      else if (from !== null && (state === "live" || state === "replayed")) this.tally.resumed += 1;
    }
  }

  private write(line: HistoryLine): void {
    const text = `${JSON.stringify(line)}\n`;
    this.block.push(text);
    this.size += text.length;
    if (this.size >= BLOCK) this.flush();
  }

  private flush(): void {
    const text = Buffer.from(this.block.join(""));
    this.block = [];
    this.size = 0;
    for (let at = 0; at < text.length;) at += writeSync(this.descriptor, text, at);
  }
}
