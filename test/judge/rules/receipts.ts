import type { HistoryLine } from "../history";
import { countOf, effective, highestBefore, push, sendKey, type HistoryIndex } from "../history-index";
import { itemsOf, seesAll } from "../reads";
import type { JudgedRule, Report } from "../rule";

type Kind = "read" | "delivered";

/** Where a mark stood at least, as time went by: evidence in order of time, each further than those before. */
class Known {
  private readonly steps: { t: number; seq: number; line: HistoryLine }[] = [];

  add(t: number, seq: number, line: HistoryLine): void {
    if (seq > (this.steps.at(-1)?.seq ?? 0)) this.steps.push({ t, seq, line });
  }

  before(t: number): { seq: number; line: HistoryLine } | undefined {
    return this.steps[countOf(this.steps, step => step.t < t) - 1];
  }
}

/** H11 */
export const receipts: JudgedRule = {
  rule: "H11",
  name: "marks and unread",
  sentence: "Marks never fall, go no further than was asked and than the room; unread is what is behind them.",
  judge(history, report) {
    new Marks(history, report).judge();
  },
};

class Marks {
  private readonly known = new Map<string, Known>();
  /** Signals by session: an observer's own view. */
  private readonly told = new Map<string, { seq: number; line: HistoryLine }>();
  /** In order of time, each further than those before. */
  private readonly asked = new Map<string, { t: number; seq: number }[]>();
  /** Marks of those who joined stand where the room stood: nobody asked for that. */
  private readonly joined = new Set<string>();

  constructor(
    private readonly history: HistoryIndex,
    private readonly report: Report,
  ) {
    for (const kind of ["read", "delivered"] as const)
      for (const { asked, outcome } of history.asked(kind))
        if (outcome !== "fail") this.mayStand(kind, asked.room, asked.user, asked.t, asked.seq);
    for (const { asked, outcome } of history.asked("member"))
      if (asked.change === "join" && outcome !== "fail") this.joined.add(`${asked.room} ${asked.who}`);
    for (const { room, byId } of history.pasts())
      for (const { sender, clientId, seq } of byId.values()) {
        const send = history.sends.get(sendKey(room, sender, clientId ?? ""));
        const first = send && effective(send);
        if (first) this.mayStand("read", room, sender, first.asked.t, seq);
      }
    for (const [key, all] of this.asked) this.asked.set(key, rising(all));
  }

  judge(): void {
    let era = 0;
    for (const line of this.history.lines) {
      if (line.phase === "run") {
        if (line.what === "restored") era++;
        if (line.what === "restored") this.known.clear();
      } else if (line.phase === "seen") {
        if (line.what === "read" || line.what === "delivered") this.signal(line, era);
      } else if (line.phase === "ok") this.answer(line, era);
    }
  }

  private signal(line: HistoryLine & { what: Kind; room: string; who: string; seq: number }, era: number): void {
    const { what, room, who, seq } = line;
    const key = `${line.client} ${(line as { session: string }).session} ${what} ${room} ${who} ${era}`;
    const before = this.told.get(key);
    if (before && before.seq > seq)
      this.report(`The ${what} mark of ${who} fell from ${before.seq} to ${seq}.`, room, before.line, line);
    else this.told.set(key, { seq, line });
    const { highest } = this.history.pastOf(room, era);
    if (this.history.quietAt < Infinity && seq > (highest.at(-1) ?? 0))
      this.report(`The ${what} mark of ${who} is ${seq}, beyond the room.`, room, line);
  }

  private answer(line: HistoryLine & { phase: "ok" }, era: number): void {
    const operation = this.history.operations.get(line.id);
    if (!operation) return;
    const { asked } = operation;
    const { answer } = line;
    if (asked.op === "read" || asked.op === "delivered") {
      const head = this.history.pastOf(asked.room, era).highest.at(-1) ?? 0;
      this.knownOf(asked.op, asked.room, asked.user).add(line.t, Math.min(asked.seq, head), line);
    } else if (asked.op === "send" && answer.message) {
      this.knownOf("read", asked.room, asked.user).add(line.t, answer.message.seq, line);
    } else if (asked.op === "receipts") {
      const message = this.history.pastOf(asked.room, era).byId.get(asked.message);
      for (const [user, state] of Object.entries(answer.receipts ?? {}))
        if (message && user !== message.sender) this.receipt(asked, line, user, state, message.seq);
    } else if (asked.op === "unread")
      for (const unread of answer.unread ?? []) this.unread(asked.t, asked.user, line, unread, era);
  }

