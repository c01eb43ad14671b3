import type { Platform } from "../../config/platform";
import type { Documents } from "../../mixins/documents";
import type { Clock } from "../core/clock";
import { newId } from "../core/ids";
import { EMAIL_CHANGES } from "./email-changes";
import { LINKS } from "./links";
import { MAILS } from "./mail/outbox";
import { REVOCATIONS, SESSIONS, type RevocationEntry, type Session } from "./auth.store";
import { PERSONAL_TOKENS } from "./personal-tokens";

/** After a restore: nobody is signed in, and no program's token holds. Resolves to what an operator is told. */
export async function restored(platform: Platform): Promise<string> {
  const sessions = await platform.documents<Session>(SESSIONS);
  await signOutEverybody(sessions, await platform.documents<RevocationEntry>(REVOCATIONS), platform.clock);
  // Links that were spent since, and tokens that were withdrawn, would hold again, and mails go out twice.
  for (const spec of [PERSONAL_TOKENS, LINKS, EMAIL_CHANGES, MAILS])
    await (await platform.documents(spec)).removeWhere({});
  return "everybody is signed out and tokens of programs are void: what was ended after the backup would live again";
}

/**
 * Signs everybody out of a store that was put back from a backup: in it, sessions that were ended since live again, and
 * refresh tokens that were exchanged since, by their owner or a thief, hold again. Access tokens carry numbers of the
 * revocation log that the store no longer knows, so it goes on at one that none of them can have reached: the time in
 * milliseconds, because no log grows by an entry each millisecond. May be repeated.
 */
export async function signOutEverybody(
  sessions: Documents<Session>,
  revocations: Documents<RevocationEntry>,
  clock: Clock,
): Promise<void> {
  const [last] = await revocations.find({ sort: "-n", limit: 1 });
  const at = clock.now();
  await revocations.insert({ id: newId(), n: Math.max(at, (last?.n ?? 0) + 1), everybody: true, at });
  await sessions.removeWhere({});
}
