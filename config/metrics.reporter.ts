import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { MetricReporters, type MetricRegistry } from "moleculer";
import type { Health } from "./health";
import type { HistogramSample, Labels, Sample } from "./metrics.instruments";

/** The metrics port is taken or not ours to take: an operator's mistake, shown without a stack. */
export class MetricsPortError extends Error {
  readonly expected = true;

  constructor(port: number, host: string, code: string) {
    super(
      code === "EADDRINUSE"
        ? `METRICS_PORT ${port} on ${host} is taken by another process`
        : `METRICS_PORT ${port} on ${host} cannot be opened (${code})`,
    );
    this.name = "MetricsPortError";
  }
}

/**
 * Moleculer's registry as Prometheus text on a port of its own, and beside it what an orchestrator asks for: whether the
 * process lives, and whether it can work. The reporter in the box cannot do it here: it opens its
 * port in the constructor of the broker, where a taken one ends the process without a word, binds port 0 to every
 * address, and writes quantiles and rates into histograms, which the text format does not have.
 */
export class PrometheusReporter extends MetricReporters.Base {
  private server: Server | null = null;

  constructor(
    private readonly port: number,
    private readonly host: string,
    private readonly health: Pick<Health, "report">,
  ) {
    super();
  }

  /** Where it listens, once opened. */
  get url(): string | null {
    const address = this.server?.address() as AddressInfo | null | undefined;
    if (!address) return null;
    return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}/metrics`;
  }

  /** Throws MetricsPortError. */
  async open(): Promise<void> {
    const server = createServer((request, response) => this.answer(request, response));
    server.maxConnections = 64;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) =>
        reject(new MetricsPortError(this.port, this.host, error.code ?? error.message)),
      );
      server.listen(this.port, this.host, resolve);
    });
    this.server = server;
  }

  override async stop(): Promise<void> {
    const server = this.server;
    if (!server) return;
    this.server = null;
    const closed = new Promise(resolve => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  private answer({ method, url = "" }: IncomingMessage, response: ServerResponse): void {
    const page = { "/metrics": this.metrics, "/health/live": this.live, "/health/ready": this.ready }[
      url.split("?", 1)[0] as string
    ];
    if (!page || (method !== "GET" && method !== "HEAD")) {
      response.writeHead(page ? 405 : 404, page ? { Allow: "GET, HEAD" } : {}).end();
      return;
    }
    page.call(this, response);
  }

  /** Whoever answers this has an event loop that turns. */
  private live(response: ServerResponse): void {
    sendJson(response, 200, { status: "ok" });
  }

  /** Whether this process can do its work, and if not, for want of what. */
  private ready(response: ServerResponse): void {
    this.health.report().then(
      report => sendJson(response, report.status === "ok" ? 200 : 503, report),
      () => sendJson(response, 503, { status: "unavailable" }),
    );
  }

  private metrics(response: ServerResponse): void {
    try {
      const body = expositionOf(this.registry, { node: this.broker.nodeID });
      response.writeHead(200, {
        "Content-Type": "text/plain; version=0.0.4; charset=utf-8",
        "Cache-Control": "no-store",
      });
      response.end(body);
    } catch (error) {
      this.logger.error("The metrics cannot be read", error);
      response.writeHead(500).end();
    }
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" });
  response.end(JSON.stringify(body));
}

interface MetricLike {
  name: string;
  type: string;
  description?: string;
  snapshot(): (Sample | HistogramSample)[];
}

/** Text format 0.0.4 of everything in the registry, with `common` labels on every line. */
export function expositionOf(registry: MetricRegistry, common: Labels): string {
  const lines: string[] = [];
  for (const metric of registry.store.values() as Iterable<MetricLike>) {
    const samples = metric.snapshot();
    if (samples.length === 0) continue;
    const name = metric.name.replace(/[^a-zA-Z0-9_:]/g, "_");
    lines.push(`# HELP ${name} ${(metric.description ?? metric.name).replace(/\\/g, "\\\\").replace(/\n/g, "\\n")}`);
    lines.push(`# TYPE ${name} ${metric.type === "info" ? "gauge" : metric.type}`);
    for (const sample of samples) lines.push(...linesOf(name, metric.type, sample, { ...common, ...sample.labels }));
  }
  return `${lines.join("\n")}\n`;
}

function linesOf(name: string, type: string, sample: Sample | HistogramSample, labels: Labels): string[] {
  if ("buckets" in sample)
    return [
      ...Object.entries(sample.buckets)
        .sort(([a], [b]) => Number(a) - Number(b))
        .map(([le, n]) => `${name}_bucket${braces({ ...labels, le })} ${n}`),
      `${name}_bucket${braces({ ...labels, le: "+Inf" })} ${sample.count}`,
      `${name}_sum${braces(labels)} ${sample.sum}`,
      `${name}_count${braces(labels)} ${sample.count}`,
    ];
  const value = (sample as Sample).value;
  if (type === "info") return [`${name}${braces({ ...labels, value: String(value) })} 1`];
  return [`${name}${braces(labels)} ${typeof value === "number" ? value : "NaN"}`];
}

function braces(labels: Record<string, unknown>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value ?? "")}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

const escaped = (value: unknown): string =>
  String(value).replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
