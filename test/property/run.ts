import type { Ground, Process } from "../chaos/ground";
import { pick, seeded } from "../chaos/random";
import { Stage, type Client, type Origin } from "../support/client";
import { OPERATIONS } from "./operations";
import type { Random } from "./operation";
import { planOf, type Plan, type PlanOptions } from "./plan";
import { Scene } from "./scene";

/** Histories whose seeds follow each other and that share the product and its troubles. */
export const GROUP = 40;

/** Registered at once: it is all hashing, and more would only be refused. */
const ABREAST = 3;
/** Times that somebody tries to, on a machine that has much else to do. */
const TRIES = 20;

export interface RunOptions extends PlanOptions {
  /** Milliseconds in which everybody must know what is so, once nothing happens any more. */
  patience: number;
  /** Called after each history. */
  told?(result: Result): void;
  signal?: AbortSignal;
}

/** What became of one history. */
export interface Result {
  plan: Plan;
  /** Empty: what everybody had built from what he was told was what he fetched. */
  differences: readonly string[];
}

/** What is done between two phases. */
type Trouble = (ground: Ground, random: Random) => Promise<void>;

const rolesOf = { embedded: ["server"], cluster: ["gateway", "services", "api"] } as const;

function someProcess({ shape, processes }: Ground, random: Random): Process {
  const roles: readonly string[] = rolesOf[shape];
  return pick(
    random,
    processes.filter(({ role }) => roles.includes(role)),
  ) as Process;
}

const TROUBLES: readonly Trouble[] = [
  async (ground, random) => {
    const one = someProcess(ground, random);
    await one.kill();
    await one.start();
  },
  async (ground, random) => {
    const one = someProcess(ground, random);
    await one.stop();
    await one.start();
  },
];

/** Histories one after the other in groups, on one product. */
export class Run {
  private readonly idle: Client[] = [];

  private constructor(
    private readonly ground: Ground,
    private readonly stage: Stage<Origin>,
    private readonly options: RunOptions,
  ) {}

  static async on(ground: Ground, options: RunOptions): Promise<Run> {
    let next = 0;
    const origin: Origin = {
      url: ground.url,
      adminPassword: ground.adminPassword,
      get wsUrl() {
        return ground.doors[next++ % ground.doors.length] as string;
      },
    };
    return new Run(ground, await Stage.on(origin), options);
  }

  /** So many with the seeds from `seed` on. Which of them go through the same trouble depends on the seeds alone. */
  async histories(seed: number, count: number): Promise<Result[]> {
    const results: Result[] = [];
    for (let from = seed; from < seed + count && !this.options.signal?.aborted;) {
      const to = Math.min(seed + count, (Math.floor(from / GROUP) + 1) * GROUP);
      const plans = Array.from({ length: to - from }, (_, n) => planOf(from + n, OPERATIONS, this.options));
      results.push(...(await this.group(plans)));
      from = to;
    }
    return results;
  }

  /** These at the same time, and trouble for all of them between two phases. */
  async group(plans: readonly Plan[]): Promise<Result[]> {
    const random = seeded(Math.floor((plans[0]?.seed ?? 0) / GROUP));
    const people = await this.people(plans.reduce((sum, plan) => sum + plan.people, 0));
    const free = [...people];
    const all = plans.map(plan => new Course(plan, free.splice(0, plan.people)));
    await each(all, course => course.begin(this.stage));
    const phases = Math.max(...plans.map(plan => plan.phases.length));
    for (let phase = 0; phase < phases; phase += 1) {
      if (phase > 0) {
        await (pick(random, TROUBLES) as Trouble)(this.ground, random);
        await this.ground.untilHealthy();
      }
      await each(all, course => course.go(phase, this.options.patience));
    }
    await each(all, async course => {
      const result = await course.end(this.options.patience);
      this.options.told?.(result);
    });
    this.idle.push(...people);
    return all.map(({ plan, differences }) => ({ plan, differences }));
  }

  /** Nobody is in two histories at a time. */
  private async people(count: number): Promise<Client[]> {
    let missing = count - this.idle.length;
    const register = async (): Promise<void> => {
      while (missing-- > 0) this.idle.push(await someone(this.stage));
    };
    await Promise.all(Array.from({ length: ABREAST }, register));
    return this.idle.splice(0, count);
  }
}

async function someone(stage: Stage<Origin>): Promise<Client> {
  for (let left = TRIES; ; left -= 1)
    try {
      return await stage.user("someone");
    } catch (error) {
      if (left === 0) throw error;
      await new Promise(resolve => setTimeout(resolve, 200));
    }
}

/** One history on its way through the phases. What ends it early is what differs. */
class Course {
  differences: readonly string[] = [];
  private scene: Scene | null = null;

  constructor(
    readonly plan: Plan,
    private readonly people: readonly Client[],
  ) {}

  begin(stage: Stage<Origin>): Promise<void> {
    return this.unlessBroken(async () => void (this.scene = await Scene.open(this.plan, stage, this.people)));
  }

  go(phase: number, patience: number): Promise<void> {
    return this.unlessBroken(async () => {
      if (phase > 0) await this.scene?.recover();
      this.differences = (await this.scene?.play(this.plan.phases[phase] ?? [], patience)) ?? [];
    });
  }

  async end(patience: number): Promise<Result> {
    await this.unlessBroken(async () => void (this.differences = (await this.scene?.settle(patience)) ?? []));
    await this.scene?.end();
    return this;
  }

  private async unlessBroken(work: () => Promise<void>): Promise<void> {
    if (this.differences.length > 0) return;
    await work().catch((error: unknown) => {
      this.differences = [`could not go on: ${error instanceof Error ? error.stack : String(error)}`];
    });
  }
}

const each = (all: readonly Course[], work: (course: Course) => Promise<unknown>): Promise<unknown> =>
  Promise.all(all.map(work));
