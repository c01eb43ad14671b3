import { ServiceBroker } from "moleculer";
import { describeConfig, loadConfig, type Config } from "./config";
import { redactText } from "./log.redact";
import { metricsOf, metricsUrl } from "./metrics";
import { nodeOptions } from "./node";
import { startTracing, type Tracing } from "./otel";
import { platformOf } from "./platform";
import { openConsole } from "./repl/console";
import { version } from "./root";
import { onStopSignal } from "./signals";

type Log = ServiceBroker["logger"];

/** Milliseconds after which a stop that hangs is cut off; whoever sent the signal waits 15 s. */
const STOP_TIMEOUT = 14_000;
/** Milliseconds that services of a start that failed may take to close what they opened. */
const UNDO_TIMEOUT = 2_000;

export interface ProcessOptions {
  /** Milliseconds; default 14,000. */
  stopTimeout?: number;
}

/**
 * Runs one node as this process: configuration, services, the ready line, signals, and the code it ends with. Never
 * rejects: a start that fails ends the process with one line that names the cause.
 * @param load makes the services of this process
 */
export async function runProcess(
  load: (broker: ServiceBroker, config: Config) => void,
  { stopTimeout = STOP_TIMEOUT }: ProcessOptions = {},
): Promise<void> {
  try {
    await start(load, stopTimeout);
  } catch (error) {
    report(error);
    process.exit(1);
  }
}

async function start(load: (broker: ServiceBroker, config: Config) => void, stopTimeout: number): Promise<void> {
  const config = loadConfig(process.env);
  const broker = new ServiceBroker({ ...nodeOptions(config), skipProcessEventRegistration: true });
  const log = broker.getLogger("rookery");
  log.info(`version ${version}`, {
    shape: config.cluster ? "cluster" : "embedded",
    ...(config.cluster ? { node: broker.nodeID, services: config.services.join(",") } : { store: config.dataDir }),
    pid: process.pid,
  });
  log[config.production ? "info" : "debug"]("configuration", describeConfig(config));
  const tracing = startTracing(config, broker.nodeID, log);
  guard(broker, log);
  stopOnSignals(broker, tracing, log, stopTimeout);
  try {
    load(broker, config);
    await broker.start();
  } catch (error) {
    await within(UNDO_TIMEOUT, broker.stop());
    throw error;
  }
  const { ready, ...doors } = doorsOf(config, broker.nodeID, platformOf(broker).origin.port);
  log.info("serving", { ...doors, metrics: metricsUrl(broker) });
  console.log(`ready ${ready}`);
  platformOf(broker).onAdminPassword(password => console.log(`admin password: ${password}`));
  if (config.repl && process.stdin.isTTY) openConsole(broker, process.env);
}

/** Where clients come in, and the one address of the ready line; a node without doors is ready by its name. */
function doorsOf({ cluster, services, host, port, wsPort }: Config, nodeID: string, real: number | null) {
  const address = host.includes(":") ? `[${host}]` : host;
  if (!cluster || services.includes("api-gateway")) {
    const page = `http://${address}:${real ?? port}`;
    return { page, docs: `${page}/api/docs`, ready: page };
  }
  if (!services.includes("ws-gateway")) return { services: services.join(","), ready: nodeID };
  const sockets = `ws://${address}:${wsPort}/ws`;
  return { sockets, ready: sockets };
}

/** First signal: everything stops in order, exit 0. Second: exit 1 at once. A stop that hangs is cut off, exit 1. */
function stopOnSignals(broker: ServiceBroker, tracing: Tracing | null, log: Log, patience: number): void {
  onStopSignal(signal => {
    log.info("stopping", { signal });
    setTimeout(() => {
      log.fatal(`the stop took longer than ${patience / 1000} s and was cut off`);
      process.exit(1);
    }, patience);
    void Promise.resolve(broker.stop())
      .then(() => tracing?.stop())
      .then(() => process.exit(0));
  });
}

/** What nobody caught is told, never swallowed. After an exception the state is unknown, so the process ends. */
function guard(broker: ServiceBroker, log: Log): void {
  process.on("unhandledRejection", reason => {
    metricsOf(broker).unhandledRejection();
    log.error("unhandled rejection", reason instanceof Error ? reason : new Error(String(reason)));
  });
  process.on("uncaughtException", error => {
    log.fatal("uncaught exception", error);
    process.exit(1);
  });
  // Whoever read our lines may be gone: that is no reason to end.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
}

async function within(ms: number, work: PromiseLike<unknown>): Promise<void> {
  await Promise.race([work, new Promise(resolve => setTimeout(resolve, ms))]).catch(() => undefined);
}

/** An operator's mistake is one plain line; a defect shows where it is. */
function report(error: unknown): void {
  const { expected, code, message, stack } = error as NodeJS.ErrnoException & { expected?: unknown };
  const plain = expected === true || code === "EADDRINUSE" || code === "EACCES";
  const told = String((plain ? message : stack) ?? error);
  const taken = /^listen EADDRINUSE:.*?(\S+)$/.exec(told)?.[1];
  console.error(taken ? `port ${taken} is taken by another process` : redactText(told));
}
