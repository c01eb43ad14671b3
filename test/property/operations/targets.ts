import { whole } from "../../chaos/random";
import type { Random } from "../operation";

/** How far back somebody goes to change what was said. */
const BACK = 5;

/** The number of a send of not long ago. */
export const recent = (random: Random, sends: number, back = BACK): number =>
  whole(random, Math.max(0, sends - back), sends - 1);
