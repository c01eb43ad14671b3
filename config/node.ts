import { hostname } from "node:os";
import { INTERNAL_MIDDLEWARES, type BrokerOptions, type ServiceBroker } from "moleculer";
import { newId } from "../services/core/ids";
import type { Clock } from "../services/core/clock";
import type { Config } from "./config";
import { loggerOptions } from "./log";
import { doorsFirst } from "./middlewares/doors-first";
import { policyMiddleware } from "./middlewares/policy";
import { telemetryMiddleware } from "./middlewares/telemetry";
import { metricsMiddleware, metricsOptions } from "./metrics";
import { attachPlatform, Platform, platformOf } from "./platform";

/** Milliseconds a call may take when it says nothing; every call has a timeout. */
const REQUEST_TIMEOUT = 5_000;
/** Milliseconds that calls under way may take to end when a node stops. */
const SHUTDOWN_TIMEOUT = 8_000;

const VALIDATOR = INTERNAL_MIDDLEWARES.indexOf("Validator");

/** Broker options of one node: what is the same in every process, in tests too. */
export function nodeOptions(config: Config, clock?: Clock): BrokerOptions {
  return {
    namespace: "rookery",
    nodeID: `${hostname()}-${process.pid}-${newId().slice(-6)}`,
    logger: loggerOptions(config),
    requestTimeout: REQUEST_TIMEOUT,
    maxCallLevel: 20,
    dependencyInterval: 50,
    dependencyTimeout: 30_000,
    tracking: { enabled: true, shutdownTimeout: SHUTDOWN_TIMEOUT },
    validator: {
      type: "Fastest",
      options: { useNewCustomCheckerFunction: true, defaults: { object: { strict: true } } },
    },
    metrics: metricsOptions(config),
    // From the handler outwards: who may call is asked before parameters are looked at, and a span holds timeouts too.
    internalMiddlewares: false,
    middlewares: [
      ...INTERNAL_MIDDLEWARES.slice(0, VALIDATOR + 1),
      policyMiddleware,
      ...INTERNAL_MIDDLEWARES.slice(VALIDATOR + 1),
      telemetryMiddleware,
      metricsMiddleware(),
      doorsFirst(),
    ],
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
