import type { Migration } from "../../mixins/sqlite/migrations";

export const migrations: Migration[] = [
  {
    name: "messages/001-log",
    up: `
      CREATE TABLE entries (
        room TEXT NOT NULL,
        offset INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        id TEXT,
        sender TEXT NOT NULL,
        client_id TEXT,
        hash TEXT,
        target INTEGER,
        state INTEGER NOT NULL,
        deleted INTEGER NOT NULL DEFAULT 0,
        data TEXT,
        PRIMARY KEY (room, offset)
      ) WITHOUT ROWID;
      CREATE UNIQUE INDEX entries_seq ON entries (room, seq) WHERE kind = 'message';
      CREATE UNIQUE INDEX entries_client ON entries (room, sender, client_id) WHERE client_id IS NOT NULL;
      CREATE UNIQUE INDEX entries_id ON entries (id) WHERE id IS NOT NULL;
      CREATE TABLE reactions (
        room TEXT NOT NULL,
        target INTEGER NOT NULL,
        emoji TEXT NOT NULL,
        user TEXT NOT NULL,
        offset INTEGER NOT NULL,
        PRIMARY KEY (room, target, emoji, user)
      ) WITHOUT ROWID;
      CREATE TABLE marks (
        room TEXT NOT NULL,
        user TEXT NOT NULL,
        read INTEGER NOT NULL DEFAULT 0,
        delivered INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (room, user)
      ) WITHOUT ROWID;
      CREATE TABLE log (epoch TEXT NOT NULL);
      INSERT INTO log VALUES (lower(hex(randomblob(16))));
    `,
  },
  {
    name: "messages/002-mentions",
    up: `
      CREATE TABLE mentions (
        user TEXT NOT NULL,
        room TEXT NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (user, room, seq)
      ) WITHOUT ROWID;
    `,
  },
  {
    name: "messages/003-attachments",
    up: `
      CREATE TABLE attachments (
        file TEXT NOT NULL,
        room TEXT NOT NULL,
        target INTEGER NOT NULL,
        PRIMARY KEY (file, room, target)
      ) WITHOUT ROWID;
    `,
  },
  {
    // Where logs begin that do not begin at 1, and the messages that have left them.
    name: "messages/004-floors",
    up: `
      CREATE TABLE floors (
        room TEXT PRIMARY KEY,
        floor INTEGER NOT NULL,
        seq INTEGER NOT NULL
      ) WITHOUT ROWID;
      CREATE INDEX mentions_room ON mentions (room, seq);
      CREATE INDEX attachments_room ON attachments (room, target);
      CREATE INDEX entries_deleted ON entries (room, seq) WHERE deleted = 1;
    `,
  },
  {
    // What messages have of each other: threads, by the seq each began with, and for that message the seq of the last
    // reply; earlier versions; pins, by the offset of the pin.
    name: "messages/005-threads",
    up: `
      ALTER TABLE entries ADD COLUMN thread INTEGER;
      ALTER TABLE entries ADD COLUMN version TEXT;
      ALTER TABLE entries ADD COLUMN pinned INTEGER;
      ALTER TABLE entries ADD COLUMN replied INTEGER;
      CREATE INDEX entries_thread ON entries (room, thread, seq) WHERE thread IS NOT NULL;
      CREATE INDEX entries_version ON entries (room, target, offset) WHERE version IS NOT NULL;
      CREATE INDEX entries_pinned ON entries (room, pinned) WHERE pinned IS NOT NULL;
      CREATE INDEX entries_replied ON entries (room, replied) WHERE replied IS NOT NULL;
      DROP INDEX entries_deleted;
      CREATE INDEX entries_aside ON entries (room, seq) WHERE deleted = 1 OR thread IS NOT NULL;
      CREATE TABLE threads (
        user TEXT NOT NULL,
        room TEXT NOT NULL,
        root INTEGER NOT NULL,
        read INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (user, room, root)
      ) WITHOUT ROWID;
      CREATE INDEX threads_room ON threads (room, root);
      CREATE TABLE hidden (
        user TEXT NOT NULL,
        room TEXT NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (user, room, seq)
      ) WITHOUT ROWID;
      CREATE INDEX hidden_room ON hidden (room, seq);
    `,
  },
  {
    // What somebody has read for himself alone, and what he has marked as unread again.
    name: "messages/006-own-marks",
    up: ["private", "own", "joined", "unread_n", "unread_from", "unread_at"]
      .map(column => `ALTER TABLE marks ADD COLUMN ${column} INTEGER NOT NULL DEFAULT 0;`)
      .join("\n"),
  },
  {
    // How far somebody has read in all threads of a room at once, for others to see or for himself alone.
    name: "messages/007-threads-read",
    up: ["threads", "threads_private"]
      .map(column => `ALTER TABLE marks ADD COLUMN ${column} INTEGER NOT NULL DEFAULT 0;`)
      .join("\n"),
  },
  {
    // What deletions in rooms on hold have kept.
    name: "messages/008-kept",
    up: `CREATE INDEX entries_kept ON entries (room, target) WHERE kind = 'delete' AND version IS NOT NULL;`,
  },
];
