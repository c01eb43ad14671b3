import { readFileSync } from "node:fs";
import type { HistoryLine, Staged } from "../judge/history";

type Mark = Extract<Staged, { what: "fault" }>;

/** One fault as the history has it, from when to when. Milliseconds. */
export interface Trouble {
  name: string;
  target: string;
  from: number;
  to: number;
}

/** What a history shows besides that it is valid: how long it took until all went on. */
export class Evidence {
  private readonly rooms: string[] = [];
  /** By room: times at which a send was acknowledged. */
  private readonly acks = new Map<string, number[]>();
  private readonly began = new Map<string, Mark>();
  readonly troubles: Trouble[] = [];

  constructor(file: string) {
    const asked = new Map<number, string>();
    for (const line of readFileSync(file, "utf8").split("\n"))
      if (line !== "") this.read(JSON.parse(line) as HistoryLine, asked);
  }

  /** The nth fault of a name. Throws if it did not happen. */
  trouble(name: string, nth = 0): Trouble {
    const trouble = this.troubles.filter(one => one.name === name)[nth];
    if (!trouble) throw new Error(`there was no ${nth + 1}. ${name} in this run`);
    return trouble;
  }

  /** Milliseconds after `t` until a send was acknowledged in every room; Infinity if that never came. */
  untilAllAcked(t: number): number {
    return Math.max(...this.rooms.map(room => (this.acks.get(room)?.find(at => at > t) ?? Infinity) - t));
  }

  /** Sends acknowledged from one time to another. */
  ackedBetween(from: number, to: number): number {
    return [...this.acks.values()].flat().filter(at => at >= from && at <= to).length;
  }

  private read(line: HistoryLine, asked: Map<number, string>): void {
    if (line.phase === "invoke" && line.op === "send") asked.set(line.id, line.room);
    else if (line.phase === "ok") this.acked(asked.get(line.id), line.t);
    else if (line.phase === "run" && line.what === "room") this.rooms.push(line.room);
    else if (line.phase === "run" && line.what === "fault") this.marked(line);
  }

  private acked(room: string | undefined, t: number): void {
    if (room === undefined) return;
    const times = this.acks.get(room);
    if (times) times.push(t);
    else this.acks.set(room, [t]);
  }

  private marked(line: Mark & { t: number }): void {
    const key = `${line.name} ${line.target}`;
    const begin = this.began.get(key);
    if (line.state === "begin") this.began.set(key, line);
    else if (begin) {
      this.began.delete(key);
      this.troubles.push({ name: line.name, target: line.target, from: begin.t, to: line.t });
    }
  }
}
