import type { Asked } from "../judge/history";
import type { Body } from "../support/rest";
import type { Journal, Who } from "./journal";
import { answerOf } from "./shown";

/** What a client knows of what it asked for. `info`: nobody knows whether it happened. */
export type Outcome = { state: "ok"; body: Body } | { state: "fail"; code: string } | { state: "info"; code: string };

/** Milliseconds after which nobody waits any longer for an answer. */
export const PATIENCE = 12_000;
/** The connection ended before the answer came. */
export const CLOSED: Outcome = { state: "info", code: "CLOSED" };
/** No answer came in time; that it did not is for the judge to find. */
export const UNANSWERED: Outcome = { state: "info", code: "UNANSWERED" };

/** Codes that say that it surely did not happen; everything else leaves it open. */
const REFUSALS: ReadonlySet<string> = new Set([
  "BAD_REQUEST",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "NOT_FOUND",
  "CONFLICT",
  "TOO_LARGE",
  "INVALID",
  "RATE_LIMITED",
  "UNAVAILABLE",
]);

export const refusedWith = (code: string): Outcome => ({ state: REFUSALS.has(code) ? "fail" : "info", code });

/** Whether asking again later may help. */
export const isPassing = (code: string): boolean => code === "UNAVAILABLE" || code === "RATE_LIMITED";

/** Writes how an operation ended. */
export function record(journal: Journal, who: Who, id: number, asked: Asked, outcome: Outcome): void {
  if (outcome.state === "ok") journal.ok(who, id, asked, answerOf(asked, outcome.body));
  else journal.ended(who, id, outcome.state, outcome.code);
}
