import { CLOSES } from "../core/closes";
import type { Engine } from "./engine";
import type { Gateway } from "./gateway";
import type { Entrance } from "./wires/entrance";

export interface DepartureDependencies {
  engine: Engine;
  gateway: Gateway;
  entrance: Entrance;
  /** Whether other gateways take over. */
  others(): boolean;
}

/** Milliseconds over which sockets are sent away. */
const SPREAD = 10_000;
/** Milliseconds given to what is under way. */
const SETTLE = 5_000;
/** Milliseconds that all of it takes at most; a process has 14 s for its stop. */
const ALL = 12_500;

/**
 * How a gateway stops: no new sockets, everybody told when to come back, sends and requests under way answered, then closed
 * with a code that resumes. Where other gateways take over, each socket is served until it is its turn to go; else there is
 * nowhere to go before the next start.
 */
export class Departure {
  /** Monotonic milliseconds; null before it began. */
  private begunAt: number | null = null;

  constructor(private readonly with_: DepartureDependencies) {}

  /** Before anything of the node stops: what waits there for something to end would wait for our clients. */
  begin(): void {
    if (this.begunAt !== null) return;
    this.begunAt = performance.now();
    const { engine, gateway } = this.with_;
    engine.stopListening();
    gateway.drainAll(SPREAD);
    // Their requests are refused from here on.
    gateway.leaveRequests();
  }

  /** Resolves when no socket is left. */
  async finish(): Promise<void> {
    this.begin();
    const { engine, gateway, entrance, others } = this.with_;
    if (others()) await this.within(SPREAD - this.passed, gateway.left());
    gateway.leaveAll();
    await this.within(SETTLE, gateway.left());
    gateway.closeAll(CLOSES.GOING_AWAY);
    entrance.close();
    // Sessions that consist of requests end with one: their last words are its answer.
    await this.within(SETTLE, engine.settled());
  }

  private get passed(): number {
    return performance.now() - (this.begunAt ?? 0);
  }

  private within(ms: number, work: Promise<unknown>): Promise<unknown> {
    const left = Math.max(0, Math.min(ms, ALL - this.passed));
    return Promise.race([work, new Promise(resolve => setTimeout(resolve, left).unref())]);
  }
}
