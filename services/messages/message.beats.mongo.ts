import type { Collection } from "mongodb";
import type { MongoConnection } from "../../mixins/mongo/connection";
import { idAt, newId } from "../core/ids";
import { byRoom, entriesIn, type EntryDocument } from "./message.entries.mongo";
import type { Entry } from "./message.store";

/** A process that writes logs. */
interface WriterDocument {
  _id: string;
  /** Its own time when it last was alive: ids of messages are made by the same clock. */
  at: number;
}

/** Milliseconds between two beats, and looks after which one that has not moved is of a process that died. */
const BEAT = 1_000;
const DEAD = 5;
/** Milliseconds around its last beat in which a process may have given ids to messages whose marks nobody moved. */
const AROUND = 15_000;
/** Messages looked at by one step. */
const PAGE = 256;

/**
 * What is left of plain messages whose writer died: the read marks of their senders. Such messages are not marked as pending,
 * since all of them would be written twice. In place of that each process says every second that it lives, and what was sent
 * around the last beat of one that fell silent is looked through, once: ids of messages are in the order of their time.
 */
export class MongoBeats {
  private readonly id = newId();
  private readonly silent = new Map<string, { at: number; looks: number }>();
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<void> | null = null;

  constructor(
    private readonly connection: MongoConnection,
    /** Moves the marks that these messages move. */
    private readonly advance: (room: string, entries: readonly Entry[]) => Promise<void>,
  ) {}

  /** Resolves once the first beat is stored, if that is possible; it is tried again every second. */
  async begin(): Promise<void> {
    await this.beat().catch(() => undefined);
    this.timer = setInterval(() => {
      this.working ??= Promise.all([this.beat(), this.look()])
        .then(() => undefined)
        .catch(() => undefined)
        .finally(() => (this.working = null));
    }, BEAT).unref();
  }

  /** @param whole nothing was under way, so that nobody need look */
  async close(whole: boolean): Promise<void> {
    clearInterval(this.timer);
    await this.working;
    if (whole) await this.forget(this.id).catch(() => undefined);
  }

  private async beat(): Promise<void> {
    await this.connection.write(db =>
      writersIn(db).updateOne({ _id: this.id }, { $set: { at: Date.now() } }, { upsert: true }),
    );
  }

  private async look(): Promise<void> {
    const found = await this.connection.read(db => writersIn(db).find().toArray());
    const there = new Set(found.map(({ _id }) => _id));
    for (const id of this.silent.keys()) if (!there.has(id)) this.silent.delete(id);
    for (const { _id, at } of found) {
      const known = this.silent.get(_id);
      const looks = known?.at === at ? known.looks + 1 : 0;
      this.silent.set(_id, { at, looks });
      if (looks < DEAD || _id === this.id) continue;
      await this.finish(at);
      await this.forget(_id);
    }
  }

  /** Whose messages they are does not matter: a mark that is moved once more stays where it is. */
  private async finish(at: number): Promise<void> {
    const end = idAt(at + AROUND);
    for (let from = idAt(at - AROUND); ;) {
      const page = await this.messages(from, end);
      for (const [room, entries] of byRoom(page)) await this.advance(room, entries);
      const last = page.at(-1)?.id;
      if (page.length < PAGE || last === undefined) return;
      from = last;
    }
  }

  private messages(from: string, end: string): Promise<EntryDocument[]> {
    const options = { sort: { id: 1 }, limit: PAGE, hint: "id", projection: { data: 0, files: 0 } } as const;
    return this.connection.read(db =>
      entriesIn(db)
        .find({ id: { $gt: from, $lt: end } }, options)
        .toArray(),
    );
  }

  private async forget(id: string): Promise<void> {
    await this.connection.write(db => writersIn(db).deleteOne({ _id: id }));
  }
}

const writersIn = (db: MongoConnection["db"]): Collection<WriterDocument> => db.collection("writers");
