import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { counted } from "./measure";
import { quantile } from "./meter";
import type { HttpOrder, HttpReport } from "./order";

const HEAD_END = Buffer.from("\r\n\r\n");
/** Of this run, so that a second one on the same store posts anew. */
const RUN = Date.now().toString(36);

interface Count {
  measuring: boolean;
  requests: number;
  refused: number;
  bytes: number;
  latencies: number[];
}

let serial = 0;

/** A keep-alive connection with one request under way, followed by the next as soon as its answer is complete. */
class Exchange {
  private readonly socket: Socket;
  private received: Buffer = Buffer.alloc(0);
  private began = 0;

  constructor(
    private readonly order: HttpOrder,
    private readonly at: number,
    private readonly count: Count,
    onError: (error: Error) => void,
  ) {
    this.socket = connect({ host: "127.0.0.1", port: order.port, noDelay: true })
      .once("connect", () => this.ask())
      .on("data", chunk => this.read(chunk))
      .on("error", onError)
      .on("close", () => onError(new Error("the server closed a keep-alive connection")));
  }

  private ask(): void {
    const { method, paths, tokens, text, port } = this.order;
    const number = ++serial;
    const body = text === undefined ? "" : JSON.stringify({ text, clientId: `${RUN}-${number}` });
    const lines = [
      `${method} ${paths[this.at % paths.length]} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      `Authorization: Bearer ${tokens[this.at % tokens.length]}`,
      ...(body === "" ? [] : ["Content-Type: application/json", `Content-Length: ${body.length}`]),
    ];
    this.began = performance.now();
    this.socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  }

  private read(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    const end = this.received.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.received.toString("latin1", 0, end);
    const length = bodyLength(head, this.received, end + HEAD_END.length);
    if (length === null) return;
    this.answered(Number(head.slice(9, 12)), length);
    this.received = Buffer.alloc(0);
    this.ask();
  }

  private answered(status: number, bytes: number): void {
    const { count } = this;
    if (!count.measuring) return;
    count.requests++;
    count.bytes += bytes;
    if (status !== this.order.status) count.refused++;
    count.latencies.push(performance.now() - this.began);
  }
}

/** Bytes of the body that begins at `from`; null while it is not complete. */
function bodyLength(head: string, received: Buffer, from: number): number | null {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return received.length - from >= Number(length) ? Number(length) : null;
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return 0;
  return received.subarray(-7).toString("latin1").endsWith("\r\n0\r\n\r\n") ? received.length - from : null;
}

export async function http(order: HttpOrder): Promise<HttpReport> {
  const count: Count = { measuring: false, requests: 0, refused: 0, bytes: 0, latencies: [] };
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  Array.from({ length: order.connections }, (_, at) => new Exchange(order, at, count, fail));
  await Promise.race([pause(order.warm * 1_000), failed]);
  count.measuring = true;
  const measured = await counted(order.watched, () => Promise.race([pause(order.seconds * 1_000), failed]));
  count.measuring = false;
  const { requests, refused, bytes, latencies } = count;
  return {
    ...measured,
    ...{ requests, refused },
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    bodyBytes: requests > 0 ? bytes / requests : 0,
  };
}
