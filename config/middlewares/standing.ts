import { Strategies, type Middleware, type ServiceBroker } from "moleculer";
import { strangers, type Standing } from "../../mixins/standing";
import { RookeryError } from "../../services/core/errors";
import { platformOf } from "../platform";

/** Milliseconds between looks. */
const LOOK = 500;
/** Milliseconds without its store after which a node asks to be passed over; a blink is not worth telling everybody. */
const PATIENCE = 2_000;

/**
 * Tells the other nodes which store this one keeps its data in and whether it can reach it, so that a node in trouble is
 * passed over, and two halves of a cluster on different stores are noticed before people lose messages between them.
 */
export function standingMiddleware(): Middleware {
  let looking: NodeJS.Timeout | undefined;
  return {
    name: "Standing",

    starting(broker: ServiceBroker) {
      const platform = platformOf(broker);
      if (!platform.config.cluster) return;
      let awaySince: number | null = null;
      let others: string[] = [];
      let endRed: (() => void) | undefined;
      const log = broker.getLogger("store");

      const compare = (store: string): void => {
        const now = strangers(broker, store);
        if (now.join() === others.join()) return;
        others = now;
        endRed?.();
        endRed = undefined;
        if (now.length === 0) return log.info("all nodes keep their data in the same store again");
        endRed = platform.health.need("one store", () => Promise.reject(new RookeryError("UNAVAILABLE")));
        log.error(`${now.join(", ")} keep their data in another store than this node: check MONGO_URL`);
      };

      const look = (): void => {
        const { store, reachable } = platform.standing;
        awaySince = reachable ? null : (awaySince ?? performance.now());
        const away = awaySince !== null && performance.now() - awaySince >= PATIENCE;
        const standing = broker.metadata as Standing;
        if (store) compare(store);
        if (standing.store === (store ?? undefined) && Boolean(standing.away) === away) return;
        Object.assign(standing, { ...(store && { store }), away });
        announce(broker);
      };
      looking = setInterval(look, LOOK).unref();
      platform.link?.onUp(() => announce(broker));
    },

    stopped() {
      clearInterval(looking);
    },
  } as object as Middleware;
}

function announce(broker: ServiceBroker): void {
  if (!(broker as unknown as { started: boolean }).started || platformOf(broker).link?.up === false) return;
  const registry = broker.registry as unknown as {
    regenerateLocalRawInfo(changed: boolean): void;
    discoverer: { sendLocalNodeInfo(): Promise<void> };
  };
  registry.regenerateLocalRawInfo(true);
  void registry.discoverer.sendLocalNodeInfo();
}

interface Endpoint {
  node: { metadata?: Standing };
}

const RoundRobin = Strategies.RoundRobin as unknown as new () => {
  select(list: Endpoint[]): Endpoint | undefined;
};

/** Round robin over the nodes that can do their work; over all of them if none can. */
export class AbleRoundRobin extends RoundRobin {
  override select(list: Endpoint[]): Endpoint | undefined {
    const well = list.filter(({ node }) => !node.metadata?.away);
    return super.select(well.length > 0 ? well : list);
  }
}
