import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { systemClock, type Clock } from "../../services/core/clock";

/** A call on its way to another node, without its stream: what Moleculer's own packet of a request carries. */
export interface Envelope {
  /** Node that is to carry it out, and the one that asks. */
  to: string;
  sender: string;
  id: string;
  action: string;
  params: unknown;
  meta: Record<string, unknown>;
  headers: Record<string, unknown> | null;
  /** Milliseconds. */
  timeout: number | null;
  level: number;
  tracing: boolean | null;
  parentID: string | null;
  requestID: string | null;
  caller: string | null;
  /** The body is the stream of the call. */
  stream: boolean;
}

/** Header of a request that holds the sealed envelope. */
export const CALL_HEADER = "x-rookery-call";
/** Header of an answer: base64url of an {@link Answer} as JSON. */
export const ANSWER_HEADER = "x-rookery-answer";

/** What comes before the body of an answer. */
export interface Answer {
  /** Body: the stream itself, the value as JSON, or the error as JSON. */
  kind: "stream" | "value" | "error";
  /** What the handler left in `ctx.meta`. */
  meta: Record<string, unknown>;
}

/** Milliseconds an envelope is good for; clocks of two machines may differ by as much. */
const LIFE = 60_000;

/**
 * Proves that a call comes from a node of this installation, for one node and for a short time. The key is derived from
 * the secret that all nodes share and is good for nothing else: a user's token opens no door here.
 */
export class Seal {
  private readonly key: Buffer;

  constructor(
    secret: string,
    private readonly clock: Clock = systemClock,
  ) {
    this.key = Buffer.from(hkdfSync("sha256", secret, "", "rookery streams between nodes", 32));
  }

  close(envelope: Envelope): string {
    const text = Buffer.from(JSON.stringify({ ...envelope, expires: this.clock.now() + LIFE })).toString("base64url");
    return `${text}.${this.mac(text)}`;
  }

  /** What was sealed for this node; null if it is forged, changed, too old or meant for another. */
  open(sealed: string, node: string): Envelope | null {
    const [text = "", mac = ""] = sealed.split(".", 2);
    const given = Buffer.from(mac);
    const right = Buffer.from(this.mac(text));
    if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
    const { expires, ...envelope } = JSON.parse(Buffer.from(text, "base64url").toString()) as Envelope & {
      expires: number;
    };
    return envelope.to === node && Math.abs(expires - LIFE - this.clock.now()) <= LIFE ? envelope : null;
  }

  private mac(text: string): string {
    return createHmac("sha256", this.key).update(text).digest("base64url");
  }
}
