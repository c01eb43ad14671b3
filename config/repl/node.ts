import { hostname } from "node:os";
import { ServiceBroker, type BrokerOptions } from "moleculer";
import { NatsTransporter } from "../../mixins/nats/transporter";
import { newId } from "../../services/core/ids";
import { CLUSTER } from "../node";
import { Mistake } from "./command";

/** Milliseconds that NATS may take to let the console in. */
const PATIENCE = 5_000;

/**
 * Joins the cluster as a node without services, named `repl.<host>-<pid>-<random>`; it needs neither the store nor the
 * secret of tokens. Rejects with Mistake if NATS does not answer or refuses.
 * @param logLevel from which on Moleculer's own log is shown, on stderr
 */
export async function join(transporter: string, logLevel: "fatal" | "error" = "fatal"): Promise<ServiceBroker> {
  const nodeID = `repl.${hostname().replace(/[^A-Za-z0-9-]/g, "-")}-${process.pid}-${newId().slice(-6)}`;
  const broker = new ServiceBroker({
    ...CLUSTER,
    nodeID,
    transporter: new NatsTransporter(transporter, nodeID, () => () => undefined),
    logger: { type: "Console", options: { level: logLevel } },
    requestTimeout: PATIENCE,
    metrics: false,
    skipProcessEventRegistration: true,
  } as unknown as BrokerOptions);
  let timer: NodeJS.Timeout | undefined;
  const refused = new Promise<never>((_, reject) => {
    const where = transporter.replace(/\/\/[^@/]*@/g, "//");
    timer = setTimeout(() => reject(new Mistake(`NATS does not answer at ${where}`)), PATIENCE);
    broker.localBus.on("$transporter.error", ({ error }: { error: Error }) =>
      reject(new Mistake(`NATS at ${where} refuses: ${error.message}`)),
    );
  });
  try {
    await Promise.race([broker.start(), refused]);
  } finally {
    clearTimeout(timer);
    refused.catch(() => undefined);
  }
  return broker;
}
