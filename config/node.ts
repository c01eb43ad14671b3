import { hostname } from "node:os";
import { INTERNAL_MIDDLEWARES, type BrokerOptions, type ServiceBroker } from "moleculer";
import { RookeryError } from "../services/core/errors";
import { newId } from "../services/core/ids";
import { NatsTransporter } from "../mixins/nats/transporter";
import { systemClock, type Clock } from "../services/core/clock";
import type { Config } from "./config";
import { Health } from "./health";
import { loggerOptions } from "./log";
import { absentMiddleware } from "./middlewares/absent";
import { auditMiddleware } from "./middlewares/audit";
import { doorsFirst } from "./middlewares/doors-first";
import { linkMiddleware } from "./middlewares/link";
import { nodeIdMiddleware } from "./middlewares/node-id";
import { onceMiddleware } from "./middlewares/once";
import { policyMiddleware } from "./middlewares/policy";
import { AbleRoundRobin, standingMiddleware } from "./middlewares/standing";
import { streamsMiddleware } from "./middlewares/streams";
import { telemetryMiddleware } from "./middlewares/telemetry";
import { metricsMiddleware, metricsOptions } from "./metrics";
import NodeService from "./node.service";
import { attachPlatform, Platform } from "./platform";

/** Milliseconds a call may take when it says nothing; every call has a timeout. */
const REQUEST_TIMEOUT = 5_000;
/** Milliseconds that calls under way may take to end when a node stops. */
const SHUTDOWN_TIMEOUT = 8_000;

/** Seconds between signs of life, and without one until a node is taken for dead. */
const HEARTBEAT_INTERVAL = 1;
const HEARTBEAT_TIMEOUT = 5;
/** Milliseconds that others get to learn that nothing more must be sent to a node that stops. */
const STOP_DELAY = 500;
/** Calls to other nodes that may be under way. */
const PENDING = 10_000;
/** Bytes of one packet of a stream. */
const CHUNK = 256 * 1024;

/**
 * Moleculer's own, with the tracker of calls outside of their timeouts: inside of it, a call to another node that timed out
 * is never seen to end, and is waited for at the stop.
 */
const MIDDLEWARES = INTERNAL_MIDDLEWARES.filter(name => name !== "ContextTracker");
MIDDLEWARES.splice(MIDDLEWARES.indexOf("Timeout") + 1, 0, "ContextTracker");
const VALIDATOR = MIDDLEWARES.indexOf("Validator");

/** What nodes must have in common to see each other; also of those that run no service of ours. */
export const CLUSTER = {
  namespace: "rookery",
  heartbeatInterval: HEARTBEAT_INTERVAL,
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  transit: { maxQueueSize: PENDING, maxChunkSize: CHUNK },
} as const;

/** Broker options of one node: what is the same in every process, in tests too. */
export function nodeOptions(config: Config, clock: Clock = systemClock): BrokerOptions {
  const health = new Health(() => clock.monotonic());
  // Nothing else is needed yet, as nothing runs yet; that is no reason to be taken for ready.
  const begun = health.need("start", () => Promise.reject(new RookeryError("UNAVAILABLE")));
  const platform = new Platform(config, clock, health);
  const nodeID = nodeIdOf(config);
  return {
    ...CLUSTER,
    nodeID,
    ...(config.cluster && {
      transporter: new NatsTransporter(
        config.cluster.transporter,
        nodeID,
        connection => platform.link?.follow(connection) ?? (() => undefined),
      ),
    }),
    registry: config.cluster ? { stopDelay: STOP_DELAY, strategy: AbleRoundRobin } : { stopDelay: 0 },
    logger: loggerOptions(config, () => platform.link?.up !== false),
    requestTimeout: REQUEST_TIMEOUT,
    maxCallLevel: 20,
    dependencyInterval: 50,
    dependencyTimeout: 30_000,
    tracking: { enabled: true, shutdownTimeout: SHUTDOWN_TIMEOUT },
    validator: {
      type: "Fastest",
      options: { useNewCustomCheckerFunction: true, defaults: { object: { strict: true } } },
    },
    metrics: metricsOptions(config, health),
    // From the handler outwards: who may call is asked before parameters are looked at, and a span holds timeouts too.
    internalMiddlewares: false,
    middlewares: [
      streamsMiddleware(),
      ...MIDDLEWARES.slice(0, VALIDATOR + 1),
      absentMiddleware,
      policyMiddleware,
      auditMiddleware(),
      ...MIDDLEWARES.slice(VALIDATOR + 1),
      telemetryMiddleware,
      metricsMiddleware(),
      linkMiddleware(),
      nodeIdMiddleware(),
      onceMiddleware(),
      standingMiddleware(),
      doorsFirst(),
    ],
    created(broker: ServiceBroker) {
      attachPlatform(broker, platform);
      broker.createService(NodeService);
    },
    async started() {
      for (const task of platform.afterStart) await task();
      begun();
    },
  } as BrokerOptions;
}

/**
 * Unique to this run. The part before the dot says what runs here: subjects of NATS carry it, so that permissions can
 * tell the services apart.
 */
function nodeIdOf({ services }: Config): string {
  const label = services.length === 1 ? services[0] : "node";
  return `${label}.${hostname().replace(/[^A-Za-z0-9-]/g, "-")}-${process.pid}-${newId().slice(-6)}`;
}
