import type { HistoryLine } from "../history";
import type { Asking, Operation } from "../history-index";
import { deadline, type JudgedRule } from "../rule";

interface Revoked {
  /** Milliseconds after which nothing may come any more. */
  from: number;
  by: Operation<Asking<"revoke">>;
}

/** H16. Answers over REST are not judged: they do not say which session they belong to. */
export const revocation: JudgedRule = {
  rule: "H16",
  name: "revocation",
  sentence: "A revoked session does nothing and hears nothing any more.",
  judge(history, report, allowed) {
    const opened = new Map<string, { sid: string | null; user: string; t: number }>();
    for (const line of history.lines)
      if (line.phase === "seen" && line.what === "open")
        opened.set(line.session, { sid: line.sid, user: line.user, t: line.t });

    const revoked = new Map<string, Revoked>();
    for (const by of history.asked("revoke")) {
      const { asked, outcome, until } = by;
      if (outcome !== "ok") continue;
      const from = deadline(history, until, allowed);
      const restored = (t: number): boolean => history.eraAt(t) !== history.eraAt(until);
      const before = [...opened.values()].filter(({ user, t }) => user === asked.who && t < asked.t && !restored(t));
      const sids = asked.sid === null ? new Set(before.map(({ sid }) => sid)) : new Set([asked.sid]);
      for (const [session, { sid, user, t }] of opened) {
        const concerned = sid === null ? asked.sid === null && t < asked.t : sids.has(sid);
        if (user !== asked.who || !concerned || restored(t)) continue;
        if (from < (revoked.get(session)?.from ?? Infinity)) revoked.set(session, { from, by });
      }
    }
    if (revoked.size === 0) return;
    for (const line of history.lines) {
      if (line.phase === "run" || line.phase === "invoke") continue;
      const end = revoked.get(line.session);
      if (end && line.t > end.from && counts(line))
        report(
          `A session of ${line.user} was served ${Math.round(line.t - end.by.until)} ms after it had been revoked.`,
          "room" in line ? line.room : null,
          end.by.asked,
          end.by.end,
          line.phase === "ok" ? history.operations.get(line.id)?.asked : null,
          line,
        );
    }
  },
};

const UNASKED = new Set(["open", "close", "unsub"]);

/** What only a session in force gets. A socket opens before anybody says who he is. */
const counts = (line: HistoryLine): boolean =>
  line.phase === "ok" || (line.phase === "seen" && !UNASKED.has(line.what));
