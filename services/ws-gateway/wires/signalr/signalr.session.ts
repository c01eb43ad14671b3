import { CLOSES, type Close } from "../../../core/closes";
import { ERRORS, invalidField, publicError, RookeryError, type PublicError } from "../../../core/errors";
import type { SendBody } from "../../../core/send";
import { Chat } from "../chat";
import { Fields } from "../fields";
import type { Outcome, Port, Session } from "../wire";
import { closing, completion, Records, record, refusal, TYPES, WELCOME, type ClientMessage } from "./signalr.frames";

/** Calls that may wait until the client is signed in. */
const EARLY = 100;
/** Sessions that end for good: who was sent away does not come back by himself. */
const isFinal = ({ code }: Close): boolean => code === CLOSES.SESSION_REVOKED.code || code >= 4500;

type Done = (outcome: Outcome) => void;
type Method = (chat: Chat, args: Fields, done: Done) => void;

const METHODS: Record<string, Method> = {
  JoinChannel: (chat, args, done) => chat.join(args.id(0), args.seqIfGiven(1), done),
  LeaveChannel: (chat, args, done) => chat.leave(args.id(0), done),
  SendMessage: (chat, args, done) => chat.send(args.id(0), bodyAt(args, 1), done),
  Typing: (chat, args, done) => chat.typing(args.id(0), args.flag(1), done),
  EditMessage: (chat, args, done) => chat.edit(args.id(0), args.text(1), done),
  DeleteMessage: (chat, args, done) => chat.remove(args.id(0), done),
  React: (chat, args, done) => chat.react(args.id(0), args.text(1), args.flag(2), done),
  MarkRead: (chat, args, done) => chat.mark("read", args.id(0), args.seq(1), done),
  MarkDelivered: (chat, args, done) => chat.mark("delivered", args.id(0), args.seq(1), done),
};

/** Of methods that complete with the message: nothing else of the answer. */
const MESSAGES: ReadonlySet<string> = new Set(["SendMessage", "EditMessage", "DeleteMessage", "React"]);

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
      // Who could not be let in is told so by the gateway, which closes him.
      if (!outcome.ok) return outcome.error.code === "UNAVAILABLE" ? this.port.end(CLOSES.BUSY) : undefined;
      this.state = "ready";
      for (const message of this.early.splice(0)) this.invoke(message);
    });
  }

  private invoke(message: ClientMessage): void {
    const target = String(message.target);
    try {
      const method = Object.hasOwn(METHODS, target) ? METHODS[target] : undefined;
      if (!method) throw new RookeryError("NOT_FOUND", "There is no such method.");
      method(this.chat, new Fields(message.arguments), outcome => this.answer(message, outcome));
    } catch (error) {
      this.answer(message, refused(error));
    }
  }

  private answer({ invocationId, target }: ClientMessage, outcome: Outcome): void {
    if (typeof invocationId !== "string") return;
    if (!outcome.ok) return this.port.transmit(refusal(invocationId, textOf(outcome.error)));
    const { message, offset, lastSeq } = outcome.result;
    const joined = target === "JoinChannel" ? { offset, lastSeq } : null;
    this.port.transmit(completion(invocationId, MESSAGES.has(String(target)) ? message : joined));
  }
}

const refused = (error: unknown): Outcome => ({ ok: false, error: publicError(error) });

/** A text alone, or what REST takes as the body of a send. */
function bodyAt(args: Fields, at: number): SendBody {
  const given = args.any(at);
  if (typeof given === "string") return { text: given };
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw invalidField(`argument ${at + 1}`, "Give a text or a message.");
  return new Fields(given).body();
}

const textOf = ({ code, detail }: PublicError): string => `${code}: ${detail ?? ERRORS[code].title}`;
