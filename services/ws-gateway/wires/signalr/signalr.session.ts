import { CALLS, type Call, type CallName } from "../../../core/calls";
import { CLOSES, type Close } from "../../../core/closes";
import { ERRORS, publicError, RookeryError, type PublicError } from "../../../core/errors";
import { Chat } from "../chat";
import { argumentsAt } from "../arguments";
import type { Outcome, Port, Session } from "../wire";
import { closing, completion, Records, record, refusal, TYPES, WELCOME, type ClientMessage } from "./signalr.frames";

/** Calls that may wait until the client is signed in. */
const EARLY = 100;
/** Sessions that end for good: who was sent away does not come back by himself. */
const isFinal = ({ code }: Close): boolean => code === CLOSES.SESSION_REVOKED.code || code >= 4500;

const NAMES = new Map(Object.entries(CALLS).map(([name, { hub }]) => [hub as string, name as CallName]));

/** One client of the hub, from its handshake on. */
export class SignalrSession implements Session {
  private readonly chat: Chat;
  private readonly records: Records;
  private state: "handshake" | "signing in" | "ready" = "handshake";
  private early: ClientMessage[] = [];

  constructor(
    private readonly port: Port,
    longest: number,
  ) {
    this.chat = new Chat(port);
    this.records = new Records(longest);
  }

  text(text: string): void {
    let messages: unknown[];
    try {
      messages = this.records.take(text);
    } catch {
      return this.port.end(CLOSES.BAD_FRAME);
    }
    for (const message of messages) {
      if (typeof message !== "object" || message === null) return this.port.end(CLOSES.BAD_FRAME);
      this.message(message);
    }
  }

  closing(close: Close): string | null {
    if (this.state === "handshake") return record({ error: close.reason });
    return closing(close.code === CLOSES.GOING_AWAY.code ? undefined : close.reason, !isFinal(close));
  }

  private message(message: ClientMessage): void {
    if (this.state === "handshake") return this.handshake(message as { protocol?: unknown; version?: unknown });
    switch (message.type) {
      case TYPES.invocation:
        if (this.state === "ready") return this.invoke(message);
        if (this.early.length >= EARLY) return this.port.end(CLOSES.BAD_FRAME);
        return void this.early.push(message);
      case TYPES.stream:
        return this.answer(message, refused(new RookeryError("NOT_FOUND", "There is no such stream.")));
      case TYPES.close:
        return this.port.end(CLOSES.GOING_AWAY);
      case TYPES.cancel:
      case TYPES.ping:
      case TYPES.completion:
        return;
      default:
        // Kinds we do not know are of protocols yet to come, and are skipped; what has no kind is no message.
        if (typeof message.type !== "number") this.port.end(CLOSES.BAD_FRAME);
    }
  }

  private handshake({ protocol, version }: { protocol?: unknown; version?: unknown }): void {
    if (protocol !== "json" || version !== 1) {
      this.port.transmit(record({ error: "Only version 1 of the protocol 'json' is spoken here." }));
      return this.port.end(CLOSES.VERSION);
    }
    this.state = "signing in";
    this.port.transmit(WELCOME);
    this.port.ready();
    this.chat.hello(this.port.token, outcome => {
      // Whose token is not good the gateway closes itself, with the code that says so.
      if (!outcome.ok) return outcome.error.code === "UNAUTHENTICATED" ? undefined : this.port.end(CLOSES.BUSY);
      this.state = "ready";
      for (const message of this.early.splice(0)) this.invoke(message);
    });
  }

  private invoke(message: ClientMessage): void {
    const name = typeof message.target === "string" ? NAMES.get(message.target) : undefined;
    try {
      if (!name) throw new RookeryError("NOT_FOUND", "There is no such method.");
      const args = argumentsAt(message.arguments, CALLS[name].args);
      this.chat.run(name, args, outcome => this.answer(message, outcome, name));
    } catch (error) {
      this.answer(message, refused(error));
    }
  }

  private answer({ invocationId }: ClientMessage, outcome: Outcome, name?: CallName): void {
    if (typeof invocationId !== "string") return;
    if (!outcome.ok) return this.port.transmit(refusal(invocationId, textOf(outcome.error)));
    const { message, offset, lastSeq } = outcome.result;
    const call: Call | undefined = name && CALLS[name];
    const results = { message, position: { offset, lastSeq } };
    this.port.transmit(completion(invocationId, call?.answer ? results[call.answer] : null));
  }
}

const refused = (error: unknown): Outcome => ({ ok: false, error: publicError(error) });

const textOf = ({ code, detail }: PublicError): string => `${code}: ${detail ?? ERRORS[code].title}`;
