import type { Middleware, Service, ServiceBroker } from "moleculer";
import { platformOf } from "../platform";

/** The services through which clients come in. */
const DOORS: readonly string[] = ["ws-gateway", "api-gateway"];
/** Milliseconds the others wait at most; a door that hangs must not keep the store from closing in order. */
const PATIENCE = 12_600;

/**
 * A node stops all services at once; here the doors go first, so that nothing is asked of a service that has stopped and
 * every answer under way still reaches its client.
 */
export function doorsFirst(patience = PATIENCE): Middleware {
  const closed = new WeakMap<Service, () => void>();
  const closing = new WeakMap<Service, Promise<void>>();

  return {
    name: "Doors first",

    serviceCreated(service: Service) {
      if (DOORS.includes(service.name)) closing.set(service, new Promise(resolve => closed.set(service, resolve)));
    },

    // The last middleware's hook is the first to be called: others wait for calls to end.
    stopping(broker: ServiceBroker) {
      for (const task of platformOf(broker).beforeStop) task();
    },

    async serviceStopping(service: Service) {
      const { broker } = service;
      if (DOORS.includes(service.name) || !broker.stopping) return;
      const doors = doorsOf(broker).map(door => closing.get(door));
      let timer: NodeJS.Timeout | undefined;
      const enough = new Promise(resolve => (timer = setTimeout(resolve, patience)));
      await Promise.race([Promise.all(doors), enough]);
      clearTimeout(timer);
    },

    serviceStopped(service: Service) {
      closed.get(service)?.();
    },
  } as object as Middleware;
}

const doorsOf = (broker: ServiceBroker): Service[] =>
  (broker.services as Service[]).filter(service => DOORS.includes(service.name));
