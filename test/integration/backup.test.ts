import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { loadConfig, type Config } from "../../config/config";
import { makeBackup } from "../../config/backup/make";
import { putBack } from "../../config/backup/put-back";
import { storeSettings } from "../../config/backup/settings";
import { projectRoot } from "../../config/root";
import { Platform } from "../../config/platform";
import { openDocuments } from "../../mixins/documents";
import { SqliteDatabase } from "../../mixins/sqlite/database";
import { connect } from "../../mixins/sqlite/driver";
import { lockFolder } from "../../mixins/sqlite/lock";
import { migrate } from "../../mixins/sqlite/migrations";
import { SESSIONS, type Session } from "../../services/auth/auth.store";
import { DiskBlobStore } from "../../services/files/blob.store.disk";
import { newId } from "../../services/core/ids";
import { migrations } from "../../services/messages/message.migrations";
import { afterFile } from "../support/cleanup";
import { temporaryFolder } from "../support/temp";

const settingsOf = (dataDir: string): Config => storeSettings({ DATA_DIR: dataDir });

/** A store with something of everything, which its server has open. */
async function makeStore() {
  const dataDir = join(temporaryFolder(), "data");
  loadConfig({ DATA_DIR: dataDir });
  const database = await SqliteDatabase.open(join(dataDir, "rookery.db"));
  afterFile(() => database.close());
  await migrate(database, migrations);
  const sessions = await openDocuments<Session>(database, SESSIONS);
  await sessions.insert({ id: newId() } as Session);
  const blobs = await DiskBlobStore.open(join(dataDir, "files"));
  const put = async (text: string): Promise<string> => {
    const id = newId();
    await blobs.stage(id, [Buffer.from(text)] as unknown as AsyncIterable<Uint8Array>);
    await blobs.commit(id);
    return id;
  };
  let offset = 0;
  let stored = 0;
  const write = async (): Promise<void> => {
    const sql = "INSERT INTO entries (room, offset, seq, kind, sender, state) VALUES ('r', ?, ?, 'message', 's', ?)";
    const n = ++offset;
    await database.write([[{ sql, params: [n, n, n] }]]);
    stored = n;
  };
  return { config: settingsOf(dataDir), dataDir, database, put, write, stored: () => stored };
}

const entriesIn = (file: string): { rows: number; last: number; epoch: string; sessions: number } => {
  const database = connect(file);
  try {
    return database
      .prepare(
        "SELECT count(*) AS rows, max(offset) AS last, (SELECT epoch FROM log) AS epoch, (SELECT count(*) FROM sessions) AS sessions FROM entries",
      )
      .get() as ReturnType<typeof entriesIn>;
  } finally {
    database.close();
  }
};

/** Every file with its size, to see whether anything changed. */
const listing = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !/^lock\.|-(wal|shm)$/.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .map(path => `${path} ${statSync(path).size}`)
    .sort();

describe("a backup", () => {
  test("of a store in use is of one moment, with all that was stored before", async () => {
    const { config, database, put, write, stored } = await makeStore();
    const file = await put("bytes");
    for (let n = 0; n < 200; n++) await write();
    let stop = false;
    const writing = (async () => {
      while (!stop) await write();
    })();
    const folder = join(temporaryFolder(), "a", "backup");
    const before = stored();
    const manifest = await makeBackup(config, folder);
    const after = stored();
    stop = true;
    await writing;
    const { rows, last } = entriesIn(join(folder, "rookery.db"));
    expect(rows).toBe(last);
    expect(rows).toBeGreaterThanOrEqual(before);
    expect(rows).toBeLessThanOrEqual(after + 1);
    expect(manifest.store.rows["entries"]).toBe(rows);
    expect(manifest).toMatchObject({ files: { count: 1, bytes: 5 }, secret: true });
    const path = join("files", file.slice(-4, -2), file.slice(-2), file);
    expect(readFileSync(join(folder, path), "utf8")).toBe("bytes");
    expect(database.stats().queue).toBe(0);
  });

  test("has every file that its store knows, also those that are moved in while it is made", async () => {
    const { config, database, put } = await makeStore();
    await database.exec("CREATE TABLE files (id TEXT)");
    let stop = false;
    const uploading = (async () => {
      while (!stop) {
        const id = await put("x");
        await database.write([[{ sql: "INSERT INTO files VALUES (?)", params: [id] }]]);
      }
    })();
    const folder = join(temporaryFolder(), "backup");
    await new Promise(resolve => setImmediate(resolve));
    const manifest = await makeBackup(config, folder);
    stop = true;
    await uploading;
    const copy = connect(join(folder, "rookery.db"));
    const ids = (copy.prepare("SELECT id FROM files").all() as { id: string }[]).map(({ id }) => id);
    copy.close();
    const there = readdirSync(join(folder, "files"), { recursive: true }).map(path => String(path).slice(-36));
    expect(ids.filter(id => !there.includes(id))).toEqual([]);
    expect(manifest.files?.count).toBeGreaterThanOrEqual(ids.length);
  });

  test("is not made over something, nor of nothing, nor of itself", async () => {
    const { config, dataDir } = await makeStore();
    await expect(makeBackup(config, join(dataDir, "files", "b"))).rejects.toThrow("is among the files");
    const folder = temporaryFolder();
    writeFileSync(join(folder, "mine"), "");
    await expect(makeBackup(config, folder)).rejects.toThrow("is there already and not empty");
    expect(readdirSync(folder)).toEqual(["mine"]);
    const nowhere = join(temporaryFolder(), "data");
    await expect(makeBackup(settingsOf(nowhere), join(folder, "b"))).rejects.toThrow("holds no store");
    expect(existsSync(nowhere)).toBe(false);
  });

  test("that may not be written where it should go is refused in one line", async () => {
    const { dataDir } = await makeStore();
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    const command = join(projectRoot, "config", "backup", "backup.ts");
    const args = ["--import", "tsx", command, "--to", join(file, "backup")];
    const { status, stderr } = spawnSync(process.execPath, args, {
      cwd: projectRoot,
      env: { PATH: process.env.PATH, DATA_DIR: dataDir },
      encoding: "utf8",
    });
    expect({ status, lines: stderr.trim().split("\n") }).toEqual({
      status: 1,
      lines: [expect.stringContaining("not a directory")],
    });
  });

  test("that finds no room leaves nothing behind", async () => {
    const { config, put } = await makeStore();
    const disk = join(temporaryFolder(), "disk");
    mkdirSync(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "rookery-test", disk], { stdio: "ignore" });
    } catch {
      // Nobody but root may mount a disk that is small.
      return;
    }
    try {
      await put("x".repeat(2 * 1024 * 1024));
      await expect(makeBackup(config, join(disk, "backup"))).rejects.toThrow(/there is no room .* nothing was kept/);
      expect(readdirSync(disk)).toEqual([]);
      writeFileSync(join(disk, "pad"), Buffer.alloc(900 * 1024));
      await expect(makeBackup(config, join(disk, "backup"))).rejects.toThrow(/there is no room .* nothing was kept/);
      expect(readdirSync(disk)).toEqual(["pad"]);
    } finally {
      execFileSync("umount", ["-l", disk]);
    }
  });
});

