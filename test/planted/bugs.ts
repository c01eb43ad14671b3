import type { Bug } from "./bug";
import { ackBeforeWrite } from "./bugs/ack-before-write";
import { clientIdNotStored } from "./bugs/client-id-not-stored";
import { duplicateKeyAcked } from "./bugs/duplicate-key-acked";
import { duplicatesDelivered } from "./bugs/duplicates-delivered";
import { editLost } from "./bugs/edit-lost";
import { epochKept } from "./bugs/epoch-kept";
import { eventsReordered } from "./bugs/events-reordered";
import { fsyncSkipped } from "./bugs/fsync-skipped";
import { ghostPresence } from "./bugs/ghost-presence";
import { holeFilled, holeLeft } from "./bugs/hole";
import { ignoreDropped } from "./bugs/ignore-dropped";
import { lastEventLost } from "./bugs/last-event-lost";
import { neverAnswered } from "./bugs/never-answered";
import { noteLost, noteTwice } from "./bugs/notes";
import { oldBodyReplayed } from "./bugs/old-body-replayed";
import { publishBeforeCommit } from "./bugs/publish-before-commit";
import { receiptOverwritten } from "./bugs/receipt-overwritten";
import { removedReadsOn } from "./bugs/removed-reads-on";
import { resumeOffByOne } from "./bugs/resume-off-by-one";
import { revocationNotBroadcast } from "./bugs/revocation-not-broadcast";
import { sessionReversed } from "./bugs/session-reversed";
import { sharedOffset } from "./bugs/shared-offset";
import { skipUniqueIndex } from "./bugs/skip-unique-index";
import { staleHistory } from "./bugs/stale-history";
import { unknownAsFailed } from "./bugs/unknown-as-failed";
import { wallClockOrder } from "./bugs/wall-clock-order";

/** Those that a few seconds of traffic show without a fault: looked for in every run of the tests. */
export const QUICK: readonly Bug[] = [skipUniqueIndex, holeFilled];

/** The essential ones. */
export const ESSENTIAL: readonly Bug[] = [
  ackBeforeWrite,
  skipUniqueIndex,
  publishBeforeCommit,
  ignoreDropped,
  duplicateKeyAcked,
  clientIdNotStored,
  resumeOffByOne,
  revocationNotBroadcast,
  receiptOverwritten,
  holeFilled,
];

export const BUGS: readonly Bug[] = [
  ...ESSENTIAL,
  holeLeft,
  lastEventLost,
  eventsReordered,
  duplicatesDelivered,
  oldBodyReplayed,
  sharedOffset,
  editLost,
  wallClockOrder,
  removedReadsOn,
  unknownAsFailed,
  staleHistory,
  ghostPresence,
  neverAnswered,
  sessionReversed,
  noteLost,
  noteTwice,
  epochKept,
  fsyncSkipped,
];
