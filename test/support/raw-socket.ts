import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

/** A WebSocket client on bare TCP: it can break every rule a library would keep. */

export interface Frame {
  fin: boolean;
  opcode: number;
  payload: Buffer;
}

export interface FrameOptions {
  fin?: boolean;
  masked?: boolean;
  /** The three reserved bits, as 0x70 has them. */
  reserved?: number;
  /** Four bytes; random ones unless given. */
  mask?: Uint8Array;
}

export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

/** One client frame. */
export function encodeFrame(opcode: number, payload: string | Uint8Array, options: FrameOptions = {}): Buffer {
  const { fin = true, masked = true, reserved = 0 } = options;
  const body = Buffer.from(typeof payload === "string" ? Buffer.from(payload) : payload);
  const size = body.length;
  const length =
    size < 126
      ? Buffer.from([size])
      : size < 65_536
        ? Buffer.from([126, size >> 8, size & 255])
        : Buffer.concat([Buffer.from([127]), u64(size)]);
  if (masked) length[0] = (length[0] ?? 0) | 0x80;
  const mask = masked ? (options.mask ?? randomBytes(4)) : Buffer.alloc(0);
  if (masked) for (let i = 0; i < size; i += 1) body[i] = (body[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | reserved | opcode]), length, mask, body]);
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export class RawSocket {
  /** Everything of the server's opening answer. */
  head = "";
  /** Frames not yet taken. */
  readonly frames: Frame[] = [];
  readonly texts: string[] = [];
  closeCode: number | undefined;
  closeReason = "";
  ended = false;
  #pending = Buffer.alloc(0);
  #upgraded = false;
  readonly #waiting = new Set<() => void>();

  private constructor(readonly tcp: Socket) {
    tcp.on("data", data => this.#take(data));
    tcp.on("error", () => undefined);
    tcp.on("close", () => {
      this.ended = true;
      this.#wake();
    });
  }

  /** Connects and sends the opening handshake; resolves with the socket once the answer's head is there. */
  static async open(
    port: number,
    options: { path?: string; headers?: Record<string, string>; noDelay?: boolean } = {},
  ): Promise<RawSocket> {
    const tcp = connect(port, "127.0.0.1");
    const socket = new RawSocket(tcp);
    const headers: Record<string, string> = {
      Host: `127.0.0.1:${port}`,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      ...options.headers,
    };
    const lines = Object.entries(headers).filter(([, value]) => value !== "");
    tcp.write(`GET ${options.path ?? "/ws"} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join("")}\r\n`);
    await socket.until(() => socket.head !== "" || socket.ended);
    return socket;
  }

  get status(): number {
    return Number(this.head.split(" ", 2)[1]);
  }

  header(name: string): string | undefined {
    return new RegExp(`^${name}: *(.*)$`, "im").exec(this.head)?.[1]?.trim();
  }

  /** What came after the head of a refused upgrade. */
  get body(): string {
    return this.#pending.toString();
  }

  text(payload: string): void {
    this.tcp.write(encodeFrame(OPCODE.TEXT, payload));
  }

  frame(opcode: number, payload: string | Uint8Array, options?: FrameOptions): void {
    this.tcp.write(encodeFrame(opcode, payload, options));
  }

  /** Sends a close frame. */
  end(code: number, reason = ""): void {
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
    payload.writeUInt16BE(code);
    payload.write(reason, 2);
    this.frame(OPCODE.CLOSE, payload);
  }

  /** Resolves when `condition` holds, looked at after everything that arrives. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>(resolve => this.#waiting.add(resolve));
    }
  }

  async untilClosed(): Promise<void> {
    await this.until(() => this.ended);
  }

  /** The next `count` texts, taken off. */
  async take(count: number): Promise<string[]> {
    await this.until(() => this.texts.length >= count || this.ended);
    return this.texts.splice(0, count);
  }

  destroy(): void {
    this.tcp.destroy();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  #take(data: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, data]);
    if (this.head === "") {
      const end = this.#pending.indexOf("\r\n\r\n");
      if (end === -1) return;
      this.head = this.#pending.toString("latin1", 0, end);
      this.#pending = this.#pending.subarray(end + 4);
      this.#upgraded = this.status === 101;
    }
    if (this.#upgraded) while (this.#takeFrame());
    this.#wake();
  }

  #takeFrame(): boolean {
    const bytes = this.#pending;
    if (bytes.length < 2) return false;
    const short = (bytes[1] ?? 0) & 0x7f;
    const offset = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < offset) return false;
    const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < offset + size) return false;
    const payload = Buffer.from(bytes.subarray(offset, offset + size));
    this.#pending = bytes.subarray(offset + size);
    const first = bytes[0] ?? 0;
    const opcode = first & 0x0f;
    this.frames.push({ fin: (first & 0x80) !== 0, opcode, payload });
    if (opcode === OPCODE.TEXT) this.texts.push(payload.toString("utf8"));
    if (opcode === OPCODE.CLOSE && this.closeCode === undefined) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.closeReason = payload.toString("utf8", 2);
      this.tcp.end(encodeFrame(OPCODE.CLOSE, payload));
    }
    return true;
  }
}

/** Sends `request` as it stands and returns all that came until the server closed or `enough` says so. */
export async function rawHttp(
  port: number,
  request: string | Uint8Array,
  enough = (_: string) => false,
): Promise<string> {
  const tcp = connect(port, "127.0.0.1");
  tcp.write(request);
  let answer = "";
  return new Promise(resolve => {
    const done = (): void => {
      tcp.destroy();
      resolve(answer);
    };
    tcp.on("data", data => {
      answer += data.toString("latin1");
      if (enough(answer)) done();
    });
    tcp.on("error", () => undefined);
    tcp.on("close", done);
  });
}
