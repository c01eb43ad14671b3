import type { Daemon, OnDeath } from "./servers/daemon";

export interface SupervisorOptions {
  /** False: a death is only told. Default true. */
  restart?: boolean;
  onLine?: (name: string, line: string) => void;
  /** Milliseconds until what died is started again, at first and at most. */
  pause?: number;
  longestPause?: number;
}

/** Milliseconds without a death after which the earlier ones are forgotten. */
const STEADY = 60_000;

/** Starts again what died, ever more seldom if it dies again and again. */
export class Supervisor {
  private readonly deaths = new Map<Daemon, { count: number; at: number }>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private stopped = false;

  constructor(private readonly options: SupervisorOptions = {}) {}

  readonly died: OnDeath = (daemon, { code, signal }) => {
    if (!this.stopped) this.again(daemon, `died: ${signal ?? `exit ${code}`}`);
  };

  /** Nothing is started any more. */
  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
  }

  private again(daemon: Daemon, cause: string): void {
    const { restart = true, onLine } = this.options;
    if (!restart) return onLine?.(daemon.name, cause);
    const pause = this.pauseOf(daemon);
    onLine?.(daemon.name, `${cause}; starting again in ${pause} ms`);
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (!daemon.isWanted) return;
      daemon.start().catch((error: unknown) => {
        if (daemon.isWanted && !this.stopped) this.again(daemon, firstLine(error));
      });
    }, pause);
    this.timers.add(timer);
  }

  private pauseOf(daemon: Daemon): number {
    const { pause = 500, longestPause = 30_000 } = this.options;
    const now = performance.now();
    const last = this.deaths.get(daemon);
    const count = last && now - last.at < STEADY ? last.count + 1 : 0;
    this.deaths.set(daemon, { count, at: now });
    return Math.min(pause * 2 ** count, longestPause);
  }
}

/** Its last words were told as they came. */
const firstLine = (error: unknown): string =>
  ((error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "").replace(/:$/, "");
