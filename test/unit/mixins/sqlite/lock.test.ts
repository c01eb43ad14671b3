import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { lockFolder } from "../../../../mixins/sqlite/lock";
import { temporaryFolder } from "../../../support/temp";
import { start } from "./children/start";

test("a second process is refused by the folder's name and the pid of the holder", async () => {
  const dir = temporaryFolder();
  const holder = start("holder", [dir]);
  await holder.line(/^held$/);
  try {
    await expect(lockFolder(dir)).rejects.toThrow(`DATA_DIR ${dir} is in use by process ${holder.process.pid}`);
    await expect(lockFolder(dir)).rejects.toMatchObject({ expected: true });
    const second = start("holder", [dir]);
    expect(await second.line(/./)).toBe(`refused: DATA_DIR ${dir} is in use by process ${holder.process.pid}`);
    await second.ended;
  } finally {
    holder.process.kill("SIGKILL");
    await holder.ended;
  }
});

test("the lock of a killed process is taken over at once", async () => {
  const dir = temporaryFolder();
  const holder = start("holder", [dir]);
  await holder.line(/^held$/);
  holder.process.kill("SIGKILL");
  await holder.ended;
  const release = await lockFolder(dir);
  await release();
});

test("a pid file that names a living process does not count without the lock", async () => {
  const dir = temporaryFolder();
  writeFileSync(join(dir, "lock.pid"), `${process.ppid}\n`);
  const release = await lockFolder(dir);
  await expect(lockFolder(dir)).rejects.toThrow(`process ${process.pid}`);
  await release();
});

test("a released folder is free, also within the process, and releasing again does not free the next holder's", async () => {
  const dir = join(temporaryFolder(), "made", "on", "demand");
  const first = await lockFolder(dir);
  await expect(lockFolder(dir)).rejects.toThrow("is in use");
  await first();
  const second = await lockFolder(dir);
  await first();
  await expect(lockFolder(dir)).rejects.toThrow(`process ${process.pid}`);
  await second();
});

test("a folder that cannot be used is not reported as locked", async () => {
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  await expect(lockFolder(join(file, "dir"))).rejects.toMatchObject({ code: "ENOTDIR" });
});
