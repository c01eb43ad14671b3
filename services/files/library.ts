import type { Readable } from "node:stream";
import type { CollectionSpec, Documents } from "../../mixins/documents";
import { timestamp, type Clock } from "../core/clock";
import type { OpenFile } from "../core/contract";
import { RookeryError } from "../core/errors";
import { isId, newId } from "../core/ids";
import type { Attachment, FileRecord } from "../core/model";
import type { BlobStore } from "./blob.store";
import { cleanName } from "./file-name";
import { Intake, type IntakeLimits } from "./intake";
import { isInline, isPicture, type MediaTypes } from "./media-type";

export interface StoredFile {
  id: string;
  owner: string;
  name: string;
  mimeType: string;
  /** Bytes. */
  size: number;
  createdAt: string;
  /** Rooms it was sent to; who may read a message there that shows it may read it. */
  rooms: string[];
  /** When a message that showed it went, unless it was sent again since. */
  releasedAt?: string | null;
  /** Nobody may send it any more: its blob goes. */
  removing?: true;
}

export const FILES: CollectionSpec = {
  collection: "files",
  indexes: [
    { name: "owner", fields: ["owner"] },
    { name: "released", fields: ["releasedAt"] },
  ],
};

/** What files ask of the owners of rooms, messages and users. One instance serves one request. */
export interface Places {
  /** Whether the user may read a message that shows the file, in one of the rooms it was taken to. */
  inRooms(user: string, rooms: string[], file: string): Promise<boolean>;
  /** Whether the file is the picture of its owner, and the user may see him. */
  asPicture(user: string, owner: string, file: string): Promise<boolean>;
}

/** Rooms one file may be sent to. */
const MAX_ROOMS = 500;

/** Files and who may see them. */
export class Library {
  constructor(
    private readonly files: Documents<StoredFile>,
    private readonly blobs: BlobStore,
    private readonly types: MediaTypes,
    private readonly clock: Clock,
    private readonly limits: IntakeLimits & { attachments: number },
  ) {}

  /**
   * Finishes or takes back what a process that is gone was saving.
   * @param age milliseconds since it was touched last; long enough that no process of the cluster is still at it
   */
  async recover(age: number): Promise<void> {
    for (const key of await this.blobs.leftovers(age))
      await ((await this.files.get(key)) ? this.blobs.commit(key) : this.blobs.discard(key));
  }

  /** Throws TOO_LARGE, INVALID for an empty or cut-off upload; then nothing is kept. */
  async save(owner: string, name: string | undefined, source: Readable): Promise<FileRecord> {
    const id = newId();
    const intake = new Intake(source, this.limits);
    await this.blobs.stage(id, intake);
    try {
      if (intake.size === 0) throw new RookeryError("INVALID", "The file is empty.");
      const file: StoredFile = {
        id,
        owner,
        name: cleanName(name),
        mimeType: await intake.mediaType(this.types),
        size: intake.size,
        createdAt: timestamp(this.clock),
        rooms: [],
      };
      await this.files.insert(file);
      await this.blobs.commit(id);
      return toAttachment(file);
    } catch (error) {
      // With a record the blob is finished by its first reader or by `recover`; without one it is taken back.
      if (!(await this.files.get(id).catch(() => true))) await this.blobs.discard(id);
      throw error;
    }
  }

  /** A file this user may see. Throws NOT_FOUND, whether it is not there or not for him. */
  async visible(places: Places, id: string, user: string): Promise<OpenFile> {
    const file = isId(id) ? await this.files.get(id) : null;
    if (!file || file.removing) throw new RookeryError("NOT_FOUND");
    const allowed =
      file.owner === user ||
      (file.rooms.length > 0 && (await places.inRooms(user, file.rooms, id))) ||
      (isPicture(file.mimeType) && (await places.asPicture(user, file.owner, id)));
    if (!allowed) throw new RookeryError("NOT_FOUND");
    return {
      id,
      mimeType: file.mimeType,
      size: file.size,
      name: file.name,
      inline: isInline(file.mimeType),
      key: file.id,
    };
  }

  /** The bytes of a file from `visible`. */
  async read(file: OpenFile): Promise<Readable> {
    const stream = await this.blobs.open(file.key);
    if (stream) return stream;
    // It has a record, so its bytes are whole: whoever saved it ended before the last step.
    await this.blobs.commit(file.key);
    const finished = await this.blobs.open(file.key);
    if (!finished) throw new RookeryError("NOT_FOUND");
    return finished;
  }

  /** Records of a user's files, by id above `after`. */
  async ownedBy(owner: string, after: string, limit: number): Promise<(FileRecord & { createdAt: string })[]> {
    const files = await this.files.find({ where: { owner, id: { $gt: after } }, sort: "id", limit });
    return files.map(file => ({ ...toAttachment(file), createdAt: file.createdAt }));
  }

  /**
   * Lets the readers of a room see files of this owner; in the order of `ids`. Throws INVALID, and changes nothing, unless
   * all are his and there are not too many.
   */
  async attach(owner: string, room: string, ids: readonly string[]): Promise<Attachment[]> {
    if (ids.length > this.limits.attachments)
      throw new RookeryError("INVALID", `A message has at most ${this.limits.attachments} attachments.`);
    const files = new Map((await this.files.getMany(ids.filter(isId))).map(file => [file.id, file]));
    const wanted = ids.map(id => {
      const file = files.get(id);
      if (!file || file.owner !== owner || file.removing)
        throw new RookeryError("INVALID", "An attachment is not a file of yours.");
      if (!file.rooms.includes(room) && file.rooms.length >= MAX_ROOMS)
        throw new RookeryError("INVALID", "An attachment is in too many rooms.");
      return file;
    });
    for (const { id, rooms, releasedAt } of new Set(wanted)) {
      if (rooms.includes(room) && !releasedAt) continue;
      const taken = await this.files.update(id, file =>
        file.removing ? null : { ...file, rooms: [...new Set([...file.rooms, room])], releasedAt: null },
      );
      if (!taken || taken.removing) throw new RookeryError("INVALID", "An attachment is not a file of yours.");
    }
    return wanted.map(toAttachment);
  }

  /** Whether a file is one that this owner may have as his picture; if it is, it stays until that has been stored. */
  async picture(owner: string, id: string): Promise<boolean> {
    const file = isId(id) ? await this.files.get(id) : null;
    if (!file || file.owner !== owner || !isPicture(file.mimeType)) return false;
    const kept = await this.files.update(id, known =>
      known.removing || !known.releasedAt ? null : { ...known, releasedAt: null },
    );
    return kept !== null && !kept.removing;
  }
}

const toAttachment = ({ id, mimeType, size, name }: StoredFile): FileRecord => ({
  id,
  url: `/api/files/${id}`,
  mimeType,
  size,
  name,
});
