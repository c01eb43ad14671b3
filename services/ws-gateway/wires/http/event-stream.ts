import type { HttpTaken } from "../../../core/contract";
import type { WireRequest } from "./http-door";

/** Milliseconds after which an empty go shows a proxy that the stream lives. */
const ALIVE = 10_000;

/**
 * Answers with what a session has, as Server-Sent Events, until it or the client is gone.
 * @param encode the texts of one go; of none, what shows that it lives
 * @param begun what was taken to see that there is such a session
 */
export async function eventStream(
  { sessions, stream }: WireRequest,
  session: string,
  user: string,
  encode: (texts: string[]) => string[],
  begun?: HttpTaken,
): Promise<undefined> {
  let ready = begun;
  let last = 0;
  const next = async (): Promise<string[] | null> => {
    // Who asks for more has written what there was.
    sessions.received(session, user, last);
    const taken = ready ?? (await sessions.take(session, user, ALIVE).catch(() => null));
    ready = undefined;
    last = taken?.number ?? 0;
    return !taken || (!taken.open && taken.texts.length === 0) ? null : encode(taken.texts);
  };
  const gone = (): void => void sessions.end(session, user).catch(() => undefined);
  await stream({ "Content-Type": "text/event-stream" }, next, gone);
}