  private receipt(
    asked: HistoryLine & { room: string; message: string },
    line: HistoryLine,
    user: string,
    state: "sent" | Kind,
    seq: number,
  ): void {
    const { room } = asked;
    const read = this.knownOf("read", room, user).before(asked.t);
    const delivered = this.knownOf("delivered", room, user).before(asked.t);
    const least = (read?.seq ?? 0) >= seq ? "read" : (delivered?.seq ?? 0) >= seq ? "delivered" : "sent";
    const rank = { sent: 0, delivered: 1, read: 2 };
    if (rank[state] < rank[least])
      return this.report(
        `${asked.message} (number ${seq}) is ${state} for ${user} whose mark says ${least}.`,
        room,
        least === "read" ? read?.line : delivered?.line,
        asked,
        line,
      );
    if (state === "sent") return;
    const most = Math.max(
      this.most("read", room, user, line.t),
      state === "delivered" ? this.most("delivered", room, user, line.t) : 0,
    );
    if (seq > most)
      this.report(`${asked.message} (number ${seq}) is ${state} for ${user}, who marked ${most}.`, room, asked, line);
    else this.knownOf(state, room, user).add(line.t, seq, line);
  }

  private unread(
    since: number,
    user: string,
    line: HistoryLine & { phase: "ok" },
    { room, unread, lastSeq, readSeq }: { room: string; unread: number; lastSeq: number; readSeq: number },
    era: number,
  ): void {
    const past = this.history.pastOf(room, era);
    const asked = this.history.operations.get(line.id)?.asked;
    const known = this.knownOf("read", room, user).before(since);
    const head = highestBefore(past, since);
    if (known && readSeq < known.seq)
      this.report(`The read mark of ${user} is ${readSeq}, and was ${known.seq}.`, room, known.line, asked, line);
    else if (lastSeq < head)
      this.report(`Unread knows the room up to ${lastSeq}, it was at ${head}.`, room, asked, line);
    else if (readSeq > lastSeq || readSeq > this.most("read", room, user, line.t))
      this.report(`The read mark of ${user} is ${readSeq}, further than he marked.`, room, asked, line);
    else {
      this.knownOf("read", room, user).add(line.t, readSeq, line);
      const count = since >= this.history.quietAt ? this.behind(room, user, readSeq) : null;
      if (count && count.unread !== unread)
        this.report(
          `${user} has ${unread} unread, and ${count.unread} messages of others stand behind ${readSeq}.`,
          room,
          asked,
          line,
          count.read,
        );
    }
  }

  /** What stands behind a mark when all has come to rest; null where it is not known for sure. */
  private behind(room: string, user: string, mark: number): { unread: number; read: HistoryLine | null } | null {
    const final = this.finals().get(room);
    if (!final) return null;
    const unread = final.items.filter(({ seq, sender, deleted }) => seq > mark && sender !== user && !deleted).length;
    return { unread, read: final.line };
  }

  private rest: Map<string, { items: ReturnType<typeof itemsOf>; line: HistoryLine | null }> | null = null;

  private finals(): NonNullable<Marks["rest"]> {
    if (this.rest) return this.rest;
    this.rest = new Map();
    for (const read of this.history.asked("final"))
      if (read.outcome === "ok" && seesAll(this.history, read.asked.room, read.asked.user))
        this.rest.set(read.asked.room, { items: itemsOf(read), line: read.end });
    for (const op of ["send", "edit", "delete"] as const)
      for (const { asked, outcome, end } of this.history.asked(op))
        if (outcome !== "fail" && (end?.t ?? asked.t) >= this.history.quietAt) this.rest.delete(asked.room);
    return this.rest;
  }

  private knownOf(kind: Kind, room: string, user: string): Known {
    const key = `${kind} ${room} ${user}`;
    let known = this.known.get(key);
    if (!known) this.known.set(key, (known = new Known()));
    return known;
  }

  private mayStand(kind: Kind, room: string, user: string, t: number, seq: number): void {
    push(this.asked, `${kind} ${room} ${user}`, { t, seq });
  }

  /** How far somebody can have marked by a time. */
  private most(kind: Kind, room: string, user: string, t: number): number {
    const who = `${room} ${user}`;
    if (this.joined.has(who) || !this.history.made.get(room)?.members.includes(user)) return Infinity;
    const asked = this.asked.get(`${kind} ${who}`) ?? [];
    return asked[countOf(asked, one => one.t <= t) - 1]?.seq ?? 0;
  }
}

/** In order of time those that go further than all before them. */
function rising<T extends { t: number; seq: number }>(all: readonly T[]): T[] {
  const steps: T[] = [];
  for (const one of all.toSorted((a, b) => a.t - b.t)) if (one.seq > (steps.at(-1)?.seq ?? 0)) steps.push(one);
  return steps;
}
