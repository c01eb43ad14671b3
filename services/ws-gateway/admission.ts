import { problem } from "./engine.http";
import type { Limits, RateLimitMode } from "../core/limits";
import { Addresses } from "./addresses";
import type { Reply, UpgradeRequest } from "./engine";
import type { MemoryBudget } from "./memory-budget";

export interface AdmissionDependencies {
  limits: Pick<Limits, "sockets" | "socketsPerAddress" | "strangersPerAddress">;
  rateLimit: RateLimitMode;
  /** Whether a browser of this origin may connect; no Origin is no browser. */
  allowsOrigin(origin: string, host: string | undefined): boolean;
  /** Whether this gateway takes anybody now. */
  accepting(): boolean;
  memory: Pick<MemoryBudget, "spent">;
  rateLimited(limit: string, refused: boolean): void;
}

/** Who is let in, whatever his wire: by his origin, by what is open already, and by what the process can still take. */
export class Admission {
  readonly addresses = new Addresses();

  constructor(private readonly with_: AdmissionDependencies) {}

  /** Undefined: he may come in. @param open sockets of this gateway */
  refusal(request: Pick<UpgradeRequest, "address" | "header">, open: number): Reply | undefined {
    const { rateLimit, rateLimited } = this.with_;
    const origin = request.header("origin");
    if (origin !== undefined && !this.with_.allowsOrigin(origin, request.header("host"))) return problem("FORBIDDEN");
    // Without memory another gateway may have room, and a proxy looks for one.
    if (!this.with_.accepting() || this.with_.memory.spent) return problem("UNAVAILABLE");
    const limit = rateLimit === "off" ? undefined : this.exceeded(request.address, open);
    if (limit === undefined) return undefined;
    rateLimited(limit, rateLimit === "on");
    return rateLimit === "on" ? problem("RATE_LIMITED") : undefined;
  }

  private exceeded(address: string, open: number): string | undefined {
    const { limits } = this.with_;
    const { sockets, strangers } = this.addresses.of(address);
    if (open >= limits.sockets) return "sockets";
    if (sockets >= limits.socketsPerAddress) return "address";
    return strangers >= limits.strangersPerAddress ? "strangers" : undefined;
  }
}
