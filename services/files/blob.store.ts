import type { Readable } from "node:stream";

/**
 * Where the bytes of files stand. A blob is staged, and becomes one when it is committed: between the two its record is
 * stored, so that a crash leaves no blob without a record. Keys are made by us, never by clients. Several processes may
 * use one store; whatever may fail for want of it rejects with UNAVAILABLE.
 */
export interface BlobStore {
  /** Takes all bytes; resolves when they are durable. A source that fails leaves nothing, and its error is thrown. */
  stage(key: string, source: AsyncIterable<Uint8Array>): Promise<void>;
  /** Makes a staged blob readable for good. May be repeated, by any process. Throws NOT_FOUND if it was never staged. */
  commit(key: string): Promise<void>;
  /** Drops a staged blob. */
  discard(key: string): Promise<void>;
  /** Keys that were staged, neither committed nor discarded, and touched last at least `age` milliseconds ago. */
  leftovers(age: number): Promise<string[]>;
  /** The bytes of a committed blob; null if there is none. The caller reads or destroys the stream. */
  open(key: string): Promise<Readable | null>;
  /** Removes a committed blob for good. May be repeated, by any process. */
  remove(key: string): Promise<void>;
  /** Resolves if the store can be used now. */
  check(): Promise<void>;
  close(): void;
}

const KEY = /^[0-9a-f-]{36}$/;

export const isKey = (name: string): boolean => KEY.test(name);

/** Keys become paths and names of objects, so nothing else than a key passes. */
export function checkedKey(key: string): string {
  if (!isKey(key)) throw new TypeError("not a blob key");
  return key;
}
