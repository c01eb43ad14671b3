import { version } from "./root";

/** A part that is needed: resolves if it is there, rejects if not. */
export type Check = () => Promise<unknown> | unknown;

export interface HealthReport {
  status: "ok" | "unavailable";
  checks: Record<string, "ok" | "down">;
  version: string;
  /** Seconds. */
  uptime: number;
}

/** Milliseconds a check may take. */
const TIMEOUT = 1_500;
/** Milliseconds for which a report is given again, so that asking costs nothing. */
const KEEP = 500;

/** Looks at every needed part, at most once in {@link KEEP}. */
export class Health {
  private readonly checks = new Map<string, Check>();
  private last: { at: number; report: Promise<HealthReport> } | undefined;

  /** @param now monotonic milliseconds */
  constructor(private readonly now: () => number) {}

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
      [...this.checks].map(async ([name, check]) => [name, await passes(check)] as const),
    );
    return {
      status: found.every(([, state]) => state === "ok") ? "ok" : "unavailable",
      checks: Object.fromEntries(found),
      version,
      uptime: Math.floor(process.uptime()),
    };
  }
}

async function passes(check: Check): Promise<"ok" | "down"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"down">(resolve => (timer = setTimeout(resolve, TIMEOUT, "down")));
  try {
    const passed = Promise.resolve(check()).then(() => "ok" as const);
    return await Promise.race([passed, late]);
  } catch {
    return "down";
  } finally {
    clearTimeout(timer);
  }
}
