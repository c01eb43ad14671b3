import type { HistoryLine, Invoke } from "../history";
import { push, type Asking, type Operation, type Seen } from "../history-index";
import { deadline, type JudgedRule } from "../rule";

interface Revoked {
  /** Milliseconds after which nothing may come any more. */
  from: number;
  by: Operation<Asking<"revoke">>;
}

/** H16. Over REST what was asked in time may be answered later: nothing is cut there. */
export const revocation: JudgedRule = {
  rule: "H16",
  name: "revocation",
  sentence: "A revoked session does nothing and hears nothing any more.",
  judge(history, report, allowed) {
    // All of a user, and those of each of his sessions.
    const opened = new Map<string, Seen<"open">[]>();
    for (const line of history.lines) {
      if (line.phase !== "seen" || line.what !== "open") continue;
      push(opened, line.user, line);
      if (line.sid !== null) push(opened, `${line.user} ${line.sid}`, line);
    }

    const revoked = new Map<string, Revoked>();
    const overRest = new Map<string, Revoked>();
    for (const by of history.asked("revoke")) {
      const { asked, outcome, until } = by;
      if (outcome !== "ok") continue;
      const from = deadline(history, until, allowed);
      const restored = (t: number): boolean => history.eraAt(t) !== history.eraAt(until);
      const own = (opened.get(asked.sid === null ? asked.who : `${asked.who} ${asked.sid}`) ?? []).filter(
        ({ t }) => !restored(t),
      );
      const before = own.filter(({ t }) => t < asked.t);
      const sids = asked.sid === null ? new Set(before.map(({ sid }) => sid)) : new Set([asked.sid]);
      for (const sid of sids)
        if (sid !== null && from < (overRest.get(sid)?.from ?? Infinity)) overRest.set(sid, { from, by });
      for (const { session, sid, t } of own) {
        const concerned = sid === null ? asked.sid === null && t < asked.t : sids.has(sid);
        if (concerned && from < (revoked.get(session)?.from ?? Infinity)) revoked.set(session, { from, by });
      }
    }
    for (const line of history.lines) {
      if (line.phase === "run" || line.phase === "invoke") continue;
      const asked = line.phase === "seen" ? undefined : history.operations.get(line.id)?.asked;
      const end = line.session === "rest" ? inForceNoMore(asked) : revoked.get(line.session);
      if (end && line.t > end.from && counts(line))
        report(
          `A session of ${line.user} was served ${Math.round(line.t - end.by.until)} ms after it had been revoked.`,
          "room" in line ? line.room : null,
          end.by.asked,
          end.by.end,
          asked,
          line,
        );
    }

    /** A store that was put back has the session again. */
    function inForceNoMore(asked: Invoke | undefined): Revoked | undefined {
      const end = overRest.get(asked?.bearer ?? "");
      if (!asked || !end || history.eraAt(asked.t) !== history.eraAt(end.by.until)) return undefined;
      return asked.t > end.from ? end : undefined;
    }
  },
};

const UNASKED = new Set(["open", "close", "unsub"]);

/** What only a session in force gets. A socket opens before anybody says who he is. */
const counts = (line: HistoryLine): boolean =>
  line.phase === "ok" || (line.phase === "seen" && !UNASKED.has(line.what));
