import { StorageError, type StorageReason } from "./storage-errors";

/** Where an operator reads. */
export interface RoundsLog {
  info(message: string): void;
  warn(message: string, fields: object): void;
}

/** Trouble that the connection to the store tells itself, once. */
const TOLD: ReadonlySet<StorageReason> = new Set(["away", "network", "closed"]);

/**
 * Tells of work that is tried again until it succeeds: the first failure of each kind, and once that it is over. Nothing of
 * a store that is away: its connection says so.
 */
export class Failures {
  private readonly told = new Set<string>();

  /** @param what of the work is said when it fails, as `the first admin has to wait` */
  constructor(
    private readonly log: RoundsLog,
    private readonly what: string,
  ) {}

  /** One try failed; `about` says at what. */
  failed(error: unknown, about: object = {}): void {
    if (error instanceof StorageError && TOLD.has(error.reason)) return;
    const kind = kindOf(error);
    if (this.told.has(kind)) return;
    this.told.add(kind);
    this.log.warn(this.what, { ...about, error: String(error) });
  }

  /** A try succeeded. */
  over(): void {
    if (this.told.size === 0) return;
    this.told.clear();
    this.log.info(`no longer: ${this.what}`);
  }
}

/** One of each class, code and reason: messages name what they are about. */
function kindOf(error: unknown): string {
  const { name, type, code, reason } = (error ?? {}) as Record<string, unknown>;
  return [name, type, code, reason].join();
}

interface RoundsOptions {
  /** Milliseconds between two rounds. One that takes longer is waited for. */
  every: number;
  log: RoundsLog;
  /** What is said when a round fails. */
  what: string;
}

/** Work that a node looks for again and again, for itself: to sweep, to finish, to mend. */
export class Rounds {
  private readonly failures: Failures;
  private readonly timer: NodeJS.Timeout;
  private running = false;
  private clean = true;

  /** @param work one round; of parts that fail alone it tells `failed` */
  constructor(
    private readonly work: () => Promise<unknown>,
    { every, log, what }: RoundsOptions,
  ) {
    this.failures = new Failures(log, what);
    this.timer = setInterval(() => void this.next(), every).unref();
  }

  /** Something that the next round tries again has failed. */
  failed(error: unknown, about?: object): void {
    this.clean = false;
    this.failures.failed(error, about);
  }

  /** The next round begins at once, unless one is under way. */
  hurry(): void {
    void this.next();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async next(): Promise<void> {
    if (this.running) return;
    this.running = true;
    // What failed between two rounds may be too young for the next one: it is over after a whole one without a failure.
    const quiet = this.clean;
    this.clean = true;
    try {
      await this.work();
    } catch (error) {
      this.failed(error);
    } finally {
      this.running = false;
    }
    if (quiet && this.clean) this.failures.over();
  }
}
