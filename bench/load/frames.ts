/** WebSocket on bare bytes, as little of it as a load generator needs: no extensions, no messages in several frames. */

export const TEXT = 1;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Masked with the key 0, which changes nothing of the payload. */
export function clientFrame(payload: string | Buffer, opcode = TEXT): Buffer {
  const length = Buffer.byteLength(payload);
  const begin = length < 126 ? 6 : 8;
  const frame = Buffer.alloc(begin + length);
  frame[0] = 0x80 | opcode;
  if (length < 126) frame[1] = 0x80 | length;
  else {
    if (length > 0xffff) throw new Error("A frame of the generator is small");
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  }
  if (typeof payload === "string") frame.write(payload, begin);
  else payload.copy(frame, begin);
  return frame;
}

export interface FrameSink {
  /** At the begin of a frame: whether its text is wanted, or only how many events it has. */
  wants(opcode: number, length: number): boolean;
  text(opcode: number, text: string): void;
  counted(events: number, length: number): void;
}

/**
 * Cuts a stream into frames. What is only counted is never copied, and every byte is looked at once: the stream is the
 * generator's whole work, and it must not be slower than the servers.
 */
export class FrameCutter {
  private readonly header = Buffer.alloc(10);
  private headerLength = 0;
  private inPayload = false;
  private length = 0;
  /** Bytes of the payload to come. */
  private left = 0;
  private wanted = false;
  private collected = "";
  private separators = 0;

  constructor(
    private readonly sink: FrameSink,
    /** Byte between the events of one frame; -1: a frame is an event. */
    private readonly separator: number,
  ) {}

  feed(chunk: Buffer): void {
    const end = chunk.length;
    let at = 0;
    /** Where the next separator is, at `end` if there is none. */
    let next = -1;
    while (at < end) {
      if (!this.inPayload) {
        at = this.readHeader(chunk, at);
        if (!this.inPayload) return;
      }
      const stop = Math.min(end, at + this.left);
      if (this.wanted) this.collected += chunk.toString("latin1", at, stop);
      else if (this.separator >= 0 && stop > at) {
        for (;;) {
          if (next < at) next = chunk.indexOf(this.separator, at);
          if (next < 0) next = end;
          // One at the very end of the frame ends its last event, and begins none.
          if (next >= stop || (next === stop - 1 && stop - at === this.left)) break;
          this.separators++;
          this.left -= next + 1 - at;
          at = next + 1;
        }
      }
      this.left -= stop - at;
      at = stop;
      if (this.left === 0) this.finish();
    }
  }

  /** Reads on in a header and returns where it ends, or where the chunk does. */
  private readHeader(chunk: Buffer, from: number): number {
    const { header } = this;
    for (let at = from; at < chunk.length;) {
      header[this.headerLength++] = chunk[at++] as number;
      if (this.headerLength < 2) continue;
      const short = (header[1] as number) & 127;
      const size = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.headerLength < size) continue;
      this.length = short < 126 ? short : short === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
      this.left = this.length;
      this.inPayload = true;
      this.wanted = this.sink.wants((header[0] as number) & 15, this.length);
      if (this.left === 0) this.finish();
      return at;
    }
    return chunk.length;
  }

  private finish(): void {
    this.inPayload = false;
    this.headerLength = 0;
    if (this.wanted) {
      const text = this.collected;
      this.collected = "";
      this.sink.text((this.header[0] as number) & 15, text);
    } else {
      const events = this.separators + 1;
      this.separators = 0;
      this.sink.counted(events, this.length);
    }
  }
}
