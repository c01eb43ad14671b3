import type { ClientRequest, IncomingMessage, Server } from "node:http";
import { isForwardingHeader } from "../core/client-address";
import type { HttpExchange, Reply } from "./engine";
import {
  isBodiless,
  isHopByHop,
  isHttps,
  isKnownCoding,
  problem,
  replyHeaders,
  statusLine,
  watchBody,
} from "./engine.http";
import { memoryRequest } from "./engine.memory";
import { eachHeader, type NativeRequest, type NativeResponse } from "./engine.uws.native";

/** Names the library writes itself, or we do from the parsed value. */
const OWN_HEADERS = new Set(["content-length", "date"]);

/** Bytes of a body held for a server that answers before it has read them and a client that does not read. */
const MAX_HELD = 32 * 1024 * 1024;

/** Bytes of URL and headers: what Node's parser takes, less the few that are added on the way to it. */
const MAX_HEAD = 16 * 1024 - 256;

const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length;

/** Node has a character for each byte of a head (Latin-1), the library takes and gives UTF-8. */
const byteString = (text: string): string => (isAscii(text) ? text : Buffer.from(text).toString("latin1"));

/**
 * One request on the native engine. The native request dies with its callback and the native response with its last
 * byte or the client: after `#done` neither is touched.
 */
export class UwsExchange implements HttpExchange {
  readonly method: string;
  readonly url: string;
  readonly address: string;
  readonly #res: NativeResponse;
  readonly #headers: string[] = [];
  #https = false;
  /** Bytes of URL and headers, about. */
  #headBytes = 0;
  /** Bytes to come; -1: chunked, length unknown; undefined: where the body ends is not certain. */
  #length: number | undefined = 0;
  #bodyRead = true;
  #headSent = false;
  #done = false;
  /** What to write once the client has read; false: it still does not fit. */
  #rest: ((offset: number) => boolean) | undefined;
  #watchesRoom = false;
  /** The body is paused. */
  #paused = false;
  #origin: ClientRequest | undefined;
  readonly #onDone: (exchange: UwsExchange) => void;
  /** The connection ends with the answer. */
  #closes = false;

  /**
   * @param trusted whether the peer is a proxy whose forwarding headers pass
   * @param onDone called once, when the exchange is answered or the client gone
   */
  constructor(
    res: NativeResponse,
    req: NativeRequest,
    address: string,
    trusted: boolean,
    onDone: (exchange: UwsExchange) => void,
  ) {
    const query = req.getQuery();
    this.method = req.getCaseSensitiveMethod();
    this.url = query ? `${req.getUrl()}?${query}` : req.getUrl();
    this.address = address;
    this.#res = res;
    this.#onDone = onDone;
    this.#copyHeaders(req, trusted);
    this.#bodyRead = this.#length === 0;
    res.onAborted(() => {
      this.#finish();
      this.#origin?.destroy();
    });
  }

