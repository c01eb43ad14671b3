import { setTimeout as pause } from "node:timers/promises";
import { check } from "../judge/check";
import { readHistory } from "../judge/read";
import type { Verdict, Violation } from "../judge/verdict";
import { gather } from "./cast";
import type { Fault, Ground } from "./ground";
import { Journal, type Tally } from "./journal";
import { Meter } from "./meter";
import { readAll } from "./quiescence";
import { pick, seeded, whole } from "./random";
import { ratesFor, Workload, type Rates } from "./workload";

export interface RunOptions {
  seed: number;
  /** Milliseconds of traffic and faults, without what is before and after. */
  ms: number;
  faults: readonly Fault[];
  /** Where the history is written. */
  file: string;
  /** Default 100. */
  clients?: number;
  /** Default: one for five clients, 3 at least. */
  rooms?: number;
  /** Sends a second over all clients; default 50. */
  rate?: number;
  /** Other rates than follow from `rate`. */
  rates?: Partial<Rates>;
  /** Each fault once, in the order given, and then the run is over; default: by chance until the time is over. */
  inOrder?: boolean;
  /** Milliseconds from the end of a fault to the next: from and to. Default 2,000 to 5,000. */
  between?: readonly [least: number, most: number];
  /** Milliseconds of traffic that are looked at before each fault; default 2,000. */
  span?: number;
  /**
   * Milliseconds until everybody must have come to rest in the end; default 30,000. 0: what was seen so far is enough. Read
   * only then, so that it may change.
   */
  patience?: number;
  /** Ends the run in order, with a verdict on what was seen so far. */
  signal?: AbortSignal;
  /** Called every second. */
  onProgress?: (progress: Progress) => void;
}

export interface Progress extends Tally {
  /** Milliseconds of traffic so far. */
  ms: number;
  faults: number;
}

export interface RunResult {
  /** Null for a clean run and a guilty one; else why the run proves nothing. */
  invalid: string | null;
  verdict: Verdict;
  file: string;
  faults: { name: string; target: string }[];
  /** What had not come to rest in the end, in words. */
  restless: string[];
  /** Counters of the product over all processes and their lives. */
  metrics: Record<string, number>;
  tally: Tally;
  /** What the processes wrote. */
  output: string;
}

/** Acknowledged sends a second there must be before a fault, at the default rate; a fault without traffic proves nothing. */
const FLOOR = 0.6;
/** Milliseconds in which that must be reached. */
const FLOOR_PATIENCE = 30_000;
/** Milliseconds until all is healthy again. */
const HEAL = 90_000;
const METER = 2_000;

/** A run on a ground that is up and empty: traffic, faults one after the other, and judgement. The ground is left running. */
export async function run(ground: Ground, options: RunOptions): Promise<RunResult> {
  const { seed, ms, faults, file, clients = 100, rate = 50, span = 2_000, signal } = options;
  const journal = new Journal(file);
  const fired: RunResult["faults"] = [];
  const broken = new Set<string>();
  const meter = new Meter(ground.metricsUrls);
  journal.staged({ phase: "run", what: "seed", seed, shape: ground.shape, faults: faults.map(({ name }) => name) });

  const random = seeded(seed);
  const surroundings = { journal, random, doors: ground.doors, misbehaved: (what: string) => void broken.add(what) };
  const cast = await gather(
    ground,
    { clients, rooms: options.rooms ?? Math.max(3, Math.round(clients / 5)) },
    surroundings,
  );
  const workload = new Workload(cast, surroundings, { ...ratesFor(rate, clients), ...options.rates });
  const began = journal.now;
  const progress = (): Progress => ({ ...journal.tally, ms: journal.now - began, faults: fired.length });
  const told = setInterval(() => options.onProgress?.(progress()), 1_000);
  const metered = setInterval(() => void meter.look(), METER);

  let invalid: string | null = null;
  let restless: string[] = [];
  try {
    workload.start();
    invalid = await trouble();
    if (options.patience !== 0) {
      await ground.untilHealthy(HEAL);
      await within(HEAL, workload.quiet());
      journal.staged({ phase: "run", what: "healed" });
      restless = await readAll(ground, cast, journal, random, options.patience);
    }
    await meter.look();
  } catch (error) {
    // The product did not come back, which is its fault, not the run's.
    broken.add(error instanceof Error ? error.message : String(error));
  } finally {
    clearInterval(told);
    clearInterval(metered);
    workload.stop();
    journal.close();
  }
  return {
    invalid,
    verdict: withBroken(check(await readHistory(file)), broken),
    file,
    faults: fired,
    restless,
    metrics: meter.totals,
    tally: journal.tally,
    output: ground.output,
  };

  /** Faults until the time is over; why the run proves nothing, if so. */
  async function trouble(): Promise<string | null> {
    const chance = seeded(seed + 1);
    const possible = faults.filter(
      fault => fault.shapes.includes(ground.shape) && fault.isPossible?.(ground) !== false,
    );
    if (faults.length > 0 && possible.length === 0) return "nothing that was to go wrong can be had here";
    const [least, most] = options.between ?? [2_000, 5_000];
    const turns = options.inOrder ? possible.values() : null;
    const isOver = (): boolean => journal.now - began > ms || signal?.aborted === true;
    while (!isOver()) {
      if (!(await flows())) return `less than ${rate * FLOOR} acknowledged sends a second before a fault`;
      const fault = turns ? turns.next().value : pick(chance, possible);
      if (turns && !fault) break;
      await pause(fault ? whole(chance, least, most) : 1_000, undefined, { signal }).catch(() => undefined);
      if (isOver()) break;
      await fault?.run(ground, chance, (target, state) => {
        if (state === "restored") return journal.staged({ phase: "run", what: "restored" });
        journal.staged({ phase: "run", what: "fault", name: fault.name, target, state });
        if (state === "begin") fired.push({ name: fault.name, target });
      });
    }
    if (signal?.aborted) return null;
    if (journal.tally.acked === 0) return "nothing was acknowledged";
    return possible.length > 0 && fired.length === 0 ? "it was over before anything went wrong" : null;
  }

  /** Resolves when there is enough traffic, false if there is not for a while. */
  async function flows(): Promise<boolean> {
    for (const end = journal.now + FLOOR_PATIENCE; journal.now < end;) {
      const before = journal.tally.acked;
      await pause(span, undefined, { signal }).catch(() => undefined);
      if (signal?.aborted || journal.tally.acked - before >= (rate * FLOOR * span) / 1_000) return true;
    }
    return false;
  }
}

/** Rejects if it takes longer than so many milliseconds. */
function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = pause(ms, undefined, { ref: false }).then(() => {
    throw new Error(`what clients had begun was not over within ${ms} ms`);
  });
  return Promise.race([work, late]);
}

/** What clients complained of is a lie of the server, too. */
function withBroken(verdict: Verdict, broken: ReadonlySet<string>): Verdict {
  const more = [...broken].map((what): Violation => ({ rule: "H15", what, room: null, evidence: [] }));
  if (more.length === 0) return verdict;
  const count = (verdict.broken.H15 ?? 0) + more.length;
  return {
    ...verdict,
    valid: false,
    violations: [...verdict.violations, ...more],
    broken: { ...verdict.broken, H15: count },
  };
}
