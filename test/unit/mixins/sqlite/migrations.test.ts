import { join } from "node:path";
import { SqliteDatabase } from "../../../../mixins/sqlite/database";
import { migrate, type Migration } from "../../../../mixins/sqlite/migrations";
import { temporaryFolder } from "../../../support/temp";

let database: SqliteDatabase;
const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5), monotonic: () => 0 };

beforeEach(async () => {
  database = await SqliteDatabase.open(join(temporaryFolder(), "test.db"), { clock });
});
afterEach(() => database.close());

const first: Migration = { name: "rooms/001-rooms", up: "CREATE TABLE r (a); INSERT INTO r VALUES (1) -- done" };
const second: Migration = {
  name: "rooms/002-double",
  up: async db =>
    (await db.all<{ a: number }>("SELECT a FROM r")).map(({ a }) => ({ sql: "UPDATE r SET a = ?", params: [a * 2] })),
};
const names = async (): Promise<unknown[]> =>
  (await database.all<{ name: string }>("SELECT name FROM migrations")).map(row => row.name);

test("steps are applied once, in order, and recorded with their time", async () => {
  await migrate(database, [first]);
  await migrate(database, [first, second]);
  await migrate(database, [first, second]);
  expect(await database.all("SELECT a FROM r")).toEqual([{ a: 2 }]);
  const at = "2026-01-02T03:04:05.000Z";
  expect(await database.all("SELECT * FROM migrations ORDER BY name")).toEqual([
    { name: first.name, at },
    { name: second.name, at },
  ]);
});

test("a step that fails leaves nothing behind and no record, and can be tried again", async () => {
  const script: Migration = { name: "rooms/002-x", up: "CREATE TABLE s (a); INSERT INTO nowhere VALUES (1)" };
  await expect(migrate(database, [first, script])).rejects.toThrow(/rooms\/002-x.*nowhere/s);
  const unit: Migration = {
    name: "rooms/002-x",
    up: async () => [{ sql: "CREATE TABLE s (a)" }, { sql: "INSERT INTO nowhere VALUES (1)" }],
  };
  await expect(migrate(database, [first, unit])).rejects.toThrow(/nowhere/);
  expect(await names()).toEqual([first.name]);
  await migrate(database, [first, { ...script, up: "CREATE TABLE s (a)" }]);
  expect(await names()).toEqual([first.name, script.name]);
});

test("services that start at once, and the same one twice, do not disturb each other", async () => {
  const users: Migration[] = [{ name: "users/001-users", up: "CREATE TABLE u (a)" }];
  const broken: Migration[] = [{ name: "files/001-files", up: "nonsense" }];
  const rooms = [first, second];
  const results = await Promise.allSettled([rooms, broken, users, rooms, users].map(list => migrate(database, list)));
  expect(results.map(result => result.status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
  ]);
  expect(await database.all("SELECT a FROM r")).toEqual([{ a: 2 }]);
  expect(await names()).toEqual([first.name, second.name, "users/001-users"]);
});

test("a file used by a newer version is refused by the name of the unknown step", async () => {
  await migrate(database, [first, second]);
  await expect(migrate(database, [first])).rejects.toThrow(/rooms\/002-double/);
  await migrate(database, [{ name: "rooms-other/001-x", up: "CREATE TABLE o (a)" }]);
});

test("a step put before one that is applied is refused, and nothing runs", async () => {
  await migrate(database, [second, first].slice(1));
  const early: Migration = { name: "rooms/000-early", up: "CREATE TABLE early (a)" };
  await expect(migrate(database, [early, first])).rejects.toThrow(/rooms\/000-early/);
  expect(await names()).toEqual([first.name]);
});

test.each([
  ["out of order", [second, first], /must sort after/],
  ["twice the same name", [first, first], /must sort after/],
  ["of two services", [first, { ...second, name: "users/001" }], /share one service/],
  ["without a service", [{ ...first, name: "001" }], /<service>\/<step>/],
  ["with a name that is SQL", [{ ...first, name: "rooms/a'); DROP TABLE r; --" }], /<service>\/<step>/],
])("a list %s is refused before anything is touched", async (_name, list, message) => {
  await expect(migrate(database, list)).rejects.toThrow(message);
  expect(await database.all("SELECT name FROM sqlite_schema")).toEqual([]);
});
