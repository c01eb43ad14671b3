import { ANSWERS, CALLS, type CallName } from "../../../core/calls";
import { CLOSES, isFinal, type Close } from "../../../core/closes";
import { ERRORS, RookeryError, type PublicError } from "../../../core/errors";
import { Chat } from "../chat";
import { argumentsAt } from "../arguments";
import { refusedWith, type Outcome, type Port, type Session } from "../wire";
import {
  closing,
  completion,
  JOINED,
  Records,
  record,
  refusal,
  TYPES,
  WELCOME,
  type ClientMessage,
} from "./signalr.frames";

/** Refusals of a sign-in after which the gateway itself closes, with the code that says why. */
const CLOSED: ReadonlySet<string> = new Set(["UNAUTHENTICATED", "FORBIDDEN", "RATE_LIMITED"]);

const NAMES = new Map(Object.entries(CALLS).map(([name, { hub }]) => [hub as string, name as CallName]));

/** One client of the hub, from its handshake on. */
export class SignalrSession implements Session {
  private readonly chat: Chat;
  private readonly records: Records;
  private state: "handshake" | "refused" | "signing in" | "ready" = "handshake";
  /** Whether the handshake was answered. */
  private welcomed = false;
  /** Calls that wait until the client is signed in: he may make them as soon as the handshake is answered. */
  private early: ClientMessage[] = [];
  /** Characters of them. */
  private earlySize = 0;

  constructor(
    private readonly port: Port,
    /** Characters of one message. */
    private readonly longest: number,
  ) {
    this.chat = new Chat(port);
    this.records = new Records(JOINED);
  }

  /** What is no JSON, or has no end, throws, and ends the connection. */
  text(text: string): void {
    for (const one of this.records.take(text)) {
      if (!this.port.heeds()) return;
      const message = JSON.parse(one) as ClientMessage | null;
      if (typeof message !== "object" || message === null) return this.port.end(CLOSES.BAD_FRAME);
      if (one.length > this.longest) this.answer(message, refusedWith(new RookeryError("TOO_LARGE")));
      else this.message(message, one.length);
    }
  }

  closing(close: Close): string | null {
    if (this.state === "refused") return null;
    if (this.state === "handshake") return record({ error: close.reason });
    const last = closing(close.code === CLOSES.GOING_AWAY.code ? undefined : close.reason, !isFinal(close));
    return this.welcomed ? last : WELCOME + last;
  }

  private message(message: ClientMessage, size: number): void {
    if (this.state === "handshake") return this.handshake(message as { protocol?: unknown; version?: unknown });
    switch (message.type) {
      case TYPES.invocation:
        if (this.state === "ready") return this.invoke(message);
        this.earlySize += size;
        if (this.earlySize <= JOINED) return void this.early.push(message);
        return this.answer(message, refusedWith(new RookeryError("RATE_LIMITED", "Too much at once.")));
      case TYPES.stream:
        return this.answer(message, refusedWith(new RookeryError("NOT_FOUND", "There is no such stream.")));
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
      this.state = "refused";
      this.port.transmit(record({ error: "Only version 1 of the protocol 'json' is spoken here." }));
      return this.port.end(CLOSES.VERSION);
    }
    this.state = "signing in";
    const welcome = (): void => this.welcome();
    const done = (outcome: Outcome): void => {
      if (!outcome.ok) return CLOSED.has(outcome.error.code) ? undefined : this.port.end(CLOSES.BUSY);
      this.welcome();
      this.state = "ready";
      for (const message of this.early.splice(0)) this.invoke(message);
    };
    this.chat.hello(this.port.token, done, welcome);
  }

  /** A client that is connected fetches what was said in its direct rooms: by then it must be told what follows. */
  private welcome(): void {
    if (this.welcomed) return;
    this.welcomed = true;
    this.port.transmit(WELCOME);
    this.port.ready();
  }

  private invoke(message: ClientMessage): void {
    const name = typeof message.target === "string" ? NAMES.get(message.target) : undefined;
    try {
      if (!name) throw new RookeryError("NOT_FOUND", "There is no such method.");
      const args = argumentsAt(message.arguments, CALLS[name].args);
      this.chat.run(name, args, outcome => this.answer(message, outcome, name));
    } catch (error) {
      this.answer(message, refusedWith(error));
    }
  }

  private answer({ invocationId }: ClientMessage, outcome: Outcome, name?: CallName): void {
    if (typeof invocationId !== "string") return;
    // Who speaks before the handshake is answered may be refused before that.
    this.welcome();
    if (!outcome.ok) return this.port.transmit(refusal(invocationId, textOf(outcome.error)));
    this.port.transmit(completion(invocationId, name ? resultOf(name, outcome.result) : null));
  }
}

/** What is answered to a call: all its fields or the one that stands for them; null where there are none. */
function resultOf(name: CallName, result: Record<string, unknown>): unknown {
  const answer: { fields: object; hub?: string } = ANSWERS[CALLS[name].answer];
  if (answer.hub !== undefined) return result[answer.hub];
  const fields = Object.keys(answer.fields);
  return fields.length > 0 ? Object.fromEntries(fields.map(field => [field, result[field]])) : null;
}

const textOf = ({ code, detail }: PublicError): string => `${code}: ${detail ?? ERRORS[code].title}`;
