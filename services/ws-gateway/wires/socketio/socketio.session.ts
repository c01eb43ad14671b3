import { randomUUID } from "node:crypto";
import { ANSWERS, CALLS, REFUSAL, type CallName } from "../../../core/calls";
import { CLOSES, isFinal, type Close } from "../../../core/closes";
import { publicError, RookeryError } from "../../../core/errors";
import { Chat } from "../chat";
import { argumentsIn } from "../arguments";
import type { Port, Session } from "../wire";
import {
  acknowledgement,
  BINARY,
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

/** One client of Socket.IO, from the opening of its transport on. */
export class SocketioSession implements Session {
  private readonly chat: Chat;
  /** The client has said who he is, and was not refused. */
  private signedIn = false;
  /** Binary messages that are still to come, and are not looked at. */
  private parts = 0;

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
    for (const packet of this.port.requests ? text.split(SEPARATOR) : [text]) if (this.port.heeds()) this.outer(packet);
  }

  closing(close: Close): string | null {
    return isFinal(close) ? DISCONNECTED : ENGINE.close;
  }

  binary(): void {
    if (this.parts > 0) this.parts--;
    else this.port.end(CLOSES.BAD_FRAME);
  }

  private outer(text: string): void {
    switch (text[0]) {
      case BINARY:
        return this.binary();
      case ENGINE.pong:
      case ENGINE.noop:
        return;
      case ENGINE.ping:
        // Clients ping only over a transport they try: what waits over this one has to end, with nothing if there is nothing.
        return this.port.transmit(ENGINE.noop);
      case ENGINE.close:
        return this.port.end(CLOSES.GOING_AWAY);
      case ENGINE.message: {
        const packet = parsePacket(text.slice(1));
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
        this.parts += packet.parts;
        if (packet.namespace === "/") this.invoke(packet);
        return;
      case "ack":
        this.parts += packet.parts;
        return;
    }
  }

  private signIn(auth: unknown): void {
    if (this.signedIn) return;
    this.signedIn = true;
    const given = (auth as { token?: unknown } | null | undefined)?.token;
    this.chat.hello(typeof given === "string" ? given : this.port.token, outcome => {
      if (outcome.ok) return this.port.transmit(connected(randomUUID()));
      const { code, detail } = outcome.error;
      // Its clients take a refusal for the last word: who is to come again finds the door closed instead.
      if (!FINAL.has(code)) return this.port.end(CLOSES.BUSY);
      this.signedIn = false;
      this.port.transmit(refused("/", { message: detail ?? code, data: { code, detail } }));
    });
  }

  private invoke({ event, id, args, parts }: Extract<Packet, { kind: "event" }>): void {
    const acknowledge = (ok: boolean, from: object, fields: object): void => {
      if (id !== undefined) this.port.transmit(acknowledgement(id, { ok, ...picked(from, fields) }));
    };
    try {
      if (!Object.hasOwn(CALLS, event)) throw new RookeryError("NOT_FOUND", "There is no such event.");
      if (parts > 0) throw new RookeryError("INVALID", "Binary data is not taken here; upload a file.");
      const { args: wanted, answer } = CALLS[event as CallName];
      this.chat.run(event as CallName, argumentsIn(args[0], wanted), outcome =>
        outcome.ok
          ? acknowledge(true, outcome.result, ANSWERS[answer].fields)
          : acknowledge(false, outcome.error, REFUSAL),
      );
    } catch (error) {
      acknowledge(false, publicError(error), REFUSAL);
    }
  }
}

/** Those of an answer that this wire's clients are told of. */
const picked = (from: object, fields: object): object =>
  Object.fromEntries(Object.entries(from).filter(([name]) => Object.hasOwn(fields, name)));
