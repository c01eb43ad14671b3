import { isRead } from "../../services/core/methods";
import type { Client, Stage } from "../support/client";
import { doorsFor, type Door, type Verdict } from "./doors";
import { SAMPLES, type Sample } from "./samples";
import {
  build,
  CALLERS,
  exists,
  gather,
  isApart,
  rise,
  seenBy,
  twin,
  type Caller,
  type Cast,
  type Kind,
  type Place,
} from "./scene";

export interface Row {
  name: string;
  kind: Kind | null;
  /** Null: there is no such caller in such a room. */
  verdicts: Record<Caller, Verdict | null>;
  doors: string[];
  /** Where doors answered one caller differently. */
  disagreements: string[];
}

interface Wanted {
  sample: Sample;
  kind: Kind | null;
}

/** Where it is asked: of a kind, for all or for one caller alone. */
type Places = (kind: Kind, caller?: Caller) => Promise<Place>;

/** Rows that are asked at the same time. */
const AT_ONCE = 4;

/** What is only looked at, or as good as that, serves all who ask. */
const isShared = ({ sample, kind }: Wanted): boolean => kind === null || isRead(sample.method) || sample.keeps === true;

/** Asks for everything as everybody at every door. Takes a server whose limits do not refuse. */
export async function matrix(stage: Stage, samples: readonly Sample[] = SAMPLES): Promise<Row[]> {
  const cast = await gather(stage);
  const wanted = samples.flatMap(sample =>
    (sample.kinds.length > 0 ? sample.kinds : [null]).map((kind): Wanted => ({ sample, kind })),
  );
  const untouched = new Map<string, Promise<Place>>();
  const places: Places = (kind, caller) => {
    const key = caller && isApart(kind, caller) ? `${kind} ${caller}` : kind;
    const known = untouched.get(key) ?? build(stage, cast, kind, caller);
    untouched.set(key, known);
    return known;
  };
  const foreseen = await foresee(stage, cast, wanted, places);
  const doors = new Map<Caller, Door[]>();
  for (const caller of CALLERS) doors.set(caller, await enter(stage, cast, caller));
  const rows = new Array<Row>(wanted.length);
  await lanes(wanted, async (one, at) => {
    rows[at] = await row(stage, cast, doors, places, one, foreseen.get(one));
  });
  for (const all of doors.values()) for (const door of all) await door.close();
  return rows;
}

async function lanes<T>(all: readonly T[], work: (one: T, at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < all.length; at = next++) await work(all[at] as T, at);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** The rooms of the banned Admin, while he can be banned from them: one for each row that changes a public one. */
async function foresee(
  stage: Stage,
  cast: Cast,
  wanted: readonly Wanted[],
  places: Places,
): Promise<Map<Wanted, Place>> {
  const foreseen = new Map<Wanted, Place>();
  const changing = wanted.filter(one => one.kind === "public" && !isShared(one));
  await lanes(changing, async one => void foreseen.set(one, await build(stage, cast, "public", "banned Admin")));
  // In a private one there is nothing that he may change.
  for (const kind of ["public", "private"] as const) await places(kind, "banned Admin");
  await rise(stage, cast);
  return foreseen;
}

const clientOf = (cast: Cast, caller: Caller): Client | null => (caller === "nobody" ? null : cast[caller]);

const enter = (stage: Stage, cast: Cast, caller: Caller): Promise<Door[]> =>
  Promise.all(doorsFor(cast.stranger).map(open => open(stage.server.url, clientOf(cast, caller))));

async function row(
  stage: Stage,
  cast: Cast,
  doors: ReadonlyMap<Caller, readonly Door[]>,
  places: Places,
  wanted: Wanted,
  foreseen: Place | undefined,
): Promise<Row> {
  const { sample, kind } = wanted;
  const made: Row = {
    name: sample.note === undefined ? sample.method : `${sample.method} (${sample.note})`,
    kind,
    verdicts: {} as Row["verdicts"],
    doors: [],
    disagreements: [],
  };
  const shared = isShared(wanted);
  let common: Place | null = null;
  for (const caller of CALLERS) {
    if (!exists(kind, caller)) {
      made.verdicts[caller] = null;
      continue;
    }
    const seen = new Map<string, Verdict>();
    const client = clientOf(cast, caller);
    const named = seenBy(cast, caller);
    const session = async (): Promise<Client | null> => {
      if (!client || SESSIONLESS.includes(caller) || !sample.ends) return null;
      return sample.ends === "all" ? twin(stage, caller, cast) : stage.login(client);
    };
    const banned = caller === "banned Admin";
    let own = banned ? (foreseen ?? (await places(kind ?? "public", caller))) : null;
    for (const [at, standing] of (doors.get(caller) ?? []).entries()) {
      if (!standing.knows(sample.method)) continue;
      const apart = kind !== null && isApart(kind, caller);
      // Of the rooms that he was banned from there is one.
      if (banned && !own) break;
      if (apart && !banned) own ??= shared ? await places(kind, caller) : await build(stage, cast, kind, caller);
      if (!apart) common ??= shared ? await places(kind ?? "public") : await build(stage, cast, kind ?? "public");
      const place = (apart ? own : common) as Place;
      const anew = await session();
      const entered = anew ? await doorsFor(cast.stranger)[at]?.(stage.server.url, anew) : undefined;
      const door = entered ?? standing;
      const params = await sample.params(place, named, anew ?? client);
      const verdict = await door.ask({ method: sample.method, params, place });
      seen.set(door.name, verdict);
      if (entered) await entered.close();
      if (verdict !== "ok") continue;
      const undone = sample.undo && (await sample.undo({ place, cast, caller, stage }));
      if (!sample.spends && undone !== false) continue;
      if (apart) own = null;
      else common = null;
    }
    const [first = null] = seen.values();
    made.verdicts[caller] = first;
    made.doors = [...new Set([...made.doors, ...seen.keys()])];
    if (new Set(seen.values()).size > 1)
      made.disagreements.push(`${made.name} ${kind ?? ""} as ${caller}: ${JSON.stringify(Object.fromEntries(seen))}`);
  }
  return made;
}

/** Who has no session that could end. */
const SESSIONLESS: readonly Caller[] = ["signed out", "deactivated", "bot"];
