import { randomUUID } from "node:crypto";
import { CALLS, type CallName } from "../../../core/calls";
import { CLOSES, type Close } from "../../../core/closes";
import { publicError, RookeryError, type PublicError } from "../../../core/errors";
import { Chat } from "../chat";
import { argumentsIn } from "../arguments";
import type { Outcome, Port, Session } from "../wire";
import {
  acknowledgement,
  connected,
  DISCONNECTED,
  ENGINE,
  parsePacket,
  refused,
  SEPARATOR,
  type Packet,
} from "./socketio.packets";

export interface SocketioSettings {
  /** Milliseconds between pings, and that a client waits for one beyond that. */
  pingInterval: number;
  pingTimeout: number;
  /** Bytes of a body. */
  maxPayload: number;
}

/** Refusals of a sign-in that would be the same the next time. */
const FINAL: ReadonlySet<string> = new Set(["UNAUTHENTICATED", "FORBIDDEN", "RATE_LIMITED", "INVALID"]);

/** What is told of an outcome; nothing else of an answer is this wire's. */
const SHOWN = ["offset", "lastSeq", "message", "duplicate"];

/** One client of Socket.IO, from the opening of its transport on. */
export class SocketioSession implements Session {
  private readonly chat: Chat;
  private state: "open" | "signing in" | "ready" = "open";

  constructor(
    private readonly port: Port,
    { pingInterval, pingTimeout, maxPayload }: SocketioSettings,
    upgrades: readonly string[],
  ) {
    this.chat = new Chat(port);
    port.transmit(
      `${ENGINE.open}${JSON.stringify({ sid: port.name, upgrades, pingInterval, pingTimeout, maxPayload })}`,
    );
    port.ready();
  }

  /** A body of HTTP may have several packets. */
  text(text: string): void {
    for (const packet of this.port.requests ? text.split(SEPARATOR) : [text]) this.outer(packet);
  }

  closing({ code }: Close): string | null {
    return code === CLOSES.SESSION_REVOKED.code || code >= 4500 ? DISCONNECTED : ENGINE.close;
  }

  private outer(text: string): void {
    const rest = text.slice(1);
    switch (text[0]) {
      case ENGINE.pong:
      case ENGINE.noop:
        return;
      case ENGINE.ping:
        // Clients ping only over a transport they try: what waits over this one has to end, with nothing if there is nothing.
        return this.port.transmit(ENGINE.noop);
      case ENGINE.close:
        return this.port.end(CLOSES.GOING_AWAY);
      case ENGINE.message: {
        const packet = parsePacket(rest);
        return packet ? this.packet(packet) : this.port.end(CLOSES.BAD_FRAME);
      }
      default:
        return this.port.end(CLOSES.BAD_FRAME);
    }
  }

  private packet(packet: Packet): void {
    switch (packet.kind) {
      case "connect":
        if (packet.namespace !== "/")
          return this.port.transmit(refused(packet.namespace, { message: "Invalid namespace" }));
        return this.signIn(packet.auth);
      case "disconnect":
        if (packet.namespace === "/") this.port.end(CLOSES.GOING_AWAY);
        return;
      case "event":
        if (packet.namespace === "/") this.invoke(packet);
        return;
      case "ack":
        return;
    }
  }

  private signIn(auth: unknown): void {
    if (this.state !== "open") return;
    this.state = "signing in";
    const given = (auth as { token?: unknown } | null | undefined)?.token;
    this.chat.hello(typeof given === "string" ? given : this.port.token, outcome => {
      if (outcome.ok) {
        this.state = "ready";
        return this.port.transmit(connected(randomUUID()));
      }
      const { code, detail } = outcome.error;
      // Its clients take a refusal for the last word: who is to come again finds the door closed instead.
      if (!FINAL.has(code)) return this.port.end(CLOSES.BUSY);
      this.state = "open";
      this.port.transmit(refused("/", { message: detail ?? code, data: { code, detail } }));
    });
  }

  private invoke({ event, id, args }: Extract<Packet, { kind: "event" }>): void {
    const done = (outcome: Outcome): void => {
      if (id !== undefined) this.port.transmit(acknowledgement(id, shown(outcome)));
    };
    try {
      if (!Object.hasOwn(CALLS, event)) throw new RookeryError("NOT_FOUND", "There is no such event.");
      const name = event as CallName;
      this.chat.run(name, argumentsIn(args[0], CALLS[name].args), done);
    } catch (error) {
      done({ ok: false, error: publicError(error) });
    }
  }
}

function shown(outcome: Outcome): object {
  if (outcome.ok)
    return { ok: true, ...Object.fromEntries(Object.entries(outcome.result).filter(([key]) => SHOWN.includes(key))) };
  const { code, status, detail, retryAfterMs }: PublicError = outcome.error;
  return { ok: false, code, status, detail, retryAfterMs };
}
