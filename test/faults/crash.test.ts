import { Stage, type Client } from "../support/client";
import type { Frame, SocketClient } from "../support/socket";
import { describeOwn, startServer, type Server } from "../support/server";
import { judge, Sender, wholeHistory } from "./traffic";

const ROUNDS = 5;
/** Acknowledged messages there must be in a round before the server is killed: a fault without traffic proves nothing. */
const FLOOR = 60;

/** A reader that comes back where it was and keeps what it saw, over all its sockets. */
class Reader {
  socket: SocketClient | null = null;
  readonly seen: Frame[] = [];
  readonly states: string[] = [];
  offset = 0;

  constructor(
    readonly client: Client,
    readonly room: string,
  ) {}

  async resume(): Promise<void> {
    this.collect();
    const socket = await this.client.connect();
    const { rooms } = await socket.hello(this.client.token as string, { [this.room]: this.offset });
    this.states.push(rooms[this.room].state);
    this.socket = socket;
  }

  /** Takes over what the last socket saw. */
  collect(): void {
    this.socket?.check();
    const events = this.socket?.events(this.room) ?? [];
    this.seen.push(...events);
    this.offset = this.seen.at(-1)?.offset ?? this.offset;
    this.socket = null;
  }
}

describeOwn("kill -9 in the middle of traffic", () => {
  let server: Server;
  let stage: Stage;
  let room: string;
  let senders: Sender[];
  let readers: Reader[];

  beforeAll(async () => {
    server = await startServer();
    stage = await Stage.on(server);
    const people = await stage.users("a", "b", "c", "d", "e", "f");
    room = await stage.channel(people);
    senders = people.map((client, n) => new Sender(client, room, `s${n}`, n % 2 ? "socket" : "rest"));
    readers = [people[0], people[1]].map(client => new Reader(client as Client, room));
    for (const reader of readers) {
      const { offset } = (await (await reader.client.connect()).hello(reader.client.token as string, { [room]: null }))
        .rooms[room];
      reader.offset = offset;
    }
  });

  test("what was acknowledged is there once with id, seq and offset; what was not ends up once; readers miss nothing", async () => {
    const start = readers[0]?.offset as number;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const reader of readers) await reader.resume();
      const before = count(senders);
      const running = senders.map(sender => sender.run());
      await (readers[0]?.socket as SocketClient).until("traffic", () => count(senders) - before >= FLOOR);
      await server.process.kill();
      await Promise.all(running);
      await server.process.start();
      // Half of the rounds leave what is open to the end: a retry may come late.
      if (round % 2) for (const sender of senders) await sender.settle();
    }
    for (const sender of senders) await sender.settle();
    const history = await wholeHistory(senders[0]?.client as Client, room);
    judge(senders, history);
    const head = history.reduce((max, message) => Math.max(max, message.offset), 0);
    for (const reader of readers) {
      await reader.resume();
      if ((reader.socket as SocketClient).position.get(room) !== head) await reader.socket?.event(room, head);
      reader.collect();
      expect(reader.states).not.toContain("reset");
      expect(reader.seen.map(event => event.offset)).toEqual(
        Array.from({ length: head - start }, (_, n) => start + n + 1),
      );
      expect(reader.seen.filter(event => event.kind === "message").map(event => event.data)).toEqual(history);
    }
  }, 90_000);

  test("tokens, memberships and marks survive too", async () => {
    const [user] = senders.map(sender => sender.client) as [Client];
    const unread = (await user.get("/api/unread")).body;
    await server.process.kill();
    await server.process.start();
    expect((await user.get("/api/unread")).body).toEqual(unread);
    expect((await user.get(`/api/channels/${room}`)).body.role).toBe("member");
    await stage.end();
  });
});

const count = (senders: readonly Sender[]): number =>
  senders.reduce((sum, sender) => sum + sender.acknowledged.length, 0);
