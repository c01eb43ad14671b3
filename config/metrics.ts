import type { BrokerOptions } from "moleculer";
import type { Config } from "./config";

export function metricsOptions(config: Config): BrokerOptions["metrics"] {
  return {
    enabled: true,
    reporter: [{ type: "Prometheus", options: { port: config.metricsPort, host: config.host } }],
  };
}
