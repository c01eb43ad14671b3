import type { Context, Middleware, ServiceBroker } from "moleculer";
import { RookeryError } from "../../services/core/errors";
import { platformOf } from "../platform";

/** Milliseconds between looks for nodes that have fallen silent. */
const LOOK = 500;
/** Milliseconds by which a look may be late and still tell something of others. */
const LATE = 500;

type Handler = (ctx: Context) => Promise<unknown>;

/**
 * What the ties between nodes need beyond Moleculer's transporter: the platform's connections are open before any service
 * starts, a call that cannot leave is refused at once (the transporter would keep it, and drop it when it dials again),
 * and a node that has fallen silent is noticed when its time is over, not up to twice as late.
 */
export function linkMiddleware(): Middleware {
  let looking: NodeJS.Timeout | undefined;
  return {
    name: "Link",

    async starting(broker: ServiceBroker) {
      await platformOf(broker).open(broker);
      if (!broker.transit) return;
      const discoverer = broker.registry.discoverer as unknown as { checkRemoteNodes(): void };
      let last = performance.now();
      looking = setInterval(() => {
        const late = performance.now() - last - LOOK;
        last = performance.now();
        // After a stall of our own the signs of life of the others still wait to be read.
        if (late < LATE) discoverer.checkRemoteNodes();
      }, LOOK).unref();
    },

    remoteAction(this: ServiceBroker, next: Handler) {
      return async (ctx: Context) => {
        if (platformOf(this).link?.up === false) throw new RookeryError("UNAVAILABLE");
        return next(ctx);
      };
    },

    async stopped(broker: ServiceBroker) {
      clearInterval(looking);
      await platformOf(broker).close();
    },
  } as object as Middleware;
}
