import type { Readable } from "node:stream";
import type * as S3 from "@aws-sdk/client-s3";
import { RookeryError } from "../core/errors";
import { checkedKey, isKey, type BlobStore } from "./blob.store";

export interface S3Settings {
  /** URL; the bucket is named in its path. */
  endpoint: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
}

export interface S3Log {
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
}

/** Before the key in the name of an object: the bucket may hold other things too. */
const PREFIX = "files/";
/** Bytes of a part; the smallest that S3 takes. One of them is held for each upload. */
const PART = 5 * 1024 * 1024;
/** Milliseconds a request may take with its repetitions: one that carries a part, and any other. */
const PART_TIMEOUT = 30_000;
const REQUEST_TIMEOUT = 6_000;
const CONNECT_TIMEOUT = 2_000;
const ATTEMPTS = 3;
const MAX_SOCKETS = 1_000;
/** Milliseconds between attempts to find or make the bucket. */
const RETRY = 1_000;

/** An upload in parts; its object is there when it is completed. */
interface Upload {
  id: string;
  parts: S3.CompletedPart[];
}

/**
 * Blobs as objects of a bucket, in anything that speaks S3. What is staged is a multipart upload with all its parts, and to
 * commit is to complete it: nothing is copied, and what is not committed is no
 * object.
 */
export class S3BlobStore implements BlobStore {
  /** Uploads this process has staged. Those of others are looked up. */
  private readonly staged = new Map<string, Upload>();
  private readonly closing = new AbortController();
  /** Whether the last request was answered; told when it changes. */
  private answers = true;

  private constructor(
    private readonly sdk: typeof S3,
    private readonly client: S3.S3Client,
    private readonly bucket: string,
    private readonly log: S3Log,
  ) {}