describe("a restore", () => {
  test("gives the log a new epoch and keeps aside what was there", async () => {
    const { config, dataDir, database, put, write } = await makeStore();
    await put("bytes");
    await write();
    const folder = join(temporaryFolder(), "backup");
    await makeBackup(config, folder);
    const before = entriesIn(join(folder, "rookery.db"));
    await write();
    await database.close();
    await expect(putBack(config, folder, false)).rejects.toThrow("holds a store already");
    const { replaced } = await putBack(config, folder, true);
    const now = entriesIn(join(dataDir, "rookery.db"));
    expect(now).toEqual({ ...before, epoch: expect.stringMatching(/^[0-9a-f]{32}$/), sessions: 0 });
    expect(before.sessions).toBe(1);
    expect(now.epoch).not.toBe(before.epoch);
    expect(entriesIn(join(replaced as string, "rookery.db"))).toMatchObject({ rows: 2, epoch: before.epoch });
    // Once more from the same backup: still another epoch, and the backup is as it was.
    await putBack(config, folder, true);
    expect(entriesIn(join(dataDir, "rookery.db")).epoch).not.toBe(now.epoch);
    expect(entriesIn(join(folder, "rookery.db"))).toEqual(before);
  });

  test("that was interrupted is run again: no server begins a new store in its place", async () => {
    const { config, dataDir, database, write } = await makeStore();
    await write();
    const folder = join(temporaryFolder(), "backup");
    await makeBackup(config, folder);
    await database.close();
    // As a kill between two renames leaves it: one store is taken away, the other not in its place.
    mkdirSync(join(dataDir, "restoring"));
    renameSync(join(dataDir, "rookery.db"), join(dataDir, "restoring", "rookery.db"));
    const started = new Platform(config);
    afterFile(() => started.close());
    await expect(started.database()).rejects.toThrow("was interrupted");
    expect(existsSync(join(dataDir, "rookery.db"))).toBe(false);
    await putBack(config, folder, true);
    const platform = new Platform(config);
    const found = await (await platform.database()).get("SELECT count(*) AS rows FROM entries");
    expect(found).toEqual({ rows: 1 });
    await platform.close();
  });

  test("changes nothing where the store is in use, or the backup is damaged or none", async () => {
    const { config, dataDir, database, put, write } = await makeStore();
    const file = await put("bytes");
    await write();
    const good = join(temporaryFolder(), "backup");
    await makeBackup(config, good);
    // Else the file grows when whoever had it open last is collected.
    await database.all("PRAGMA wal_checkpoint(TRUNCATE)");
    await database.close();
    const was = listing(dataDir);
    const release = await lockFolder(dataDir);
    await expect(putBack(config, good, true)).rejects.toThrow("is in use by process");
    await release();

    const damages: [RegExp, (folder: string) => void][] = [
      [/has no backup.json/, folder => rmSync(join(folder, "backup.json"))],
      [/backup.json is damaged/, folder => appendFileSync(join(folder, "backup.json"), "x")],
      [/rookery.db is missing/, folder => rmSync(join(folder, "rookery.db"))],
      [/is not what was written/, folder => appendFileSync(join(folder, "rookery.db"), "x")],
      [/jwt.secret is missing/, folder => rmSync(join(folder, "jwt.secret"))],
      [/1 files of 5 bytes/, folder => rmSync(join(folder, "files", file.slice(-4, -2), file.slice(-2), file))],
      [/a version that this one does not know/, folder => writeFileSync(join(folder, "backup.json"), '{"format":2}')],
    ];
    for (const [message, damage] of damages) {
      const folder = join(temporaryFolder(), "copy");
      execFileSync("cp", ["-a", good, folder]);
      damage(folder);
      await expect(putBack(config, folder, true)).rejects.toThrow(message);
    }
    expect(listing(dataDir)).toEqual(was);
  });
});
