import { createHash, randomBytes } from "node:crypto";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { connect } from "../../mixins/sqlite/driver";
import { DiskBlobStore } from "../../services/files/blob.store.disk";
import { seeded, whole } from "../chaos/random";
import { Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { RecordedDisk } from "../support/powerloss/disk";
import { powerlossLibrary } from "../support/powerloss/library";
import type { Body } from "../support/rest";
import { describeEmbedded, freePorts, ServerProcess, type Server } from "../support/server";
import { temporaryFolder } from "../support/temp";
import { judge, Sender, wholeHistory } from "./traffic";

/** Times the machine loses power under a server that is then started again; moments of each at which it might have. */
const ROUNDS = Number(process.env.POWER_LOSS_ROUNDS ?? 3);
const MOMENTS = Number(process.env.POWER_LOSS_MOMENTS ?? 30);
const SEED = Number(process.env.POWER_LOSS_SEED ?? 1);
/** Acknowledged messages there must be in a round: a loss of power without traffic proves nothing. */
const FLOOR = 60;
const TEXT = 2_000;

const library = powerlossLibrary();
if (!library) console.log("power loss: left out, there is no C compiler");

/** What clients had been told to be kept, at a moment of the record. */
interface Told {
  moment: number;
  messages: Body[];
  files: Upload[];
}

interface Upload {
  id: string;
  hash: string;
}

/** A server on a disk that can lose power, with people who talk to it. */
class Scene {
  readonly uploads: Upload[] = [];
  private told: Told[] = [];

  private constructor(
    readonly server: ServerProcess,
    readonly disk: RecordedDisk,
    readonly room: string,
    readonly senders: Sender[],
  ) {}

  static async make(env: Record<string, string> = {}): Promise<Scene> {
    const root = realpathSync(temporaryFolder());
    const disk = new RecordedDisk(join(root, "disk"), join(root, "record"), library);
    const server = new ServerProcess(join(disk.folder, "data"), await freePorts(), { ...disk.environment, ...env });
    await server.start();
    const stage = await Stage.on(Object.assign(server, { process: server }) as Server);
    const people = await stage.users("a", "b", "c", "d");
    const room = await stage.channel(people);
    const senders = people.map((client, n) => new Sender(client, room, `s${n}`, n % 2 ? "socket" : "rest", 0, TEXT));
    return new Scene(server, disk, room, senders);
  }

  get client(): Client {
    return this.senders[0]?.client as Client;
  }

  /** Traffic until so many more are acknowledged, and a random while longer; then SIGKILL in the middle of it. */
  async talkAndDie(random: () => number): Promise<void> {
    const before = this.messages().length;
    this.told = [];
    const running = [...this.senders.map(sender => sender.run()), this.upload()];
    const watch = setInterval(() => this.note(), 2);
    await eventually("traffic", () => this.messages().length - before >= FLOOR);
    await new Promise(resolve => setTimeout(resolve, whole(random, 0, 300)));
    await this.server.kill();
    clearInterval(watch);
    await Promise.all(running);
  }

  /** Moments, ascending, with what had been told by then. */
  moments(random: () => number, count: number): Told[] {
    const [first, last] = [this.told[0], this.told.at(-1)] as [Told, Told];
    return Array.from({ length: count }, () => whole(random, first.moment, last.moment))
      .sort((a, b) => a - b)
      .map(moment => ({ ...(this.told.findLast(told => told.moment <= moment) as Told), moment }));
  }

  messages(): Body[] {
    return this.senders.flatMap(sender => sender.acknowledged.map(one => one.message));
  }

  /** What was told is in the record up to its end now, or before. */
  private note(): void {
    const [messages, files] = [this.messages(), [...this.uploads]];
    this.told.push({ moment: this.disk.moment, messages, files });
  }

  private async upload(): Promise<void> {
    try {
      for (;;) {
        const bytes = randomBytes(20_000);
        const form = new FormData();
        form.append("file", new Blob([bytes]), "noise.bin");
        const { status, body } = await this.client.raw("POST", "/api/files", form);
        if (status !== 201) return;
        this.uploads.push({ id: body.id, hash: hashOf(bytes) });
      }
    } catch {
      // The server is gone.
    }
  }
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** What is wrong with a folder after a loss of power, when so much had been told. */
async function faultsOf(
  folder: string,
  room: string,
  { messages, files }: Told,
  said: ReadonlySet<string>,
): Promise<string[]> {
  const faults: string[] = [];
  const database = connect(join(folder, "rookery.db"));
  try {
    const [{ quick_check: check }] = database.prepare("PRAGMA quick_check").all() as [{ quick_check: string }];
    if (check !== "ok") return [`the store is damaged: ${check}`];
    const entries = database
      .prepare("SELECT offset, seq, kind, id, client_id AS clientId FROM entries WHERE room = ? ORDER BY offset")
      .all(room) as { offset: number; seq: number; kind: string; id: string; clientId: string }[];
    entries.forEach(({ offset }, n) => offset === n + 1 || faults.push(`offset ${offset} in the place of ${n + 1}`));
    const stored = new Map(entries.filter(({ kind }) => kind === "message").map(entry => [entry.clientId, entry]));
    for (const clientId of stored.keys()) if (!said.has(clientId)) faults.push(`nobody said ${clientId}`);
    for (const { id, clientId, offset, seq } of messages) {
      const kept = stored.get(clientId as string);
      if (!kept) faults.push(`lost ${clientId}`);
      else if (kept.id !== id || kept.offset !== offset || kept.seq !== seq) faults.push(`changed ${clientId}`);
    }
  } catch (error) {
    return [`the store is damaged: ${String(error)}`];
  } finally {
    database.close();
  }
  const blobs = await DiskBlobStore.open(join(folder, "files"));
  for (const { id, hash } of files) {
    // Like the first reader, who finishes what was about to be moved in.
    const finished = (): Promise<Readable | null> => blobs.commit(id).then(() => blobs.open(id));
    const stream = (await blobs.open(id)) ?? (await finished().catch(() => null));
    if (!stream || hashOf(await buffer(stream)) !== hash) faults.push(`lost file ${id}`);
  }
  return faults;
}

const saidBy = (senders: readonly Sender[]): Set<string> =>
  new Set(senders.flatMap(sender => sender.said.map(({ clientId }) => clientId)));

/** Faults at so many moments of the last life of the server. */
async function faultsAtMoments(scene: Scene, random: () => number, count: number): Promise<string[]> {
  const moments = scene.moments(random, count);
  const faults: string[] = [];
  const into = join(realpathSync(temporaryFolder()), "left");
  let index = 0;
  for (const { moment, loss } of scene.disk.losses(
    moments.map(told => told.moment),
    random,
    into,
  )) {
    const found = await faultsOf(join(into, "data"), scene.room, moments[index++] as Told, saidBy(scene.senders));
    if (found.length > 0) faults.push(`at ${moment}, ${JSON.stringify(loss)}: ${found.slice(0, 5).join(", ")}`);
  }
  return faults;
}

(library ? describeEmbedded : describe.skip)(
  "loss of power: what was written and not synced is gone, torn or there",
  () => {
    test(`nothing acknowledged is lost or changed, nothing else appears: ${ROUNDS} starts after it, ${MOMENTS} moments of each life`, async () => {
      const random = seeded(SEED);
      const scene = await Scene.make();
      for (let round = 0; round < ROUNDS; round++) {
        await scene.talkAndDie(random);
        expect(await faultsAtMoments(scene, random, MOMENTS)).toEqual([]);
        scene.disk.lose(random);
        await scene.server.start();
        const history = await wholeHistory(scene.client, scene.room);
        const stored = new Map(history.map(message => [message.clientId as string, message]));
        for (const message of scene.messages()) expect(stored.get(message.clientId as string)).toEqual(message);
        const said = saidBy(scene.senders);
        expect(history.filter(message => !said.has(message.clientId as string))).toEqual([]);
        for (const sender of scene.senders) await sender.settle();
      }
      judge(scene.senders, await wholeHistory(scene.client, scene.room));
      for (const { id, hash } of scene.uploads) {
        const answer = await fetch(`${scene.server.url}/api/files/${id}`, {
          headers: { authorization: `Bearer ${scene.client.token}` },
        });
        expect(hashOf(new Uint8Array(await answer.arrayBuffer()))).toBe(hash);
      }
      expect(scene.uploads.length).toBeGreaterThan(0);
      console.log(`power loss: ${scene.messages().length} messages, ${scene.uploads.length} files, seed ${SEED}`);
    }, 600_000);

    test("a store that does not wait for the disk is found out", async () => {
      const random = seeded(SEED);
      const off = join(__dirname, "..", "support", "powerloss", "sync-off.cjs");
      const scene = await Scene.make({ NODE_OPTIONS: `--require ${off}` });
      await scene.talkAndDie(random);
      expect((await faultsAtMoments(scene, random, 10)).join("\n")).toMatch(/lost s\d-|damaged/);
    });
  },
);