  #copyHeaders(req: NativeRequest, trusted: boolean): void {
    const connection = req.getHeader("connection").toLowerCase();
    const lengths = new Set<string>();
    const codings: string[] = [];
    this.#headBytes = this.url.length;
    eachHeader(req, (name, value) => {
      this.#headBytes += name.length + Buffer.byteLength(value) + 4;
      if (name === "content-length") lengths.add(value);
      else if (name === "transfer-encoding") codings.push(value);
      else if (name !== "expect" && !isHopByHop(name, connection) && (trusted || !isForwardingHeader(name))) {
        this.#headers.push(name, byteString(value));
        if (name === "x-forwarded-proto") this.#https = isHttps(value);
      }
    });
    if (codings.length > 0) {
      // The library takes any coding for chunked.
      this.#length = lengths.size > 0 || !isKnownCoding(codings.join()) ? undefined : -1;
      this.#headers.push("transfer-encoding", "chunked");
    } else if (lengths.size > 0) {
      const [length = ""] = lengths;
      this.#length = lengths.size === 1 && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
      this.#headers.push("content-length", length);
    }
    this.#closes = this.#length === undefined;
  }

  /** Lets the connection end with the answer, if its headers are not yet sent. */
  closeAfter(): void {
    if (!this.#headSent) this.#closes = true;
  }

  reply(reply: Reply): void {
    if (this.#done) return;
    const body = reply.body ?? "";
    const closes = this.#closes;
    this.#finish();
    this.#res.cork(() => {
      this.#res.writeStatus(statusLine(reply.status));
      for (const [name, value] of replyHeaders(reply, this.#https)) this.#res.writeHeader(name, value);
      if (isBodiless(this.method, reply.status)) {
        this.#endBodiless(this.method === "HEAD" ? Buffer.byteLength(body) : undefined, closes);
      } else this.#res.end(body, closes);
    });
  }

  serve(server: Server): void {
    if (this.#length === undefined) {
      // Later, as what follows in the same packet would be taken for the next request once this one is answered.
      setImmediate(() => this.reply(problem("BAD_REQUEST")));
      return;
    }
    // A path is ASCII (RFC 3986).
    if (!isAscii(this.url)) return this.reply(problem("BAD_REQUEST"));
    if (this.#headBytes > MAX_HEAD) {
      this.#closes = true;
      return this.reply({ status: 431, body: "Request header fields too large" });
    }
    let origin: ClientRequest;
    try {
      origin = memoryRequest(server, this.method, this.url, this.#headers, this.address);
    } catch {
      return this.reply(problem("BAD_REQUEST"));
    }
    this.#origin = origin;
    origin.on("response", answer => this.#respond(answer));
    // Before the answer: the server refused or dropped the connection. After it, the answer's own end tells.
    origin.on("error", () => this.#fail());
    if (this.#bodyRead) origin.end();
    else this.#readBody(origin);
  }

  #readBody(origin: ClientRequest): void {
    let received = 0;
    const watch = watchBody(
      () => received,
      () => {
        if (!this.#done) this.#res.close();
      },
    );
    origin.once("close", () => watch.stop());
    this.#res.onData((chunk, isLast) => {
      if (this.#bodyRead) return;
      received += chunk.byteLength;
      // The library takes its bytes back when we return.
      const more = chunk.byteLength === 0 || origin.write(Buffer.from(new Uint8Array(chunk)));
      if (isLast) {
        this.#bodyRead = true;
        watch.stop();
        origin.end();
      } else if (!more && !this.#done) {
        this.#pause(origin);
      }
    });
  }

  /**
   * Stops reading until the server has caught up. Not while a write waits for the client: in some builds pausing and
   * resuming forget that write, and its turn never comes. What arrives then is held, up to a bound.
   */
  #pause(origin: ClientRequest): void {
    if (this.#rest !== undefined && origin.writableLength > MAX_HELD) this.#res.close();
    if (this.#done || this.#rest !== undefined || this.#paused) return;
    this.#paused = true;
    this.#res.pause();
    origin.once("drain", () => {
      this.#paused = false;
      this.#resume();
    });
  }

  #resume(): void {
    if (!this.#done && !this.#paused && this.#rest === undefined) this.#res.resume();
  }

  #respond(answer: IncomingMessage): void {
    if (this.#done) {
      answer.destroy();
      return;
    }
    const status = answer.statusCode ?? 500;
    const told = answer.headers["content-length"];
    const length = told === undefined ? undefined : Number(told);
    // As Node does it on TCP: whoever is told to close need not send the rest of its body.
    if (answer.headers.connection?.toLowerCase() === "close") this.#closes = true;
    answer.once("error", () => this.#fail());
    answer.once("close", () => {
      if (!answer.complete) this.#fail();
      else if (!this.#bodyRead) this.#origin?.destroy();
    });
    if (isBodiless(this.method, status)) {
      answer.resume();
      this.#last(() => {
        this.#head(answer, status);
        this.#endBodiless(this.method === "HEAD" ? length : undefined, this.#closes);
      });
    } else if (length === undefined) this.#stream(answer, status);
    else this.#streamSized(answer, status, length);
  }

  /** The native side takes an `undefined` length for a number, so none is told by giving no argument at all. */
  #endBodiless(length: number | undefined, closes: boolean): void {
    if (length !== undefined) this.#res.endWithoutBody(length, closes);
    else if (closes) this.#res.endWithoutBody(0, true);
    else this.#res.endWithoutBody();
  }

  /** A body of unknown length, chunked; every chunk leaves at once. */
  #stream(answer: IncomingMessage, status: number): void {
    let held: Buffer | undefined;
    answer.on("data", (chunk: Buffer) => {
      if (this.#done) return;
      if (this.#closes && !this.#headSent && held === undefined) {
        // Often there is no second one: then the answer is complete, and the connection can end with it.
        held = chunk;
        return;
      }
      const bytes = held === undefined ? chunk : Buffer.concat([held, chunk]);
      held = undefined;
      let room = true;
      this.#res.cork(() => {
        this.#headOfMany(answer, status);
        room = this.#res.write(bytes);
      });
      if (!room) this.#waitForRoom(answer, () => true);
    });
    answer.once("end", () =>
      this.#last(() => {
        // The library would write its Connection header into a body that has begun.
        const closes = this.#closes && !this.#headSent;
        this.#head(answer, status);
        this.#res.end(held ?? "", closes);
      }),
    );
    // The library sends headers with the first byte only. A stream of events is open as soon as its headers arrive, so
    // it gets an empty comment.
    if (answer.headers["content-type"]?.startsWith("text/event-stream")) {
      setImmediate(() => {
        if (this.#done || this.#headSent) return;
        this.#res.cork(() => {
          this.#headOfMany(answer, status);
          this.#res.write(held ?? ":\n\n");
          held = undefined;
        });
      });
    }
  }

  #streamSized(answer: IncomingMessage, status: number, length: number): void {
    answer.on("data", (chunk: Buffer) => {
      if (this.#done) return;
      if (!this.#headSent && chunk.length === length) {
        this.#last(() => {
          this.#head(answer, status);
          this.#res.end(chunk, this.#closes);
        });
        return;
      }
      let start = 0;
      let all = false;
      let complete = false;
      this.#res.cork(() => {
        this.#headOfMany(answer, status);
        start = this.#res.getWriteOffset();
        [all, complete] = this.#res.tryEnd(chunk, length);
      });
      if (complete) this.#finish();
      else if (!all) {
        this.#waitForRoom(answer, offset => {
          const [rest, ended] = this.#res.tryEnd(chunk.subarray(offset - start), length);
          if (ended) this.#finish();
          return rest;
        });
      }
    });
    answer.once("end", () => {
      if (length === 0) {
        this.#last(() => {
          this.#head(answer, status);
          this.#res.end("", this.#closes);
        });
      }
    });
  }

  #waitForRoom(answer: IncomingMessage, rest: (offset: number) => boolean): void {
    answer.pause();
    this.#rest = rest;
    if (this.#watchesRoom) return;
    this.#watchesRoom = true;
    // Once only: a handler set while one runs (and ours runs the next chunk) is lost in some builds.
    this.#res.onWritable(offset => {
      const write = this.#rest;
      if (this.#done || write === undefined) return true;
      if (!write(offset)) return false;
      this.#rest = undefined;
      if (!this.#bodyRead) this.#resume();
      answer.resume();
      return true;
    });
  }

  /** Writes status and headers, once. */
  #head(answer: IncomingMessage, status: number): void {
    if (this.#headSent) return;
    this.#headSent = true;
    this.#res.writeStatus(statusLine(status, answer.statusMessage));
    const connection = answer.headers.connection?.toLowerCase() ?? "";
    for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
      const name = answer.rawHeaders[i] ?? "";
      const lower = name.toLowerCase();
      if (OWN_HEADERS.has(lower) || isHopByHop(lower, connection)) continue;
      const value = answer.rawHeaders[i + 1] ?? "";
      this.#res.writeHeader(name, isAscii(value) ? value : Buffer.from(value, "latin1"));
    }
  }

  /** The head of an answer in several writes: the client is to end the connection, the library can only with a complete answer. */
  #headOfMany(answer: IncomingMessage, status: number): void {
    if (this.#headSent) return;
    this.#head(answer, status);
    if (this.#closes) this.#res.writeHeader("Connection", "close");
  }

  /** Runs the write that completes the response. */
  #last(write: () => void): void {
    if (this.#done) return;
    if (!this.#bodyRead) this.#res.resume();
    this.#finish();
    this.#res.cork(write);
  }

  #fail(): void {
    if (this.#done) return;
    if (this.#headSent) this.#res.close();
    else this.reply(problem("UNKNOWN_OUTCOME"));
  }

  /** Drops the client. */
  close(): void {
    if (!this.#done) this.#res.close();
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#onDone(this);
  }
}
