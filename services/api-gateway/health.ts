import { version } from "../../config/root";

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
const TIMEOUT = 1_000;
/** Milliseconds for which a report is given again, so that asking costs nothing. */
const KEEP = 500;

/** Looks at every needed part, at most once in {@link KEEP}. */
export class Health {
  private last: { at: number; report: Promise<HealthReport> } | undefined;

  /** @param now monotonic milliseconds */
  constructor(
    private readonly checks: Readonly<Record<string, Check>>,
    private readonly now: () => number,
  ) {}

  report(): Promise<HealthReport> {
    if (!this.last || this.now() - this.last.at >= KEEP) this.last = { at: this.now(), report: this.look() };
    return this.last.report;
  }

  private async look(): Promise<HealthReport> {
    const names = Object.keys(this.checks);
    const found = await Promise.all(names.map(async name => [name, await passes(this.checks[name] as Check)] as const));
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
