import { addressesOf, serverOf, startCluster } from "../support/cluster";
import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { describeCluster, mongoUrl } from "../support/servers";
import { describeEmbedded, startServer } from "../support/server";
import type { Frame, SocketClient } from "../support/socket";
import { isLost } from "./traffic";

/** Answered changes of membership and marks that there must be before each fault. */
const FLOOR = 20;

/** A user who comes and goes and marks what he reads, on one device; another device of his reads his feed. */
class Mover {
  readonly notes: Frame[] = [];
  /** Marks that were answered with ok. */
  readonly marked: number[] = [];
  done = 0;
  n = 0;
  private socket: SocketClient | null = null;
  private stopped = false;

  constructor(
    readonly client: Client,
    readonly room: string,
    private readonly home: { room: string; lastSeq: number },
  ) {}

  async run(): Promise<void> {
    for (let turn = 0; !this.stopped; turn++) {
      try {
        const { status } = await this.client.post(`/api/channels/${this.room}/${turn % 2 ? "leave" : "join"}`);
        if (status === 204) this.done++;
        const seq = 1 + this.marked.length;
        if (seq > this.home.lastSeq) continue;
        const mark = await this.client.post(`/api/channels/${this.home.room}/read`, { seq });
        if (mark.status === 204) this.marked.push(seq);
      } catch (error) {
        if (!isLost(error)) throw error;
        await new Promise(resolve => setTimeout(resolve, 50));
      }
    }
  }

  stop(): void {
    this.stopped = true;
  }

  /** Reads his feed where he was, over whatever gateway. */
  async resume(): Promise<void> {
    this.collect();
    this.socket = await eventually("let in", () => this.client.socket([], { n: this.n }).catch(() => null), Boolean);
    expect((this.socket as SocketClient).all("welcome")[0]?.feed).not.toBe("reset");
  }

  collect(): void {
    this.socket?.check();
    this.notes.push(...(this.socket?.notes ?? []));
    this.n = (this.notes.at(-1)?.n as number | undefined) ?? this.n;
    this.socket = null;
  }

  /** All of his feed, as somebody reads it who knows nothing. */
  async whole(): Promise<Frame[]> {
    const socket = await this.client.socket([], { n: 0 });
    const { n } = socket.all("welcome")[0] as Frame;
    await socket.until("all notes", () => socket.n === n);
    return [...socket.notes];
  }
}

async function survives(stage: Stage, faults: (() => Promise<unknown>)[]): Promise<void> {
  // So many that each of two writers has somebody.
  const people = await stage.users("ann", "bob", "carl", "dora", "eve");
  const home = await stage.channel(people);
  for (let n = 0; n < 40; n++) await say(stage.admin, home, `${n}`);
  const room = await stage.channel();
  const movers = people.map(client => new Mover(client, room, { room: home, lastSeq: 40 }));
  for (const mover of movers) await mover.resume();
  const running = movers.map(mover => mover.run());
  const traffic = async (): Promise<void> => {
    const all = () => movers.reduce((sum, { done, marked }) => sum + done + marked.length, 0);
    const before = all();
    await Promise.race([eventually("traffic", () => all() - before >= FLOOR, Boolean, 60_000), Promise.all(running)]);
  };
  try {
    for (const fault of faults) {
      await traffic();
      await fault();
      for (const mover of movers) await mover.resume();
    }
    await traffic();
  } finally {
    for (const mover of movers) mover.stop();
  }
  await Promise.all(running);
  // The room is settled with whoever decides next: what was left half done is carried out by then.
  const renamed = () => stage.admin.patch(`/api/channels/${room}`, { topic: "settled" });
  await eventually("settled", renamed, ({ status }) => status === 200);

  const log = await stage.admin.socket({ [room]: 0 });
  await log.frame("the whole log", ({ t, kind }) => t === "event" && kind === "room");
  for (const mover of movers) {
    const notes = await mover.whole();
    const members = notes.filter(({ kind, data }) => kind === "member" && data.roomId === room);
    const entries = log.events(room).filter(({ kind, data }) => kind === "member" && data.userId === mover.client.id);
    expect(members.map(({ data }) => data.change)).toEqual(entries.map(({ data }) => data.change));
    const read = notes.filter(({ kind, data }) => kind === "read" && data.roomId === home);
    expect(Math.max(0, ...read.map(({ data }) => data.seq as number))).toBeGreaterThanOrEqual(mover.marked.at(-1) ?? 0);
    await mover.resume();
    await mover.client.sockets.at(-1)?.until("its end", () => mover.client.sockets.at(-1)?.n === notes.at(-1)?.n);
    mover.collect();
    expect(mover.notes).toEqual(notes);
  }
  expectStatus(await stage.admin.get("/api/health"), 200);
}

const PROMISE = "each change is told once, in order, and every answered mark; no device misses a note";

describeEmbedded("kill -9 while people come, go and mark", () => {
  test(`${PROMISE}`, async () => {
    const server = await startServer();
    const stage = await Stage.on(server);
    const again = async (): Promise<void> => {
      await server.process.kill();
      await server.process.start();
    };
    await survives(stage, [again, again]);
    await stage.end();
  });
});

describeCluster("kill -9 of one of two writers while people come, go and mark", () => {
  test(`${PROMISE}, on whichever gateway`, async () => {
    const { cluster } = await startCluster({ restart: false, mongoUrl: await mongoUrl() });
    const stage = await Stage.on(serverOf(addressesOf(cluster), { output: "", end: async () => [] }));
    const lose = async (): Promise<void> => {
      await cluster.node("services-1").kill9();
      await cluster.node("services-1").start();
      await cluster.untilHealthy();
    };
    await survives(stage, [lose]);
    await stage.end();
  }, 120_000);
});
