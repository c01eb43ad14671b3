import { isRead } from "../../services/core/methods";
import type { Client, Stage } from "../support/client";
import { doorsFor, type Door, type Verdict } from "./doors";
import { SAMPLES, type Sample } from "./samples";
import { build, CALLERS, gather, isIn, twin, type Caller, type Cast, type Kind, type Place } from "./scene";

export interface Row {
  name: string;
  kind: Kind | null;
  /** Null: there is no such caller in such a room. */
  verdicts: Record<Caller, Verdict | null>;
  doors: string[];
  /** Where doors answered one caller differently. */
  disagreements: string[];
}

/** Rows that are asked at the same time. */
const AT_ONCE = 4;

/** Asks for everything as everybody at every door. Takes a server whose limits do not refuse. */
export async function matrix(stage: Stage, samples: readonly Sample[] = SAMPLES): Promise<Row[]> {
  const cast = await gather(stage);
  const wanted = samples.flatMap(sample =>
    (sample.kinds.length > 0 ? sample.kinds : [null]).map(kind => ({ sample, kind })),
  );
  const doors = new Map<Caller, Door[]>();
  for (const caller of CALLERS) doors.set(caller, await enter(stage, cast, caller));
  // What is only looked at, or as good as that, serves all who ask.
  const untouched = new Map<Kind, Promise<Place>>();
  const places = (kind: Kind): Promise<Place> => {
    const known = untouched.get(kind) ?? build(stage, cast, kind);
    untouched.set(kind, known);
    return known;
  };
  const rows = new Array<Row>(wanted.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < wanted.length; at = next++) {
      const { sample, kind } = wanted[at] as { sample: Sample; kind: Kind | null };
      rows[at] = await row(stage, cast, doors, places, sample, kind);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  for (const all of doors.values()) for (const door of all) await door.close();
  return rows;
}

const clientOf = (cast: Cast, caller: Caller): Client | null => (caller === "nobody" ? null : cast[caller]);

const enter = (stage: Stage, cast: Cast, caller: Caller): Promise<Door[]> =>
  Promise.all(doorsFor(cast.stranger).map(open => open(stage.server.url, clientOf(cast, caller))));

async function row(
  stage: Stage,
  cast: Cast,
  doors: ReadonlyMap<Caller, readonly Door[]>,
  places: (kind: Kind) => Promise<Place>,
  sample: Sample,
  kind: Kind | null,
): Promise<Row> {
  const made: Row = {
    name: sample.note === undefined ? sample.method : `${sample.method} (${sample.note})`,
    kind,
    verdicts: {} as Row["verdicts"],
    doors: [],
    disagreements: [],
  };
  const shared = isRead(sample.method) || sample.keeps === true;
  let place = shared ? await places(kind ?? "public") : null;
  for (const caller of CALLERS) {
    if (kind && !isIn(kind, caller)) {
      made.verdicts[caller] = null;
      continue;
    }
    const seen = new Map<string, Verdict>();
    const client = clientOf(cast, caller);
    const session = async (): Promise<Client | null> => {
      if (!client || caller === "signed out" || caller === "bot" || !sample.ends) return null;
      return sample.ends === "all" ? twin(stage, caller, cast) : stage.login(client);
    };
    for (const [at, standing] of (doors.get(caller) ?? []).entries()) {
      place ??= await build(stage, cast, kind ?? "public");
      if (!standing.knows(sample.method)) continue;
      const anew = await session();
      const own = anew ? await doorsFor(cast.stranger)[at]?.(stage.server.url, anew) : undefined;
      const door = own ?? standing;
      const params = await sample.params(place, cast, anew ?? client);
      const asked = door.ask({ method: sample.method, params, place });
      const verdict = await asked;
      seen.set(door.name, verdict);
      if (own) await own.close();
      if (verdict === "ok" && sample.spends) place = null;
    }
    const [first = null] = seen.values();
    made.verdicts[caller] = first;
    made.doors = [...new Set([...made.doors, ...seen.keys()])];
    if (new Set(seen.values()).size > 1)
      made.disagreements.push(`${made.name} ${kind ?? ""} as ${caller}: ${JSON.stringify(Object.fromEntries(seen))}`);
  }
  return made;
}
