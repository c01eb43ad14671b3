import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { FolderInUseError } from "../../mixins/sqlite/lock";
import { RoomWriters } from "../../mixins/writers";
import {
  call,
  type ActionName,
  type AppendAnswer,
  type AppendRequest,
  type ParamsOf,
  type ReturnsOf,
} from "../../services/core/contract";
import { publicError, RookeryError } from "../../services/core/errors";
import { Mistake } from "../backup/mistake";
import { storeSettings } from "../backup/settings";
import { nodeOptions } from "../node";
import { join as joinCluster } from "../repl/node";
import { serviceFile } from "../root";

type Environment = Record<string, string | undefined>;

/** Services that an import needs: without doors, so that nobody comes in meanwhile. */
const SERVICES = ["users", "rooms", "messages"] as const;
/** Milliseconds that these may take to be seen. */
const PATIENCE = 10_000;
/** Milliseconds for which what fails for now is tried again, and between two tries at first and at most. */
const TRYING = 60_000;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5_000;

/** A Rookery that is written into: what a stopped server keeps, or a cluster that runs. */
export class Installation {
  private readonly writers: RoomWriters;

  private constructor(
    private readonly broker: ServiceBroker,
    /** Where it is, for people. */
    readonly name: string,
  ) {
    this.writers = new RoomWriters(broker);
  }

  /** With TRANSPORTER joins the cluster; else opens DATA_DIR, which no server may have open. Rejects with Mistake. */
  static async open(environment: Environment): Promise<Installation> {
    const { TRANSPORTER: transporter, MONGO_URL: _, ...rest } = environment;
    const settings = storeSettings(rest);
    if (transporter) {
      const broker = await joinCluster(transporter);
      return new Installation(broker, "the cluster").awaited();
    }
    const config = {
      ...settings,
      services: [...SERVICES],
      seedDemo: false,
      log: { ...settings.log, level: "error" as const },
    };
    const broker = new ServiceBroker({ ...nodeOptions(config), metrics: false, skipProcessEventRegistration: true });
    for (const service of SERVICES) broker.loadService(serviceFile(service));
    try {
      await broker.start();
    } catch (error) {
      await broker.stop().catch(() => undefined);
      if (error instanceof FolderInUseError)
        throw new Mistake(`${error.message}: stop the server first, one process alone writes there`);
      throw error;
    }
    return new Installation(broker, config.dataDir);
  }

  /** For a look that changes nothing: null where there is no store yet, or a server has it open. */
  static async look(environment: Environment): Promise<Installation | null> {
    const { TRANSPORTER, MONGO_URL: _, ...rest } = environment;
    if (!TRANSPORTER && !existsSync(join(storeSettings(rest).dataDir, "rookery.db"))) return null;
    return Installation.open(environment).catch((error: unknown) => {
      if (error instanceof Mistake && !TRANSPORTER) return null;
      throw error;
    });
  }

  /** Asks, and again for a while where the answer is that it cannot be done now; so only what may be repeated. */
  ask<N extends ActionName>(action: N, params: ParamsOf<N>): Promise<ReturnsOf<N>> {
    return untilSettled(() => call(this.broker, action, params));
  }

  /**
   * Appends to one room, in order: what could not be done now is repeated with all that follows it, so that nothing overtakes
   * it. Every request must be one that has its effect once.
   */
  async append(requests: readonly AppendRequest[]): Promise<AppendAnswer[]> {
    const answers: AppendAnswer[] = [];
    await untilSettled(async () => {
      for (const answer of await this.writers.append(requests.slice(answers.length))) {
        if (!answer.ok && FOR_NOW.has(answer.error.code)) throw new RookeryError(answer.error.code);
        answers.push(answer);
      }
    });
    return answers;
  }

  async close(): Promise<void> {
    this.writers.close();
    await this.broker.stop();
  }

  private async awaited(): Promise<this> {
    await this.broker.waitForServices([...SERVICES], PATIENCE, 100).catch(async () => {
      await this.close();
      throw new Mistake(`${this.name} has no ${SERVICES.join(", ")}: none of their nodes was seen`);
    });
    return this;
  }
}

const FOR_NOW: ReadonlySet<string> = new Set(["UNAVAILABLE", "UNKNOWN_OUTCOME", "RATE_LIMITED"]);

async function untilSettled<T>(work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  for (let wait = FIRST_PAUSE; ; wait = Math.min(2 * wait, LONGEST_PAUSE)) {
    try {
      return await work();
    } catch (error) {
      if (!FOR_NOW.has(publicError(error).code)) throw error;
      if (performance.now() - began > TRYING)
        throw new Mistake("the store or a service does not answer; run the import again, it goes on where it was");
      await pause(wait);
    }
  }
}
