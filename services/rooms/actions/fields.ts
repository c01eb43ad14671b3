import { HISTORIES, ROOM_MODES } from "../../core/model";
import * as rules from "../../core/rules";

/** Seconds between two messages of a member, at most. */
const SLOWEST = 6 * 3_600;

/** Of a room, as whoever makes it, changes it or imports it gives them. */
export const name = rules.line({ min: 1, max: 80 });
export const legalHold = "boolean|optional";
export const mode = { type: "enum", values: [...ROOM_MODES], optional: true } as const;
export const slowMode = { ...rules.whole(0), max: SLOWEST, optional: true } as const;
export const history = { type: "enum", values: [...HISTORIES], optional: true } as const;
