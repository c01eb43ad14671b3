import { join } from "node:path";
import { openDocuments, type Documents } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { newId } from "../../../services/core/ids";
import { LIMITS } from "../../../services/core/limits";
import { Collector } from "../../../services/files/collector";
import { FILES, Library, type StoredFile } from "../../../services/files/library";
import { codeOf, TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";

const MINUTE = 60_000;
const DAY = 86_400_000;

describe("files that nobody needs any more", () => {
  let database: SqliteDatabase;
  let files: Documents<StoredFile>;
  let clock: TestClock;
  let library: Library;
  let collector: Collector;
  /** Ids of blobs that are gone, and of files that somebody needs. */
  let gone: string[];
  let needed: Set<string>;
  let asked: (id: string) => Promise<void>;
  let failures: string[];
  let remove: (key: string) => Promise<void>;

  beforeEach(async () => {
    database = await SqliteDatabase.open(join(temporaryFolder(), "files.db"));
    files = await openDocuments<StoredFile>(database, FILES);
    clock = new TestClock();
    gone = [];
    failures = [];
    needed = new Set();
    asked = async () => undefined;
    remove = async key => void gone.push(key);
    const limits = { size: 1e6, attachments: LIMITS.attachments, idle: 1_000, total: 1_000 };
    library = new Library(files, undefined as never, undefined as never, clock, limits);
    collector = new Collector({
      files,
      blobs: { remove: key => remove(key) },
      clock,
      async needed({ id }) {
        await asked(id);
        return needed.has(id);
      },
      failed: (_error, about) => failures.push((about as { file: string }).file),
      removed: () => undefined,
    });
  });
  afterEach(() => database.close());

  async function uploaded(...rooms: string[]): Promise<string> {
    const id = newId();
    const createdAt = new Date(clock.now()).toISOString();
    await files.insert({ id, owner: "ann", name: "a", mimeType: "text/plain", size: 1, createdAt, rooms });
    return id;
  }
  const isThere = async (id: string) => (await files.get(id)) !== null;

  it("go a minute after they were released: blob, then record; the same again is harmless", async () => {
    const [id, other] = [await uploaded("room"), await uploaded("room")];
    await collector.release([id, newId(), id]);
    clock.advance(MINUTE - 1);
    await collector.collect(10);
    expect([gone, await isThere(id)]).toEqual([[], true]);
    clock.advance(1);
    await collector.collect(10);
    await collector.collect(10);
    expect([gone, await isThere(id), await isThere(other)]).toEqual([[id], false, true]);
  });

  it("stay where something else still needs them", async () => {
    const id = await uploaded("room");
    needed.add(id);
    await collector.release([id]);
    clock.advance(MINUTE);
    await collector.collect(10);
    needed.delete(id);
    await collector.collect(10);
    expect([gone, (await files.get(id))?.releasedAt ?? null]).toEqual([[], null]);
  });

  it("stay when they are sent again meanwhile, also while it is being decided", async () => {
    const [early, late] = [await uploaded("room"), await uploaded("room")];
    await collector.release([early, late]);
    await library.attach("ann", "room", [early]);
    clock.advance(MINUTE);
    asked = async id => void (id === late && (await library.attach("ann", "room", [late])));
    await collector.collect(10);
    expect([gone, await isThere(early), await isThere(late)]).toEqual([[], true, true]);
  });

  it("go in the end where a crash left the record, and cannot be sent or seen from the decision on", async () => {
    const [id, next] = [await uploaded("room"), await uploaded("room")];
    await collector.release([id, next]);
    clock.advance(MINUTE);
    remove = async key => {
      if (key === id) throw new Error("the process ends here");
      gone.push(key);
    };
    await collector.collect(10);
    // One that fails keeps no other.
    expect([failures, gone]).toEqual([[id], [next]]);
    needed.add(id);
    expect(await codeOf(library.attach("ann", "room", [id]))).toBe("INVALID");
    expect(await codeOf(library.visible({ inRooms: async () => true, asPicture: async () => true }, id, "ann"))).toBe(
      "NOT_FOUND",
    );
    remove = async key => void gone.push(key);
    await collector.collect(10);
    expect([gone, await isThere(id)]).toEqual([[next, id], false]);
  });

  it("are found by a walk over all files, uploads never sent after a week; needed and young ones stay", async () => {
    const old = await Promise.all(Array.from({ length: 5 }, () => uploaded()));
    const shown = await uploaded("room");
    needed.add(shown);
    clock.advance(7 * DAY + 1);
    const young = await uploaded();
    for (let n = 0; n < 4; n++) await collector.walk(2);
    clock.advance(MINUTE);
    await collector.collect(100);
    expect([gone.toSorted(), await isThere(shown), await isThere(young)]).toEqual([old.toSorted(), true, true]);
    // The next walk is a day later.
    needed.delete(shown);
    await collector.walk(10);
    expect((await files.get(shown))?.releasedAt ?? null).toBeNull();
    clock.advance(DAY);
    await collector.walk(10);
    expect((await files.get(shown))?.releasedAt).toEqual(expect.any(String));
  });
});
