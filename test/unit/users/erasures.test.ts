import { openDocuments } from "../../../mixins/documents";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { RookeryError } from "../../../services/core/errors";
import { newId } from "../../../services/core/ids";
import { Erasures, ERASURES, type Owners, type StoredErasure } from "../../../services/users/erasures";
import { TestClock } from "../../support/broker";
import { temporaryFolder } from "../../support/temp";

describe("erasures", () => {
  const clock = new TestClock(Date.now());
  const user = newId();
  let database: SqliteDatabase;
  let done: string[];
  let failures: unknown[];

  beforeEach(async () => {
    database = await SqliteDatabase.open(`${temporaryFolder()}/test.db`);
    [done, failures] = [[], []];
  });
  afterEach(() => database.close());

  const node = async () =>
    new Erasures(await openDocuments<StoredErasure>(database, ERASURES), clock, error => failures.push(error));

  /** Two rooms, the first with three steps; `before` may throw at any of them. */
  const owners = (before: (what: string) => void = () => undefined): Owners => {
    const act = async (what: string): Promise<void> => {
      before(what);
      done.push(what);
    };
    return {
      remove: () => act("remove"),
      nextRoom: async (_, after) => ["r1", "r2"].find(room => room > after) ?? null,
      async erase(room, _, after) {
        await act(`erase ${room} ${after}`);
        return { erased: 2, next: room === "r1" && after !== "b" ? (after === "" ? "a" : "b") : null };
      },
      forget: room => act(`forget ${room === user ? "feed" : room}`),
      eraseFiles: () => act("files"),
    };
  };
  const WHOLE = [
    ...["remove", "erase r1 ", "erase r1 a", "erase r1 b", "forget r1"],
    ...["erase r2 ", "forget r2", "files", "forget feed"],
  ];

  it("go through all rooms and end once", async () => {
    const erasures = await node();
    await erasures.request(user);
    await erasures.request(user);
    await erasures.round(owners());
    expect(done).toEqual([]);
    await erasures.begin(user);
    await erasures.round(owners());
    await erasures.round(owners());
    expect(done).toEqual(WHOLE);
    expect(await erasures.of(user)).toMatchObject({
      state: "done",
      rooms: 2,
      messages: 8,
      finishedAt: expect.any(String),
    });
    await expect(erasures.of(newId())).rejects.toMatchObject({ type: "NOT_FOUND" });
  });

  it.each(WHOLE)("go on where a node died at: %s", async fatal => {
    const [one, two] = [await node(), await node()];
    await one.request(user);
    await one.begin(user);
    await one.round(
      owners(what => {
        if (what === fatal) throw new RookeryError("UNAVAILABLE");
      }),
    );
    expect(failures).toHaveLength(1);
    const before = done.length;
    // The other leaves it alone as long as the first may still be at it.
    await two.round(owners());
    expect(done).toHaveLength(before);
    expect((await two.of(user)).state).toBe("running");
    clock.advance(20_000);
    await two.round(owners());
    expect(new Set(done)).toEqual(new Set(WHOLE));
    // What was stored as done is not done again, but for the removal, which is looked at first.
    expect(done.length).toBeLessThanOrEqual(WHOLE.length + 3);
    expect((await two.of(user)).state).toBe("done");
  });

  it("are taken up at once by a process that is alone with its store: who had them in hand is dead", async () => {
    const [dead, next] = [await node(), await node()];
    await dead.request(user);
    await dead.begin(user);
    const failing = owners(what => {
      if (what === "erase r2 ") throw new RookeryError("UNAVAILABLE");
    });
    await dead.round(failing);
    const asked = newId();
    await dead.request(asked);
    await next.round(owners());
    expect(await next.of(user)).toMatchObject({ state: "running", rooms: 1 });
    await next.takeOver();
    await next.round(owners());
    expect(await next.of(user)).toMatchObject({ state: "done", rooms: 2 });
    expect(await next.of(asked)).toMatchObject({ state: "done" });
  });

  it("end without effect for who cannot be removed", async () => {
    const erasures = await node();
    await erasures.request(user);
    await erasures.begin(user);
    const last = (): never => {
      throw new RookeryError("CONFLICT");
    };
    await erasures.round(owners(last));
    expect(done).toEqual([]);
    await expect(erasures.of(user)).rejects.toMatchObject({ type: "NOT_FOUND" });
  });
});
