import { hostname } from "node:os";
import type { BrokerOptions, ServiceBroker } from "moleculer";
import { newId } from "../services/core/ids";
import type { Clock } from "../services/core/clock";
import type { Config } from "./config";
import { loggerOptions } from "./log";
import { policyMiddleware } from "./middlewares/policy";
import { telemetryMiddleware } from "./middlewares/telemetry";
import { metricsOptions } from "./metrics";
import { attachPlatform, Platform, platformOf } from "./platform";

/** Milliseconds a call may take when it says nothing; every call has a timeout. */
const REQUEST_TIMEOUT = 5_000;
/** Milliseconds that calls under way may take to end when a node stops. */
const SHUTDOWN_TIMEOUT = 8_000;

/** Broker options of one node: what is the same in every process, in tests too. */
export function nodeOptions(config: Config, clock?: Clock): BrokerOptions {
  return {
    namespace: "rookery",
    nodeID: `${hostname()}-${process.pid}-${newId().slice(-6)}`,
    logger: loggerOptions(config),
    requestTimeout: REQUEST_TIMEOUT,
    maxCallLevel: 20,
    tracking: { enabled: true, shutdownTimeout: SHUTDOWN_TIMEOUT },
    validator: {
      type: "Fastest",
      options: { useNewCustomCheckerFunction: true, defaults: { object: { strict: true } } },
    },
    metrics: metricsOptions(config),
    middlewares: [policyMiddleware, telemetryMiddleware(config)],
    created(broker: ServiceBroker) {
      attachPlatform(broker, new Platform(config, clock));
    },
    async started(broker: ServiceBroker) {
      for (const task of platformOf(broker).afterStart) await task();
    },
    async stopped(broker: ServiceBroker) {
      await platformOf(broker).close();
    },
  } as BrokerOptions;
}
