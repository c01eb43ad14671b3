import type { Completion, Observed, Shown } from "../history";
import { sendKey, type HistoryIndex, type Operation } from "../history-index";
import type { JudgedRule } from "../rule";

/** H2 */
export const phantoms: JudgedRule = {
  rule: "H2",
  name: "phantoms",
  sentence: "Everything seen was asked for by an operation that did not surely fail, and says what was asked.",
  judge(history, report) {
    history.eachShown((shown, room, line) => {
      const doubt = wrong(history, shown, room, line);
      if (doubt)
        report(doubt.what, room, ...doubt.attempts.slice(0, 4).flatMap(({ asked, end }) => [asked, end]), line);
    });
    const reactions = new Map<string, number>();
    for (const { asked, outcome } of history.asked("react")) {
      const key = reactionKey(asked);
      if (outcome !== "fail" && !reactions.has(key)) reactions.set(key, asked.t);
    }
    for (const line of history.lines) {
      if (line.phase !== "seen" || line.what !== "event") continue;
      const { kind, message, reaction, room } = line;
      if ((kind === "edit" || kind === "delete") && message && !happened(history, message.id, kind, line.t))
        report(`A ${kind} of message ${message.id} was seen that nobody asked for.`, room, line);
      if (reaction && (reactions.get(reactionKey(reaction)) ?? Infinity) > line.t)
        report(`A reaction to ${reaction.message} was seen that nobody asked for.`, room, line);
    }
  },
};

interface Doubt {
  what: string;
  attempts: readonly Operation[];
}

function wrong(history: HistoryIndex, shown: Shown, room: string, line: Completion | Observed): Doubt | null {
  const { id, sender, clientId, hash, deleted, edited } = shown;
  const attempts = history.sends.get(sendKey(room, sender, clientId ?? ""))?.attempts ?? [];
  if (clientId === null || attempts.length === 0) return { what: `Message ${id} was never sent.`, attempts };
  const effective = attempts.filter(({ asked, outcome }) => outcome !== "fail" && asked.t <= line.t);
  if (effective.length === 0) {
    const later = attempts.some(({ outcome }) => outcome !== "fail");
    return {
      what: `Message ${id} ${later ? "was seen before it was sent" : "had surely failed, and was seen"}.`,
      attempts,
    };
  }
  if (deleted)
    return happened(history, id, "delete", line.t)
      ? null
      : { what: `Message ${id} is deleted, and nobody asked for that.`, attempts };
  const sent = effective.some(({ asked }) => asked.hash === hash);
  if (!edited && sent) return null;
  const changed = history
    .changesOf(id)
    .some(
      ({ asked, outcome }) => asked.op === "edit" && asked.hash === hash && outcome !== "fail" && asked.t <= line.t,
    );
  if (edited && changed) return null;
  return { what: `Message ${id} shows a text that was not given to it.`, attempts };
}

const happened = (history: HistoryIndex, message: string, op: "edit" | "delete", before: number): boolean =>
  history.changesOf(message).some(({ asked, outcome }) => asked.op === op && outcome !== "fail" && asked.t <= before);

const reactionKey = ({ message, user, emoji, on }: NonNullable<(Observed & { what: "event" })["reaction"]>): string =>
  `${message} ${user} ${emoji} ${on}`;
