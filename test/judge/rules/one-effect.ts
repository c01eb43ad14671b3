import { sendKey, type Message } from "../history-index";
import type { JudgedRule } from "../rule";

/** Refusals that depend on what can change: a repeat is answered before they are looked at. */
const CHANGEABLE = new Set(["FORBIDDEN", "NOT_FOUND", "CONFLICT"]);

/** H7 */
export const oneEffect: JudgedRule = {
  rule: "H7",
  name: "one effect",
  sentence: "One clientId of a sender in a room is one message, and every repeat is answered with it.",
  judge(history, report) {
    for (const { room, byId } of history.pasts()) {
      const byKey = new Map<string, Message>();
      for (const message of byId.values()) {
        if (message.clientId === null) continue;
        const key = sendKey(room, message.sender, message.clientId);
        const other = byKey.get(key);
        if (!other) byKey.set(key, message);
        else
          report(
            `clientId ${message.clientId} of ${message.sender} became two messages, ${other.id} and ${message.id}.`,
            room,
            ...(history.sends.get(key)?.attempts.map(({ asked }) => asked) ?? []),
            other.first,
            message.first,
          );
      }
    }
    history.eachShown((shown, room, line, _since, era) => {
      const known = history.pastOf(room, era).byId.get(shown.id) as Message;
      if (known.sender !== shown.sender || known.clientId !== shown.clientId)
        report(
          `Message ${shown.id} is of (${known.sender}, ${known.clientId}) for one and of (${shown.sender}, ${shown.clientId}) for another.`,
          room,
          known.first,
          line,
        );
    });
    for (const { room, sender, clientId, attempts } of history.sends.values()) {
      const stored = attempts.find(({ outcome }) => outcome === "ok");
      for (const { asked, end } of attempts) {
        const shown = end?.phase === "ok" ? end.answer.message : undefined;
        if (shown && (shown.clientId !== clientId || shown.sender !== sender))
          report(
            `The send of clientId ${clientId} was answered with the message of (${shown.sender}, ${shown.clientId}).`,
            room,
            asked,
            end,
          );
        if (shown && stored && asked.hash !== stored.asked.hash)
          report(`clientId ${clientId} was acknowledged for two contents.`, room, stored.asked, stored.end, asked, end);
        if (end?.phase !== "fail" || !CHANGEABLE.has(end.code)) continue;
        const same = attempts.every(attempt => attempt.asked.hash === asked.hash);
        const repeat =
          stored && stored.until < asked.t && stored.asked.hash === asked.hash && sameEra(stored.until, end.t);
        if (repeat || (same && end.code === "CONFLICT"))
          report(
            `clientId ${clientId} with the same content was refused as ${end.code}.`,
            room,
            stored?.asked,
            stored?.end,
            asked,
            end,
          );
      }
    }

    function sameEra(a: number, b: number): boolean {
      return history.eraAt(a) === history.eraAt(b);
    }
  },
};