  /**
   * The server need not be there yet: the bucket is found or made as soon as it is. Throws an error that is `expected` if
   * the optional SDK is not installed.
   */
  static open({ endpoint, bucket, accessKey, secretKey }: S3Settings, log: S3Log): S3BlobStore {
    const sdk = loadSdk();
    const client = new sdk.S3Client({
      endpoint,
      // No server of one's own asks for it, but it is part of every signature.
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      maxAttempts: ATTEMPTS,
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT,
        // A slow download keeps its connection; others must not wait for it.
        httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
        httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      },
      // Not every server knows the checksums that the SDK adds by itself.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
    const store = new S3BlobStore(sdk, client, bucket, log);
    void store.prepare();
    return store;
  }

  async stage(key: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    const upload = await this.begin(checkedKey(key));
    try {
      for await (const part of inParts(source)) await this.add(key, upload, part);
      this.staged.set(key, upload);
    } catch (error) {
      // What cannot be taken back now is a leftover.
      await this.abort(key, upload.id).catch(() => undefined);
      throw error;
    }
  }

  async commit(key: string): Promise<void> {
    const upload = this.staged.get(checkedKey(key)) ?? (await this.found(key));
    this.staged.delete(key);
    if (!upload) return;
    const parts = { UploadId: upload.id, MultipartUpload: { Parts: upload.parts } };
    try {
      await this.send(new this.sdk.CompleteMultipartUploadCommand({ ...this.at(key), ...parts }), PART_TIMEOUT);
    } catch (error) {
      if (!isMissing(error)) throw error;
      // Another process was faster, with this or with the opposite.
      if (!(await this.has(key))) throw new RookeryError("NOT_FOUND");
    }
  }

  async discard(key: string): Promise<void> {
    this.staged.delete(checkedKey(key));
    for (const { UploadId } of await this.uploads(PREFIX + key)) await this.abort(key, UploadId as string);
  }

  async leftovers(age: number): Promise<string[]> {
    const before = Date.now() - age;
    const old = (await this.uploads(PREFIX)).filter(({ Initiated }) => (Initiated?.getTime() ?? 0) <= before);
    return [...new Set(old.map(({ Key = "" }) => Key.slice(PREFIX.length)).filter(isKey))];
  }

  async open(key: string): Promise<Readable | null> {
    try {
      const { Body } = await this.send(new this.sdk.GetObjectCommand(this.at(checkedKey(key))));
      return Body as Readable;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  async remove(key: string): Promise<void> {
    try {
      await this.send(new this.sdk.DeleteObjectCommand(this.at(checkedKey(key))));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async check(): Promise<void> {
    await this.send(new this.sdk.HeadBucketCommand({ Bucket: this.bucket }));
  }

  close(): void {
    this.closing.abort();
    this.client.destroy();
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: PREFIX + key };
  }

  private async begin(key: string): Promise<Upload> {
    const { UploadId } = await this.send(new this.sdk.CreateMultipartUploadCommand(this.at(key)));
    return { id: UploadId as string, parts: [] };
  }

  private async add(key: string, { id, parts }: Upload, bytes: Uint8Array): Promise<void> {
    const part = { PartNumber: parts.length + 1, UploadId: id };
    const { ETag } = await this.send(
      new this.sdk.UploadPartCommand({ ...this.at(key), ...part, Body: bytes }),
      PART_TIMEOUT,
    );
    parts.push({ PartNumber: part.PartNumber, ETag });
  }

  private async abort(key: string, id: string): Promise<void> {
    try {
      await this.send(new this.sdk.AbortMultipartUploadCommand({ ...this.at(key), UploadId: id }));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** What another process has staged; null if it is committed already. */
  private async found(key: string): Promise<Upload | null> {
    if (await this.has(key)) {
      await this.discard(key);
      return null;
    }
    let best: Upload = { id: "", parts: [] };
    // A first request that was repeated may have left an empty twin.
    for (const { UploadId } of await this.uploads(PREFIX + key)) {
      const { Parts = [] } = await this.send(new this.sdk.ListPartsCommand({ ...this.at(key), UploadId }));
      const parts = Parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
      if (parts.length > best.parts.length) best = { id: UploadId as string, parts };
    }
    if (best.parts.length === 0) throw new RookeryError("NOT_FOUND");
    return best;
  }

  private async has(key: string): Promise<boolean> {
    try {
      await this.send(new this.sdk.HeadObjectCommand(this.at(key)));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  private async uploads(prefix: string): Promise<S3.MultipartUpload[]> {
    const found: S3.MultipartUpload[] = [];
    let after: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
    for (;;) {
      const page: S3.ListMultipartUploadsCommandOutput = await this.send(
        new this.sdk.ListMultipartUploadsCommand({ Bucket: this.bucket, Prefix: prefix, ...after }),
      );
      found.push(...(page.Uploads ?? []));
      if (!page.IsTruncated) return found;
      after = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
  }

  /** Every request ends in time. What is not there is thrown as S3 says it, all else as UNAVAILABLE, with a line in the log. */
  private async send<I extends S3.ServiceInputTypes, O extends S3.ServiceOutputTypes>(
    command: Command<I, O>,
    timeout = REQUEST_TIMEOUT,
  ): Promise<O> {
    const patience = new AbortController();
    // Taken back with the head of the answer: a body is read at its reader's pace.
    const timer = setTimeout(() => patience.abort(), timeout);
    try {
      const answer = await this.client.send(command, { abortSignal: patience.signal });
      this.tell(true);
      return answer;
    } catch (error) {
      if (isMissing(error)) throw error;
      this.tell(false, { request: command.constructor.name, reason: reasonOf(error) });
      throw new RookeryError("UNAVAILABLE");
    } finally {
      clearTimeout(timer);
    }
  }

  private tell(answers: boolean, fields?: object): void {
    if (answers === this.answers || this.closing.signal.aborted) return;
    this.answers = answers;
    if (answers) this.log.info("S3 answers again");
    else this.log.warn("S3 refuses or does not answer", fields);
  }

  /** Until it is done or the store is closed. */
  private async prepare(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted && !(await this.bucketIsThere().catch(() => false)))
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, RETRY);
        signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
      });
  }

  private async bucketIsThere(): Promise<boolean> {
    try {
      await this.check();
    } catch (error) {
      if (!isMissing(error)) throw error;
      await this.send(new this.sdk.CreateBucketCommand({ Bucket: this.bucket }));
      this.log.info("made the bucket for files", { bucket: this.bucket });
    }
    return true;
  }
}

type Command<I extends S3.ServiceInputTypes, O extends S3.ServiceOutputTypes> = Parameters<
  typeof S3.S3Client.prototype.send<I, O>
>[0];

function loadSdk(): typeof S3 {
  try {
    // On first use: an installation without S3 need not have it.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    return require("@aws-sdk/client-s3") as typeof S3;
  } catch {
    const message = "S3_ENDPOINT: to keep files in S3, install the optional package @aws-sdk/client-s3";
    throw Object.assign(new Error(message), { expected: true });
  }
}

/** Parts of {@link PART} bytes; the last may be smaller. Holds no more than one. */
async function* inParts(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    for (let rest = chunk; rest.length > 0;) {
      const taken = rest.subarray(0, PART - size);
      rest = rest.subarray(taken.length);
      held.push(taken);
      size += taken.length;
      if (size < PART) continue;
      yield Buffer.concat(held);
      held = [];
      size = 0;
    }
  }
  if (size > 0) yield Buffer.concat(held);
}

/** An object or an upload is; a bucket that nobody has made yet is another matter, except to who asks for the bucket. */
function isMissing(error: unknown): boolean {
  const { name, $metadata } = error as { name?: unknown; $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode === 404 && name !== "NoSuchBucket";
}

/** Neither addresses nor keys. */
function reasonOf(error: unknown): string {
  const { name, code } = error as { name?: string; code?: string };
  return code ?? name ?? "unknown";
}
