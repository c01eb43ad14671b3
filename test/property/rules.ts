import type { Message, RoomMode } from "../../services/core/model";

/** Milliseconds by which two times of one clock may be off. */
const BLUR = 20;

interface Rule {
  offset: number;
  mode: RoomMode;
  /** Seconds between two messages of one member. */
  slowMode: number;
}

/** Who might post in a room, and how often, from one entry that said so to the next. */
export class Rules {
  private all: Rule[] = [];

  begin(): void {
    this.all = [];
  }

  /** Told again it says the same. */
  changed({ offset, mode, slowMode }: Rule): void {
    if (offset > (this.all.at(-1)?.offset ?? 0)) this.all.push({ offset, mode, slowMode });
  }

  /** Of messages of one who never ran the room, in order: those that were against what the room's log had said by then. */
  brokenBy(messages: readonly Message[]): string[] {
    return this.all.flatMap(({ offset, mode, slowMode }, at) => {
      const until = this.all[at + 1]?.offset ?? Infinity;
      const under = messages.filter(one => one.offset > offset && one.offset < until);
      return under.flatMap((message, n) => {
        const { seq, threadId, createdAt } = message;
        const closed = mode === "readonly" || (mode === "announcement" && threadId === undefined);
        const before = under[n - 1];
        const waited = before ? Date.parse(createdAt) - Date.parse(before.createdAt) : Infinity;
        return [
          ...(closed ? [`message ${seq} was sent while the room was ${mode}, since entry ${offset}`] : []),
          ...(waited < slowMode * 1_000 - BLUR ? [`message ${seq} came after ${waited} ms in slow mode`] : []),
        ];
      });
    });
  }
}
