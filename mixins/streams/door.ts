import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { networkInterfaces } from "node:os";
import type { AddressInfo } from "node:net";
import { PassThrough, Readable, pipeline } from "node:stream";
import type { Context, ServiceBroker } from "moleculer";
import { ANSWER_HEADER, CALL_HEADER, type Answer, type Envelope, type Seal } from "./envelope";

/** Where other nodes find a door. */
export interface Place {
  /** Addresses, one of which answers to each node of the cluster. */
  hosts: string[];
  port: number;
}

/** Bytes of headers: parameters and meta of a call, as base64 in JSON. */
export const MAX_HEADERS = 128 * 1024;
/** Milliseconds. */
const HEADERS_TIMEOUT = 10_000;
/** Milliseconds after which a connection without a word is asked whether its other end still lives. */
const PROBE = 10_000;
/** Milliseconds that transfers under way get when the node stops. */
const CLOSE_TIMEOUT = 5_000;

/**
 * Takes calls with streams from other nodes: each over a connection of its own, so that a slow reader holds back his own
 * bytes and nobody else's, and whoever leaves is noticed at once. Opens to sealed calls only, and to actions declared
 * with `streams`.
 */
export class StreamDoor {
  private constructor(
    private readonly broker: ServiceBroker,
    private readonly seal: Seal,
    private readonly server: Server,
    private readonly host: string,
  ) {}

  /** @param host to listen at; the port is any free one */
  static async open(broker: ServiceBroker, seal: Seal, host: string): Promise<StreamDoor> {
    const server = createServer({
      headersTimeout: HEADERS_TIMEOUT,
      // Whoever takes the stream bounds its time.
      requestTimeout: 0,
      maxHeaderSize: MAX_HEADERS,
      keepAlive: true,
      keepAliveInitialDelay: PROBE,
    });
    const door = new StreamDoor(broker, seal, server, host);
    server.on("request", (req, res) => void door.answer(req, res));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(0, host, resolve);
    });
    return door;
  }

  get place(): Place {
    const { port } = this.server.address() as AddressInfo;
    return { hosts: isWildcard(this.host) ? ownAddresses() : [this.host], port };
  }

  /** Takes no more calls, lets transfers end for a while, then cuts what is left. */
  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    const timer = setTimeout(() => this.server.closeAllConnections(), CLOSE_TIMEOUT);
    await closed;
    clearTimeout(timer);
  }

  private async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const envelope = this.seal.open(String(req.headers[CALL_HEADER] ?? ""), this.broker.nodeID);
    if (!envelope) {
      res.writeHead(401, { Connection: "close" }).end(() => req.destroy());
      return;
    }
    const { meta } = envelope;
    try {
      const result = await this.handle(envelope, req);
      if (!(result instanceof Readable)) return send(res, { kind: "value", meta }, result ?? null);
      if (res.destroyed) return void result.destroy();
      res.writeHead(200, { [ANSWER_HEADER]: encode({ kind: "stream", meta }) });
      // A stream that breaks cuts the answer, so that its reader sees that it is not whole.
      pipeline(result, res, () => undefined);
    } catch (error) {
      const plain = this.broker.errorRegenerator?.extractPlainError(error as Error) ?? {};
      const { name, message, code, type, data, retryable } = plain as Record<string, unknown>;
      send(res, { kind: "error", meta }, { name, message, code, type, data, retryable, nodeID: this.broker.nodeID });
    }
  }

  /** As Moleculer handles the packet of a request. */
  private async handle(envelope: Envelope, req: IncomingMessage): Promise<unknown> {
    const { broker } = this;
    const endpoint = (broker as unknown as LocalEndpoints)._getLocalActionEndpoint(envelope.action);
    if (endpoint.action.streams !== true) throw new Error(`${envelope.action} is no action with streams`);
    const ctx = new broker.ContextFactory(broker) as Context & { stream?: Readable };
    const { id, params, meta, headers, level, tracing, parentID, requestID, caller, sender, timeout } = envelope;
    ctx.setEndpoint(endpoint as never);
    ctx.setParams(params as never);
    Object.assign(ctx, { id, meta, headers: headers ?? {}, level, tracing, parentID, requestID, caller });
    ctx.nodeID = sender;
    if (timeout !== null) ctx.options.timeout = timeout;
    if (envelope.stream) ctx.stream = bodyOf(req);
    return endpoint.action.handler(ctx);
  }
}

interface LocalEndpoints {
  _getLocalActionEndpoint(action: string): {
    action: { streams?: unknown; handler(ctx: Context): Promise<unknown> };
  };
}

/**
 * The body as a stream that may be destroyed at any time: the request itself must live until it is answered, and what
 * nobody wants any more is read and dropped.
 */
function bodyOf(req: IncomingMessage): Readable {
  const body = new PassThrough();
  req.on("error", () => body.destroy(new Error("The stream broke off")));
  // Without a listener an end that breaks off before anybody reads would end the process.
  body
    .on("error", () => undefined)
    .once("close", () => {
      req.unpipe(body);
      req.resume();
    });
  return req.pipe(body);
}

function send(res: ServerResponse, head: Answer, value: unknown): void {
  const body = JSON.stringify(value);
  res.writeHead(200, { [ANSWER_HEADER]: encode(head), "Content-Length": Buffer.byteLength(body) }).end(body);
}

const encode = (head: Answer): string => Buffer.from(JSON.stringify(head)).toString("base64url");

const isWildcard = (host: string): boolean => host === "0.0.0.0" || host === "::";

/** This machine as others may see it. */
function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? []);
  const outer = all.filter(({ internal, scopeid }) => !internal && !scopeid);
  return (outer.length > 0 ? outer : all).map(({ address }) => address);
}
