import type { Readable } from "node:stream";
import { RookeryError } from "../core/errors";
import type { MediaTypes } from "./media-type";

export interface IntakeLimits {
  /** Bytes of a file. */
  size: number;
  /** Milliseconds without a byte after which an upload is given up. */
  idle: number;
  /** Milliseconds an upload may take. */
  total: number;
}

/** Bytes from the beginning by which a type is told. */
const SAMPLE = 64 * 1024;

/**
 * The bytes of an upload on their way to the store: counted, bounded and looked at. What the client says of size and type
 * plays no part.
 */
export class Intake implements AsyncIterable<Uint8Array> {
  /** Bytes so far. */
  size = 0;
  private readonly head: Uint8Array[] = [];
  private headSize = 0;
  private readonly decoder = new TextDecoder("utf-8", { fatal: true });
  private isText = true;

  private failure: Error | undefined;

  constructor(
    private readonly source: Readable,
    private readonly limits: IntakeLimits,
  ) {
    // From the first moment: an upload may fail before anybody reads it. One from another node only says so, and then ends
    // as if it were whole.
    source.on("error", error => {
      this.failure ??= error;
      source.destroy();
    });
  }

  /** Throws TOO_LARGE beyond the limit, INVALID if the upload ends before its end. */
  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const stop = (): void => void this.source.destroy(new RookeryError("INVALID", "The upload took too long."));
    const deadline = setTimeout(stop, this.limits.total);
    const idle = setTimeout(stop, this.limits.idle);
    try {
      // Not destroyed when it is too large: behind it is the connection that must carry the answer.
      for await (const chunk of this.source.iterator({ destroyOnReturn: false }) as AsyncIterable<
        Uint8Array | string
      >) {
        const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
        idle.refresh();
        this.look(bytes);
        if (this.size > this.limits.size) throw tooLarge(this.limits.size);
        yield bytes;
      }
      if (this.failure) throw this.failure;
      if (!this.source.readableEnded) throw cutOff();
      this.endText();
    } catch (error) {
      throw this.explain(this.failure ?? error);
    } finally {
      clearTimeout(deadline);
      clearTimeout(idle);
      this.drain();
    }
  }

  /** The type its content shows; to be asked when all bytes have passed. */
  mediaType(types: MediaTypes): Promise<string> {
    return types.of(Buffer.concat(this.head), this.isText);
  }

  /** Lets a door that still reads a refused upload come to an end; one without an end is cut. */
  private drain(): void {
    let left = this.limits.size;
    this.source.on("data", (chunk: Uint8Array) => {
      left -= chunk.length;
      if (left < 0) this.source.destroy();
    });
  }

  private look(bytes: Uint8Array): void {
    this.size += bytes.length;
    if (this.headSize < SAMPLE) {
      // A copy: the source may use its memory again.
      this.head.push(Buffer.from(bytes.subarray(0, SAMPLE - this.headSize)));
      this.headSize += bytes.length;
    }
    if (!this.isText) return;
    try {
      this.isText = !bytes.includes(0);
      this.decoder.decode(bytes, { stream: true });
    } catch {
      this.isText = false;
    }
  }

  private endText(): void {
    try {
      if (this.isText) this.decoder.decode();
    } catch {
      this.isText = false;
    }
  }

  /** Doors cut uploads off too, with errors of their own; a client that goes away is no fault of ours. */
  private explain(error: unknown): unknown {
    const { name, code } = error as { name?: unknown; code?: unknown };
    if (name === "RookeryError") return error;
    return code === 413 ? tooLarge(this.limits.size) : cutOff();
  }
}

const tooLarge = (limit: number): RookeryError => new RookeryError("TOO_LARGE", `A file has at most ${limit} bytes.`);
const cutOff = (): RookeryError => new RookeryError("INVALID", "The upload was cut off.");
