import type { Readable } from "node:stream";

/**
 * Where the bytes of files stand. A blob is staged, and becomes one when it is committed: between the two its record is
 * stored, so that a crash leaves no blob without a record. Keys are made by us, never by clients.
 */
export interface BlobStore {
  /** Takes all bytes; resolves when they are durable. A source that fails leaves nothing, and its error is thrown. */
  stage(key: string, source: AsyncIterable<Uint8Array>): Promise<void>;
  /** Makes a staged blob readable for good. May be repeated. */
  commit(key: string): Promise<void>;
  /** Drops a staged blob. */
  discard(key: string): Promise<void>;
  /** Keys that were staged and neither committed nor discarded, by a process that is gone. */
  leftovers(): Promise<string[]>;
  /** The bytes of a committed blob; null if there is none. The caller reads or destroys the stream. */
  open(key: string): Promise<Readable | null>;
}
