import { join } from "node:path";
import type { CommandStartedEvent } from "mongodb";
import { MongoConnection } from "../../../mixins/mongo/connection";
import type { Param } from "../../../mixins/sqlite/driver";
import { SqliteDatabase } from "../../../mixins/sqlite/database";
import { newId } from "../../../services/core/ids";
import type { MessageStore } from "../../../services/messages/message.store";
import { MongoMessageStore } from "../../../services/messages/message.store.mongo";
import { SqliteMessageStore } from "../../../services/messages/message.store.sqlite";
import { afterFile } from "../../support/cleanup";
import { describeMongo, mongoUrl } from "../../support/servers";
import { temporaryFolder } from "../../support/temp";
import { changeEntry, messageEntries, messageEntry } from "./entries";

/** Everything that is asked of a room when it is opened, read, written and counted. */
async function askAll(store: MessageStore, room: string): Promise<void> {
  const user = "bob";
  const [first] = messageEntries(1);
  const key = { sender: "ann", clientId: first?.clientId as string };
  const places = [
    { room, visibleFrom: 0 },
    { room: newId(), visibleFrom: 3 },
  ];
  await store.heads([room, newId()]);
  await store.takeOver(room);
  await store.takeOver(room, { offset: 1, seq: 1 });
  await store.events(room, 5, 10, 1e6);
  await store.repeats(room, [key]);
  await store.byIds([first?.id as string]);
  await store.reactions(room, 1);
  for (const bounds of [{}, { before: 9 }, { after: 9 }])
    await store.window(room, { ...bounds, limit: 5, visibleFrom: 3 });
  await store.page(room, 5, 5, 3);
  await store.shows("file", places);
  await store.marks(room);
  await store.marks(room, ["ann", user]);
  await store.markOf(room, user);
  await store.front(room, 10);
  await store.unread(user, places);
  await store.pins(room);
  await store.versions(room, 50, 5);
  await store.nextKeeping("");
  await store.dropKept(room, 5);
  for (const bounds of [{}, { before: 150 }, { after: 9 }])
    await store.replies(room, 60, { ...bounds, limit: 5, visibleFrom: 3 });
  await store.threads(room, user, { skip: 1, limit: 5, visibleFrom: 3 });
  await store.threadMark(room, user, 60);
  await store.threadMarks(room, 60);
  await store.lastBefore(user, [{ room, seq: 201 }], 50);
  await store.hiddenBy(user, room, 60, 90);
  for (const what of ["threads", "hidden"] as const) {
    await store.aside(user, what, undefined, 5);
    await store.aside(user, what, { room, seq: 1 }, 5);
  }
}

/** Stages that find documents by an index, or none because there are none; as MongoDB names them, and as PostgreSQL does. */
const SEARCH = /IXSCAN|EOF|IDHACK|DISTINCT_SCAN|COUNT_SCAN|EXPRESS|Index Scan|Index Only Scan/;
const WHOLE = /COLLSCAN|Seq Scan/;

async function fill(store: MessageStore, room: string): Promise<void> {
  await store.append(room, messageEntries(200, { mentions: ["bob"], files: ["file"] }));
  for (let n = 0; n < 10; n++)
    await store.append(room, [
      changeEntry("delete", { offset: 201 + n, seq: 200 }, { offset: 5 + n, data: "{}", deleted: true }),
    ]);
  const reaction = { emoji: "👍", user: "bob", on: true };
  await store.append(room, [
    changeEntry("reaction", { offset: 211, seq: 200 }, { offset: 50, data: "{}", reaction }, "{}"),
  ]);
  await store.append(room, [
    changeEntry("edit", { offset: 212, seq: 200 }, { offset: 50, data: "{}", version: "{}", mentions: ["bob"] }),
    changeEntry("pin", { offset: 213, seq: 200 }, { offset: 51, data: "{}", pinned: true }, "{}"),
  ]);
  const thread = { root: 60, starter: "bob" };
  await store.append(room, [messageEntry({ offset: 214, seq: 201, thread, change: { offset: 60, data: "{}" } })]);
  await store.trim(room, 3);
}

describe("a room is opened in the same time, however long it is: every read of it is a search of an index", () => {
  it("in SQLite", async () => {
    const database = await SqliteDatabase.open(join(temporaryFolder(), "log.db"));
    afterFile(() => database.close());
    const watched: SqliteDatabase = Object.create(database);
    const asked = new Map<string, readonly Param[]>();
    watched.all = (sql: string, params: readonly Param[] = []) => {
      asked.set(sql, params);
      return database.all(sql, params);
    };
    watched.write = sequence => database.write(sequence);
    watched.exec = sql => database.exec(sql);
    watched.get = async <T extends object>(sql: string, params: readonly Param[] = []) =>
      (await watched.all(sql, params))[0] as T | undefined;
    const store = await SqliteMessageStore.open(watched);
    const room = newId();
    await fill(store, room);
    asked.clear();
    await askAll(store, room);
    expect(asked.size).toBeGreaterThanOrEqual(12);
    const steps: string[] = [];
    for (const [sql, params] of asked)
      for (const { detail } of await database.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, params))
        steps.push(detail);
    // What is asked for comes as a list; the answer to that is as long as the list.
    const slow = steps.filter(step =>
      /^SCAN (?!a$|asked|r VIRTUAL|k VIRTUAL|CONSTANT)|AUTOMATIC|TEMP B-TREE/.test(step),
    );
    // Reactions are of one message, and sorted by when they came.
    expect(slow.filter(step => step !== "USE TEMP B-TREE FOR ORDER BY")).toEqual([]);
    expect(slow.length).toBeLessThanOrEqual(1);
    expect(steps.filter(step => step.startsWith("SEARCH m "))).toContain(
      "SEARCH m USING PRIMARY KEY (room=? AND user=?)",
    );
    const entries = steps.filter(step => /^SEARCH (entries|e|r|t|d) /.test(step));
    expect(entries.length).toBeGreaterThan(15);
    for (const step of entries)
      expect(step).toMatch(
        /\((room=\? AND (offset|seq|pinned|replied|thread|target)[<>=]|room=\?\)|room>\?\)|room=\? AND sender=\?|id=\?)/,
      );
  });
});

describeMongo("a room is opened in the same time, however long it is: every read of it is a search of an index", () => {
  it("in MongoDB", async () => {
    const url = new URL(await mongoUrl());
    url.searchParams.set("monitorCommands", "true");
    const connection = await MongoConnection.open(url.href);
    afterFile(() => connection.close());
    const store = await MongoMessageStore.open(connection);
    afterFile(() => store.close());
    const room = newId();
    await fill(store, room);
    const asked: Record<string, unknown>[] = [];
    const watch = ({ command, commandName }: CommandStartedEvent) => {
      if (commandName === "find" || commandName === "aggregate") asked.push(command as Record<string, unknown>);
    };
    connection.db.client.on("commandStarted", watch);
    await askAll(store, room);
    connection.db.client.off("commandStarted", watch);
    expect(asked.length).toBeGreaterThanOrEqual(15);
    for (const command of asked) {
      const { lsid: _l, $db: _d, $clusterTime: _c, readConcern: _r, $readPreference: _p, ...explain } = command;
      const plan = JSON.stringify(await connection.db.command({ explain, verbosity: "queryPlanner" }));
      if (WHOLE.test(plan) || !SEARCH.test(plan)) throw new Error(`${JSON.stringify(explain)}: ${plan}`);
    }
  });
});
