import type { IncomingMessage } from "node:http";
import { Transform, type Readable, type TransformCallback } from "node:stream";
import { Busboy, type BusboyInstance } from "@fastify/busboy";
import type { UploadFields } from "../core/contract";
import { RookeryError } from "../core/errors";

/** Milliseconds until the part with the file must have begun: there are bodies that the parser never comes to an end with. */
const PATIENCE = 10_000;

/** A file on its way in. */
export interface Upload {
  fields: UploadFields;
  /** Its bytes; fails with {@link Upload.failure} over the limit or if the client stops half-way. */
  stream: Readable;
  /** What went wrong with the request itself, if anything did: it counts more than what the taker of the stream makes of it. */
  readonly failure: RookeryError | undefined;
  /** Ends the upload. What still comes is dropped, so that the client gets to the answer. */
  release(): void;
}

/** Bounds of a multipart body besides the file. */
const MULTIPART = {
  fieldNameSize: 100,
  fieldSize: 4_096,
  fields: 20,
  files: 5,
  parts: 25,
  headerPairs: 50,
  headerSize: 8_192,
};

/**
 * Takes the file of a request: the first multipart part `file`, with a text part `name` before it; or the raw body.
 * @param name file name of the query
 * @param limit bytes
 * @param patience milliseconds until the file must have begun
 * @throws INVALID without a file, BAD_REQUEST for broken multipart, TOO_LARGE if the request already says so.
 */
export async function openUpload(
  req: IncomingMessage,
  name: string | undefined,
  limit: number,
  patience = PATIENCE,
): Promise<Upload> {
  if (/^multipart\/form-data\b/i.test(req.headers["content-type"] ?? "")) return openPart(req, name, limit, patience);
  const file = new BoundedFile(limit);
  if (Number(req.headers["content-length"] ?? 0) > limit) throw file.tooLarge;
  const { "content-type": type } = req.headers;
  const release = feed(req, req, file);
  const fields = { ...(name !== undefined && { name }), ...(type !== undefined && { $mimetype: type }) };
  return { fields, stream: file, release, get failure() { return file.failure; } }; // prettier-ignore
}

function openPart(req: IncomingMessage, name: string | undefined, limit: number, patience: number): Promise<Upload> {
  const parser = makeParser(req);
  const fields: UploadFields = { ...(name !== undefined && { name }) };
  let timer: NodeJS.Timeout | undefined;
  return new Promise<Upload>((resolve, reject) => {
    let file: BoundedFile | undefined;
    timer = setTimeout(() => file ?? fail(new RookeryError("BAD_REQUEST", "The file did not come in time.")), patience);
    const fail = (error: RookeryError): void => {
      if (file) file.fail(error);
      else {
        req.unpipe(parser);
        req.resume();
        reject(error);
      }
    };
    parser.on("field", (field, value) => {
      if (field === "name") fields.name = value;
    });
    parser.on("file", (field, part, filename, _encoding, mimetype) => {
      part.on("error", () => fail(notWhole()));
      if (field !== "file" || file) return void part.resume();
      file = new BoundedFile(limit);
      fields.$fieldname = field;
      if (filename !== undefined) fields.$filename = filename;
      if (mimetype !== undefined) fields.$mimetype = mimetype;
      const taken = file;
      const releasePart = feed(req, part, taken);
      const release = (): void => {
        releasePart();
        part.resume();
      };
      resolve({ fields, stream: taken, release, get failure() { return taken.failure; } }); // prettier-ignore
    });
    parser.on("error", () => fail(new RookeryError("BAD_REQUEST", "The multipart body is not well-formed.")));
    parser.on("finish", () => {
      const errors = [{ field: "file", message: "There is no part of this name with a file." }];
      if (!file) reject(new RookeryError("INVALID", "No file came with the request.", { errors }));
    });
    req.once("close", () => {
      if (!req.complete) fail(notWhole());
    });
    req.pipe(parser);
  }).finally(() => clearTimeout(timer));
}

function makeParser(req: IncomingMessage): BusboyInstance {
  try {
    return new Busboy({
      headers: { ...req.headers, "content-type": req.headers["content-type"] ?? "" },
      limits: MULTIPART,
    });
  } catch {
    throw new RookeryError("BAD_REQUEST", "The multipart body is not well-formed.");
  }
}

const notWhole = (): RookeryError => new RookeryError("BAD_REQUEST", "The file did not come whole.");

/** Lets `source` flow into `file`. Not `pipeline`: it would destroy the request, and with it the way to answer. */
function feed(req: IncomingMessage, source: Readable, file: BoundedFile): () => void {
  const release = (): void => {
    source.unpipe(file);
    req.resume();
    file.destroy();
  };
  file.once("error", release);
  req.on("error", () => file.fail(notWhole()));
  req.once("close", () => {
    if (!req.complete) file.fail(notWhole());
  });
  source.pipe(file);
  return release;
}

/** Passes bytes on and fails at the first one over the limit. */
class BoundedFile extends Transform {
  readonly tooLarge: RookeryError;
  failure: RookeryError | undefined;
  private size = 0;

  constructor(private readonly limit: number) {
    super();
    this.tooLarge = new RookeryError("TOO_LARGE", `A file has at most ${limit} bytes.`);
  }

  /** Ends it in error, for its reader too; the first error stays. */
  fail(error: RookeryError): void {
    if (this.readableEnded || this.destroyed) return;
    this.failure ??= error;
    this.destroy(this.failure);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.size += chunk.length;
    if (this.size > this.limit) {
      this.failure ??= this.tooLarge;
      return done(this.failure);
    }
    done(null, chunk);
  }
}
