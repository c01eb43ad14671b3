import type { HistoryLine, Observed } from "../history";
import { push, type HistoryIndex } from "../history-index";
import type { Allowances, JudgedRule } from "../rule";

interface Told {
  status: string;
  line: HistoryLine;
}

/** H14. Judged when all faults are healed, of users whose sockets have neither come nor gone for a while. */
export const presence: JudgedRule = {
  rule: "H14",
  name: "presence",
  sentence: "Once all has come to rest, who has an open socket is there and who has none is gone.",
  judge(history, report, allowed) {
    if (history.healedAt === Infinity) return;
    const sockets = new Sockets(history);
    for (const { asked, end } of history.asked("presence"))
      if (end?.phase === "ok" && asked.t >= history.healedAt)
        for (const [who, status] of Object.entries(end.answer.presence ?? {})) {
          const wrong = sockets.wrong(who, status, asked.t, end.t, allowed);
          if (wrong) report(`${who} is ${status}, ${wrong.what}.`, null, wrong.line, asked, end);
        }
    for (const { who, status, line } of watched(history)) {
      const wrong = sockets.wrong(who, status, history.quietAt, history.quietAt, allowed);
      if (wrong) report(`${who} was last told to be ${status}, ${wrong.what}.`, null, wrong.line, line);
    }
  },
};

/** What each socket that is open at rest was told last of those it watches. */
function watched(history: HistoryIndex): Iterable<{ who: string } & Told> {
  const sessions = new Map<string, Map<string, Told>>();
  for (const line of history.lines) {
    if (line.t > history.quietAt) break;
    if (line.phase === "run" || line.session === "rest") continue;
    if (line.phase === "seen" && line.what === "close") sessions.delete(line.session);
    else if (line.phase === "seen" && line.what === "presence") {
      const told = sessions.get(line.session);
      if (told?.has(line.who)) told.set(line.who, { status: line.status, line });
    } else if (line.phase === "ok" && line.answer.presence)
      sessions.set(
        line.session,
        new Map(Object.entries(line.answer.presence).map(([who, status]) => [who, { status, line }])),
      );
  }
  return history.quietAt === Infinity
    ? []
    : [...sessions.values()].flatMap(told => Array.from(told, ([who, last]) => ({ who, ...last })));
}

interface Span {
  open: Observed;
  close: Observed | null;
}

class Sockets {
  private readonly byUser = new Map<string, Span[]>();
  private readonly troubledUntil: number;

  constructor(private readonly history: HistoryIndex) {
    this.troubledUntil = Math.max(0, ...history.faults.map(({ to }) => to), ...history.restores);
    const open = new Map<string, Span>();
    for (const line of history.lines) {
      if (line.phase !== "seen") continue;
      if (line.what === "open") {
        const span = { open: line, close: null };
        open.set(line.session, span);
        push(this.byUser, line.user, span);
      } else if (line.what === "close") Object.assign(open.get(line.session) ?? {}, { close: line });
    }
  }

  /** What contradicts a status told between two times; null where nothing does for sure. */
  wrong(
    who: string,
    status: string,
    from: number,
    to: number,
    { presence: { gone, there } }: Allowances,
  ): { what: string; line: HistoryLine } | null {
    const spans = this.byUser.get(who) ?? [];
    const during = spans.find(({ open, close }) => open.t <= to && (close?.t ?? Infinity) >= from);
    if (status === "offline") {
      const long = spans.find(({ open, close }) => this.since(open.t) + there <= from && (close?.t ?? Infinity) > to);
      return long ? { what: "and has an open socket", line: long.open } : null;
    }
    const last = spans.reduce<Observed | null>(
      (latest, { close }) => (close && close.t > (latest?.t ?? 0) ? close : latest),
      null,
    );
    if (during || !last) return null;
    // Leases run out where a gateway was lost; who closes his socket himself is gone at once.
    const patience = last.t > this.troubledUntil + gone || this.troubledUntil === 0 ? there : gone;
    if (this.since(last.t) + patience > from) return null;
    return { what: "and has had no socket for long", line: last };
  }

  private since(t: number): number {
    return Math.max(t, this.troubledUntil);
  }
}
