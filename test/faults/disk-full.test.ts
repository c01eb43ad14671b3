import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { describeOwn, ServerProcess, freePorts, type Server } from "../support/server";
import { temporaryFolder } from "../support/temp";
import { wholeHistory } from "./traffic";

/** A disk of a few MiB, or null where we may not mount one. */
function smallDisk(): { path: string; release(): void } | null {
  const path = join(temporaryFolder(), "disk");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "rookery-test", path], { stdio: "ignore" });
  } catch {
    return null;
  }
  return { path, release: () => void execFileSync("umount", ["-l", path], { stdio: "ignore" }) };
}

const disk = smallDisk();

let leave = async (): Promise<void> => disk?.release();

(disk ? describeOwn : describe.skip)("a full disk", () => {
  // Before the temporary folder is removed, which holds the disk.
  afterAll(() => leave());

  test("sends are refused or unknown, reads go on, and with space it works again with all that was acknowledged", async () => {
    const path = disk?.path as string;
    const own = new ServerProcess(join(path, "data"), await freePorts(), {});
    leave = async () => {
      await own.kill();
      disk?.release();
    };
    await own.start();
    const server: Server = Object.assign(own, { process: own });
    const stage = await Stage.on(server);
    const ann = await stage.user("ann");
    const room = await stage.channel([ann]);
    const socket = await ann.socket([room]);
    const kept: Body[] = [];
    for (let n = 0; n < 20; n += 1) kept.push(await say(ann, room, `before ${n}`));

    const { bavail, bsize } = statfsSync(path);
    const pad = join(path, "pad");
    writeFileSync(pad, Buffer.alloc(Number(bavail) * Number(bsize)));
    const open: { clientId: string; text: string }[] = [];
    let refusals = 0;
    for (let n = 0; refusals < 8 && n < 400; n += 1) {
      const body = { clientId: `full-${n}`, text: `full ${n} `.padEnd(3_900, "x") };
      const answer = await ann.post(`/api/channels/${room}/messages`, body);
      if (answer.status === 201) kept.push(answer.body);
      else {
        expect(["UNAVAILABLE", "UNKNOWN_OUTCOME"]).toContain(answer.body.code);
        expect(JSON.stringify(answer.body)).not.toMatch(/sqlite|ENOSPC|disk|SQL/i);
        refusals += 1;
        open.push(body);
      }
    }
    expect(refusals).toBe(8);
    expect(await socket.request({ t: "send", room, text: "x".repeat(3_900) })).toMatchObject({ t: "err" });

    // Reads go on, by every door.
    expect((await wholeHistory(ann, room)).slice(0, kept.length)).toEqual(kept);
    expect(await socket.request({ t: "history", room, limit: 1 })).toMatchObject({ t: "ok" });
    expect((await ann.get("/api/channels")).status).toBe(200);
    expect((await ann.get("/api/users/me")).status).toBe(200);

    rmSync(pad);
    await eventually(
      "sends work again",
      () => ann.post(`/api/channels/${room}/messages`, open[0]),
      answer => [200, 201].includes(answer.status),
    );
    for (const body of open)
      expect([200, 201]).toContain((await ann.post(`/api/channels/${room}/messages`, body)).status);
    await verify(ann, room, kept, open);

    await own.restart();
    expect((await stage.nobody.get("/api/health")).status).toBe(200);
    await verify(ann, room, kept, open);
    socket.check();
    await own.stop();
  });
});

async function verify(ann: Client, room: string, kept: Body[], open: { clientId: string }[]): Promise<void> {
  const history = await wholeHistory(ann, room);
  const byId = new Map(history.map(message => [message.id, message]));
  for (const message of kept) expect(byId.get(message.id)).toEqual(message);
  for (const { clientId } of open) expect(history.filter(message => message.clientId === clientId)).toHaveLength(1);
  expect(history.map(message => message.seq)).toEqual(history.map((_, n) => n + 1));
}
