import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  attributes: Record<string, unknown>;
  status: { code?: number; message?: string };
  events: unknown[];
  resource: Record<string, unknown>;
}

interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: number };
}
interface Export {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: (Omit<CollectedSpan, "attributes" | "resource"> & { attributes: Attribute[] })[] }[];
  }[];
}

/** A small OTLP/HTTP (JSON) collector that keeps what it was sent. */
export class Collector {
  readonly spans: CollectedSpan[] = [];
  /** Every body as it came. */
  raw = "";
  private constructor(private readonly server: Server) {}

  static async start(): Promise<Collector> {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", data => (body += String(data)));
      request.on("end", () => {
        if (request.url === "/v1/traces" && request.method === "POST") collector.take(body);
        response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
      });
    });
    const collector = new Collector(server);
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  named(name: string, kind?: number): CollectedSpan {
    const found = this.spans.find(span => span.name === name && (kind === undefined || span.kind === kind));
    if (!found) throw new Error(`no span ${name}; there are ${this.spans.map(span => span.name).join(", ") || "none"}`);
    return found;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise(resolve => this.server.close(resolve));
  }

  private take(body: string): void {
    this.raw += body;
    for (const { resource, scopeSpans } of (JSON.parse(body) as Export).resourceSpans)
      for (const span of scopeSpans.flatMap(scope => scope.spans))
        this.spans.push({ ...span, attributes: plain(span.attributes), resource: plain(resource.attributes) });
  }
}

const plain = (attributes: Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]));
