/** Files of the product that are broken, and files of tests that notice. */
export const messages = (file: string): string => `services/messages/${file}.ts`;
export const [plan, decision, writer, log, job, doubt] = [
  "plan",
  "decision",
  "room-writer",
  "room-log",
  "job",
  "doubt",
].map(messages) as [string, string, string, string, string, string];
export const sqlite = messages("message.store.sqlite");
export const sqliteInserts = messages("message.inserts.sqlite");
export const sqliteQueries = messages("message.queries.sqlite");
export const mongo = messages("message.store.mongo");
export const inserts = messages("message.inserts.mongo");
export const tables = messages("message.migrations");
export const documents = messages("message.entries.mongo");
export const changes = messages("message.changes.mongo");
export const marks = messages("message.marks.mongo");
export const floors = messages("message.floors.mongo");
export const queries = messages("message.queries.mongo");
export const unread = messages("message.unread.mongo");
export const store = messages("message.store");
export const group = messages("group-commit");
export const order = messages("call-order");
export const once = "config/middlewares/once.ts";
export const writers = "mixins/writers.ts";
export const connection = "mixins/mongo/connection.ts";

export const unit = (name: string): string => `test/unit/messages/${name}.test.ts`;
export const writing = unit("writing");
export const roomLog = unit("room-log");
export const stores = unit("message.store");
export const threads = unit("threads");
export const mongoStore = unit("message.store.mongo");
export const connections = "test/unit/mixins/mongo/connection.test.ts";
export const ways = "test/unit/mixins/writers.test.ts";

export const gateway = (file: string): string => `services/ws-gateway/${file}.ts`;
export const [feed, fanOut, headWatch, hub, joined, memberships, replay, rights, ring] = [
  "feed",
  "fan-out",
  "head-watch",
  "hub",
  "joined-reads",
  "memberships",
  "replay",
  "rights",
  "ring",
].map(gateway) as [string, string, string, string, string, string, string, string, string];
export const design = "test/unit/ws-gateway/design.gateways.test.ts";
