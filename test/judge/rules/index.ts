import type { JudgedRule } from "../rule";
import { contiguity } from "./contiguity";
import { delivery } from "./delivery";
import { lostAcks } from "./lost-acks";
import { monotonicReads } from "./monotonic-reads";
import { oneEffect } from "./one-effect";
import { oneOrder } from "./one-order";
import { phantoms } from "./phantoms";
import { readYourWrites } from "./read-your-writes";
import { realTime } from "./real-time";
import { sessionOrder } from "./session-order";
import { unanswered } from "./unanswered";
import { membership } from "./membership";
import { presence } from "./presence";
import { receipts } from "./receipts";
import { revocation } from "./revocation";
import { versions } from "./versions";

/** H1 to H16, in this order. */
export const RULES: readonly JudgedRule[] = [
  lostAcks,
  phantoms,
  oneOrder,
  contiguity,
  realTime,
  sessionOrder,
  oneEffect,
  delivery,
  readYourWrites,
  monotonicReads,
  receipts,
  membership,
  versions,
  presence,
  unanswered,
  revocation,
];
