import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { clientFrame, CLOSE, FrameCutter, PING, PONG, TEXT, type FrameSink } from "./frames";
import type { Meter } from "./meter";
import type { Protocol, Speaker } from "./protocols";
import { stamped, stampOf } from "./stamp";

/** Milliseconds within which a connection must be in all its rooms. */
const PATIENCE = 30_000;
/** Bytes below which a frame is looked into: no event of ours is so small, and pings are. */
const SMALL = 60;

/** One for all: the kernel's bytes are cut into frames before the next read. */
const shared = Buffer.allocUnsafe(256 * 1024);

export interface ConnectionPlan {
  protocol: Protocol;
  port: number;
  rooms: readonly string[];
  token: string | undefined;
  meter: Meter;
}

/** Milliseconds after which who was told to come again does so. */
const AGAIN = 500;

/** A client: it joins its rooms, then counts what it gets. A sender also knows its own messages again. */
export class Connection implements FrameSink, Speaker {
  /** Told when a message of this one came back, or was refused. */
  onSettled: ((serial: number, refused: boolean) => void) | null = null;
  private readonly cutter: FrameCutter;
  private socket: Socket | null = null;
  private upgrading: Buffer | null = Buffer.alloc(0);
  private isJoined = false;
  private ending = false;
  private settle: { resolve: () => void; reject: (error: Error) => void } | null = null;

  constructor(private readonly plan: ConnectionPlan) {
    const { separator } = plan.protocol;
    this.cutter = new FrameCutter(this, separator === "" ? -1 : separator.charCodeAt(0));
  }

  get rooms(): readonly string[] {
    return this.plan.rooms;
  }

  get token(): string | undefined {
    return this.plan.token;
  }

  /** Resolves when it is in all its rooms; rejects when it is refused, or that takes too long. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.fail(`not joined after ${PATIENCE} ms`), PATIENCE);
      const done = (): void => {
        clearTimeout(timer);
        this.settle = null;
      };
      this.settle = {
        resolve: () => (done(), resolve()),
        reject: error => (done(), reject(error)),
      };
      const callback = (bytes: number): boolean => {
        this.read(shared.subarray(0, bytes));
        return true;
      };
      this.socket = connect({
        host: "127.0.0.1",
        port: this.plan.port,
        noDelay: true,
        onread: { buffer: shared, callback },
      })
        .once("connect", () => this.upgrade())
        .on("error", error => this.fail(error.message))
        .on("close", () => this.ended(1006));
    });
  }

  say(text: string): void {
    this.socket?.write(clientFrame(text));
  }

  /** Sends a message to its first room and returns the serial. */
  send(textBytes: number): number {
    const message = stamped(textBytes);
    this.say(this.plan.protocol.send(this.rooms[0] as string, message));
    this.plan.meter.sent();
    return message.serial;
  }

  /** At once, so that the port can be used again. */
  close(): void {
    this.ending = true;
    this.socket?.resetAndDestroy();
  }

  wants(opcode: number, length: number): boolean {
    return !this.isJoined || this.onSettled !== null || opcode !== TEXT || length < SMALL || this.plan.meter.sample();
  }

  counted(events: number, length: number): void {
    this.plan.meter.delivered(events, length);
  }

  text(opcode: number, text: string): void {
    if (opcode === PING) return void this.socket?.write(clientFrame(Buffer.from(text, "latin1"), PONG));
    if (opcode === CLOSE) return this.ended(text.length >= 2 ? (text.charCodeAt(0) << 8) | text.charCodeAt(1) : 1005);
    const { separator } = this.plan.protocol;
    const events = separator === "" ? [text] : text.split(separator).filter(Boolean);
    try {
      const [deliveries, bytes] = this.events(events);
      if (deliveries > 0) this.plan.meter.delivered(deliveries, bytes);
    } catch (error) {
      this.fail((error as Error).message);
    }
  }

  /** Returns how many of them are deliveries, and their bytes. */
  private events(events: readonly string[]): [number, number] {
    const { protocol, meter } = this.plan;
    let [deliveries, bytes] = [0, 0];
    for (const event of events) {
      const reply = protocol.reply?.(event);
      if (typeof reply === "string") this.say(reply);
      else if (!this.isJoined) this.joining(event);
      else if (protocol.isDelivery(event)) {
        deliveries++;
        bytes += event.length;
        this.delivery(event);
      } else if (this.onSettled) this.refusal(event);
      else if (meter.measuring) meter.strange++;
    }
    return [deliveries, bytes];
  }

  private joining(event: string): void {
    const { protocol, meter } = this.plan;
    if (protocol.busy?.(event) === true) {
      meter.busy++;
      setTimeout(() => protocol.greet(this), AGAIN);
      return;
    }
    if (!protocol.joined(event, this)) return;
    this.isJoined = true;
    this.settle?.resolve();
  }

  private delivery(event: string): void {
    const stamp = stampOf(event);
    if (!stamp) return;
    this.plan.meter.latency(performance.now() - stamp.at);
    this.onSettled?.(stamp.serial, false);
  }

  private refusal(event: string): void {
    const serial = this.plan.protocol.refused?.(event) ?? null;
    if (serial === null) return;
    this.plan.meter.refused++;
    this.onSettled?.(serial, true);
  }

  private upgrade(): void {
    const { path, subprotocol } = this.plan.protocol;
    const lines = [
      `GET ${typeof path === "string" ? path : path(this)} HTTP/1.1`,
      `Host: 127.0.0.1:${this.plan.port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "Sec-WebSocket-Version: 13",
      ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
    ];
    this.socket?.write(`${lines.join("\r\n")}\r\n\r\n`);
  }

  private read(chunk: Buffer): void {
    if (this.upgrading === null) return this.cutter.feed(chunk);
    const answer = Buffer.concat([this.upgrading, chunk]);
    const end = answer.indexOf("\r\n\r\n");
    if (end < 0) return void (this.upgrading = answer);
    if (!answer.subarray(0, 12).toString("latin1").endsWith(" 101"))
      return this.fail(answer.toString("latin1", 0, 300));
    this.upgrading = null;
    this.plan.protocol.greet(this);
    if (end + 4 < answer.length) this.cutter.feed(answer.subarray(end + 4));
  }

  private fail(why: string): void {
    this.settle?.reject(new Error(why));
  }

  private ended(code: number): void {
    if (this.ending) return;
    this.ending = true;
    this.plan.meter.ended(code);
    this.fail(`closed with ${code}`);
    this.socket?.destroy();
  }
}
