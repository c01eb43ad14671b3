import type * as api from "@opentelemetry/api";
import type * as core from "@opentelemetry/core";
import type * as otlp from "@opentelemetry/exporter-trace-otlp-http";
import type * as resources from "@opentelemetry/resources";
import type * as node from "@opentelemetry/sdk-trace-node";
import type { ServiceBroker } from "moleculer";
import type { Config } from "./config";
import { version } from "./root";

/** Milliseconds the last spans may take to reach the collector when the process stops. */
const FLUSH_TIMEOUT = 2_000;

export interface Tracing {
  /** Sends what is still held back, for at most 2 s, and gives the global tracer back. Never rejects. */
  stop(): Promise<void>;
}

/**
 * Registers the OpenTelemetry SDK with an OTLP/HTTP (JSON) exporter, if the configuration names a collector. To be called
 * before services are loaded. The packages are optional and loaded here only; without them one line says why there are no
 * spans, and nothing else changes.
 */
export function startTracing(
  config: Config,
  nodeID: string,
  log: Pick<ServiceBroker["logger"], "info" | "warn">,
): Tracing | null {
  const { otlpEndpoint, traceSampling } = config;
  if (otlpEndpoint === null) return null;
  let sdk: ReturnType<typeof loadSdk>;
  try {
    sdk = loadSdk();
  } catch (error) {
    log.warn("tracing is off: the optional OpenTelemetry packages are not installed", {
      reason: (error as NodeJS.ErrnoException).code,
    });
    return null;
  }
  const url = `${otlpEndpoint.replace(/\/+$/, "")}/v1/traces`;
  const provider = new sdk.NodeTracerProvider({
    resource: sdk.resourceFromAttributes({
      "service.name": "rookery",
      "service.version": version,
      "service.instance.id": nodeID,
    }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(traceSampling) }),
    spanProcessors: [new sdk.BatchSpanProcessor(new sdk.OTLPTraceExporter({ url }))],
  });
  // No baggage: what callers put there would travel to every node.
  provider.register({ propagator: new sdk.W3CTraceContextPropagator() });
  log.info("tracing is on", { collector: new URL(url).host, sampling: traceSampling });

  return {
    async stop() {
      let timer: NodeJS.Timeout | undefined;
      const enough = new Promise<void>(resolve => (timer = setTimeout(resolve, FLUSH_TIMEOUT)));
      await Promise.race([provider.shutdown().catch(() => undefined), enough]);
      clearTimeout(timer);
      sdk.trace.disable();
      sdk.context.disable();
      sdk.propagation.disable();
    },
  };
}

/* eslint-disable @typescript-eslint/no-require-imports -- optional packages: only on first use, and only where installed */
function loadSdk() {
  return {
    ...(require("@opentelemetry/api") as typeof api),
    ...(require("@opentelemetry/core") as typeof core),
    ...(require("@opentelemetry/resources") as typeof resources),
    ...(require("@opentelemetry/sdk-trace-node") as typeof node),
    ...(require("@opentelemetry/exporter-trace-otlp-http") as typeof otlp),
  };
}
