import { version } from "./root";

/** `unknown`: for want of another part nobody can say. */
export type State = "ok" | "down" | "unknown";

/** A part that is needed: resolves if it is there, rejects if not. Rejects with UnknownState if that cannot be told. */
export type Check = () => Promise<unknown> | unknown;

export class UnknownState extends Error {}

export interface HealthReport {
  status: "ok" | "unavailable";
  checks: Record<string, State>;
  version: string;
  /** Seconds. */
  uptime: number;
}

/** Milliseconds a check may take, if nothing else is said. */
const TIMEOUT = 1_000;
/** Milliseconds for which a report is given again, so that asking costs nothing. */
const KEEP = 500;

/** Looks at every needed part, at most once in {@link KEEP}. */
export class Health {
  private readonly checks = new Map<string, Check>();
  private last: { at: number; report: Promise<HealthReport> } | undefined;

  /**
   * @param now monotonic milliseconds
   * @param timeout milliseconds a check may take
   */
  constructor(
    private readonly now: () => number,
    private readonly timeout = TIMEOUT,
  ) {}

  /** Makes a part needed, under the name that a red report gives as the cause. Returns what takes it back. */
  need(name: string, check: Check): () => void {
    this.checks.set(name, check);
    this.last = undefined;
    return () => {
      if (this.checks.get(name) === check) this.checks.delete(name);
      this.last = undefined;
    };
  }

  report(): Promise<HealthReport> {
    if (!this.last || this.now() - this.last.at >= KEEP) this.last = { at: this.now(), report: this.look() };
    return this.last.report;
  }

  private async look(): Promise<HealthReport> {
    const found = await Promise.all(
      [...this.checks].map(async ([name, check]) => [name, await passes(check, this.timeout)] as const),
    );
    return {
      status: found.every(([, state]) => state === "ok") ? "ok" : "unavailable",
      checks: Object.fromEntries(found),
      version,
      uptime: Math.floor(process.uptime()),
    };
  }
}

async function passes(check: Check, timeout: number): Promise<State> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"down">(resolve => (timer = setTimeout(resolve, timeout, "down")));
  try {
    const passed = Promise.resolve(check()).then(() => "ok" as const);
    return await Promise.race([passed, late]);
  } catch (error) {
    return error instanceof UnknownState ? "unknown" : "down";
  } finally {
    clearTimeout(timer);
  }
}
