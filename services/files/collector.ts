import type { Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { BlobStore } from "./blob.store";
import type { StoredFile } from "./library";

/** Milliseconds for which a released file is kept: a message that takes it up meanwhile is stored by then. */
const GRACE = 60_000;
/** Milliseconds for which an upload may wait to be sent. */
const UNSENT = 7 * 86_400_000;
/** Milliseconds between two walks over all files. */
const WALK = 86_400_000;
/** Files released at a time; their writes share a commit. */
const TOGETHER = 16;

export interface CollectorDependencies {
  files: Documents<StoredFile>;
  blobs: Pick<BlobStore, "remove">;
  clock: Clock;
  /** Whether anybody may still need the file: a message, a user's picture, a room on hold. */
  needed(file: StoredFile): Promise<boolean>;
  /** Told of what failed at one file; others do not wait for it. */
  failed(error: unknown, about: object): void;
  /** Told of each file that is gone. */
  removed(): void;
}

/**
 * Removes files that nobody needs any more. A file is released first, by whoever knows that a message which showed it is
 * gone, and looked at after a while: until then sending it again takes that back. Blob and record go last, the record after
 * the blob, so that a crash leaves a record that leads here again. What nobody told of is found by a walk over all files.
 */
export class Collector {
  /** The last file that the walk has looked at; the next is made later. */
  private after = "";
  /** Monotonic milliseconds before which no walk begins. */
  private rest = -Infinity;

  constructor(private readonly with_: CollectorDependencies) {}

  /** To be called when a message that showed these files is gone. */
  async release(ids: readonly string[]): Promise<void> {
    const { files, clock } = this.with_;
    const release = (id: string) =>
      files.update(id, file => (file.releasedAt ? null : { ...file, releasedAt: timestamp(clock) }));
    for (let from = 0; from < ids.length; from += TOGETHER)
      await Promise.all(ids.slice(from, from + TOGETHER).map(release));
  }

  /** Removes what was released long enough ago and is needed nowhere. */
  async collect(limit: number): Promise<void> {
    const { files, clock } = this.with_;
    const before = new Date(clock.now() - GRACE).toISOString();
    const due = await files.find({ where: { releasedAt: { $lte: before } }, sort: "releasedAt", limit });
    for (const file of due) await this.decide(file).catch(error => this.with_.failed(error, { file: file.id }));
  }

  /** The next files of the walk: releases those that nobody needs, though nobody said so, and uploads never sent. */
  async walk(limit: number): Promise<void> {
    const { files, clock, needed } = this.with_;
    if (clock.monotonic() < this.rest) return;
    const where = {
      id: { $gt: this.after },
      createdAt: { $lt: new Date(clock.now() - UNSENT).toISOString() },
      releasedAt: null,
    };
    const page = await files.find({ where, sort: "id", limit });
    for (const file of page) {
      if (!(await needed(file))) await this.release([file.id]);
      this.after = file.id;
    }
    if (page.length === limit) return;
    this.after = "";
    this.rest = clock.monotonic() + WALK;
  }

  private async decide(file: StoredFile): Promise<void> {
    const { files, blobs, needed, removed } = this.with_;
    if (!file.removing) {
      const keep = await needed(file);
      // Whoever sends it meanwhile has taken the release back, and is not overruled.
      const after = await files.update(file.id, known => {
        if (known.releasedAt !== file.releasedAt) return null;
        return keep ? { ...known, releasedAt: null } : { ...known, removing: true };
      });
      if (!after?.removing) return;
    }
    await blobs.remove(file.id);
    if (await files.remove(file.id)) removed();
  }
}
