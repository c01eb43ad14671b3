import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { isIPv6, type LookupFunction } from "node:net";
import { pipeline, Readable } from "node:stream";
import type { Context, ServiceBroker } from "moleculer";
import { RookeryError } from "../../services/core/errors";
import { MAX_HEADERS, type Place } from "./door";
import { ANSWER_HEADER, CALL_HEADER, type Answer, type Envelope, type Seal } from "./envelope";

/** Milliseconds a connection may take to be made. */
const CONNECT_TIMEOUT = 3_000;
/** Milliseconds without a byte in either direction; longer than whoever takes an upload bears with its client. */
const STALL_TIMEOUT = 35_000;
/** Milliseconds for an answer when the last byte of the stream is on its way. */
const ANSWER_TIMEOUT = 10_000;
/** Bytes of an answer that is no stream. */
const MAX_VALUE = 1024 * 1024;

/**
 * Calls an action on another node over HTTP, with a stream or for one. Rejects like a call does: UNAVAILABLE if the node
 * was not reached, UNKNOWN_OUTCOME if it did not answer, else with what its handler threw. A stream that is given is
 * destroyed if the call fails; the one that is answered must be read or destroyed.
 */
export async function callWithStream(
  broker: ServiceBroker,
  seal: Seal,
  ctx: Context,
  { hosts, port }: Place,
): Promise<unknown> {
  const stream = (ctx.options as { stream?: unknown }).stream;
  const source = stream instanceof Readable ? stream : null;
  const req = request({
    method: "POST",
    // A name of no meaning: with one, all addresses are tried, and the first that answers is taken.
    host: "node",
    lookup: among(hosts),
    port,
    agent: false,
    // The connection ends when we are done with it: ended by the other side, bytes still on their way would cost the answer.
    headers: { [CALL_HEADER]: seal.close(envelopeOf(broker, ctx, source !== null)), Connection: "keep-alive" },
    maxHeaderSize: MAX_HEADERS,
  });
  const patience = ctx.options.timeout ?? 0;
  const overdue =
    patience > 0 ? setTimeout(() => req.destroy(new RookeryError("UNKNOWN_OUTCOME")), patience) : undefined;
  try {
    const answered = answerTo(req);
    if (source) send(source, req);
    else req.end();
    const res = await answered;
    const head = decode(res);
    Object.assign(ctx.meta, head.meta);
    if (head.kind === "stream") {
      // From here on it is as slow as its reader.
      req.setTimeout(0);
      return res;
    }
    const value = await valueOf(res);
    req.destroy();
    if (head.kind === "value") return value;
    throw broker.errorRegenerator?.restore(value as never, {}) ?? new RookeryError("INTERNAL");
  } catch (error) {
    req.destroy();
    source?.destroy();
    throw error;
  } finally {
    clearTimeout(overdue);
  }
}

/** The head of the answer. */
function answerTo(req: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let reached = false;
    const connecting = setTimeout(() => req.destroy(new RookeryError("UNAVAILABLE")), CONNECT_TIMEOUT);
    req.once("socket", socket =>
      socket.once("connect", () => {
        reached = true;
        clearTimeout(connecting);
        req.setTimeout(STALL_TIMEOUT, () => req.destroy(new RookeryError("UNKNOWN_OUTCOME")));
      }),
    );
    req.once("response", resolve);
    req.on("error", error => {
      clearTimeout(connecting);
      reject(isOurs(error) ? error : new RookeryError(reached ? "UNKNOWN_OUTCOME" : "UNAVAILABLE"));
    });
    // Destroyed without an error, as by a source that ended before its end.
    req.once("close", () => reject(new RookeryError("UNKNOWN_OUTCOME")));
  });
}

/** A source that breaks off takes the request with it, so that the other side keeps nothing. */
function send(source: Readable, req: ClientRequest): void {
  const brokenOff = new RookeryError("INVALID", "The upload ended before its end.");
  source
    .once("error", error => req.destroy(isOurs(error) ? error : brokenOff))
    .once("close", () => source.readableEnded || req.destroy(brokenOff))
    .once("end", () => req.setTimeout(ANSWER_TIMEOUT, () => req.destroy(new RookeryError("UNKNOWN_OUTCOME"))));
  pipeline(source, req, () => undefined);
}

const isOurs = (error: Error): boolean => error.name === "RookeryError";

function envelopeOf(broker: ServiceBroker, ctx: Context, stream: boolean): Envelope {
  return {
    to: ctx.nodeID as string,
    sender: broker.nodeID,
    id: ctx.id,
    action: ctx.action?.name as string,
    params: ctx.params,
    meta: ctx.meta,
    headers: (ctx.headers as Record<string, unknown> | undefined) ?? null,
    timeout: ctx.options.timeout ?? null,
    level: ctx.level,
    tracing: ctx.tracing,
    parentID: ctx.parentID,
    requestID: ctx.requestID,
    caller: ctx.caller,
    stream,
  };
}

/** A stranger on that port would answer without our header, or with one that is none. */
function decode(res: IncomingMessage): Answer {
  try {
    return JSON.parse(Buffer.from(String(res.headers[ANSWER_HEADER]), "base64url").toString()) as Answer;
  } catch {
    throw new RookeryError("UNAVAILABLE");
  }
}

async function valueOf(res: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of res as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > MAX_VALUE) break;
      parts.push(part);
    }
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new RookeryError("UNKNOWN_OUTCOME");
  }
}

/** Answers every question with these addresses. */
function among(hosts: string[]): LookupFunction {
  const addresses = hosts.map(address => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_name, options, done) => {
    const [first] = addresses;
    if (options.all) done(null, addresses);
    else done(first ? null : new Error("no address"), first?.address ?? "", first?.family);
  };
}
