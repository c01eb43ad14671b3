import { Agent, request } from "node:http";
import { Stage, type Client } from "../support/client";
import { describeOwn, startServer } from "../support/server";
import { eventually } from "../support/eventually";
import { SignalrClient, type SignalrTransport } from "../support/signalr";
import { SocketioClient } from "../support/socketio";
import { judge, Sender, wholeHistory } from "./traffic";

describeOwn("SIGTERM in the middle of traffic", () => {
  test("what is under way is answered, the exit is 0 within 15 s, nothing acknowledged is lost, sockets are told", async () => {
    const server = await startServer();
    const stage = await Stage.on(server);
    const people = await stage.users("a", "b", "c", "d");
    const room = await stage.channel(people);
    const reader = await (people[0] as Client).socket([room]);
    const senders = people.map((client, n) => new Sender(client, room, `s${n}`, n % 2 ? "socket" : "rest"));
    for (const _round of [1, 2]) {
      const before = senders.reduce((sum, sender) => sum + sender.acknowledged.length, 0);
      const running = senders.map(sender => sender.run());
      await eventually(
        "traffic",
        () => senders.reduce((sum, sender) => sum + sender.acknowledged.length, 0) - before,
        n => n >= 60,
      );
      const exit = await server.process.stop();
      expect(exit).toMatchObject({ code: 0, signal: null });
      expect(exit.ms).toBeLessThan(15_000);
      await Promise.all(running);
      await server.process.start();
    }
    const closed = await reader.untilClosed();
    expect([1001, 1012, 4001]).toContain(closed.code);
    expect(reader.all("reconnect").length).toBeGreaterThan(0);
    for (const sender of senders) await sender.settle();
    judge(senders, await wholeHistory(people[0] as Client, room));
    await stage.end();
  });

  test("REST sends under way at the signal are answered, on connections that are kept alive", async () => {
    const server = await startServer({ env: { RATE_LIMIT: "off" } });
    const stage = await Stage.on(server);
    const [one] = await stage.users("a");
    const client = one as Client;
    const room = await stage.channel([client]);
    const agent = new Agent({ keepAlive: true });
    let sent = 0;
    const send = (id: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const body = JSON.stringify({ clientId: id, text: id });
        const req = request(
          `${server.url}/api/channels/${room}/messages`,
          {
            agent,
            method: "POST",
            headers: {
              Authorization: `Bearer ${client.token}`,
              "Content-Type": "application/json",
              "Content-Length": Buffer.byteLength(body),
            },
          },
          res =>
            res
              .resume()
              .once("error", reject)
              .once("end", () => resolve(res.statusCode ?? 0)),
        );
        req.once("error", reject);
        req.end(body, () => (sent += 1));
      });
    const warm = Array.from({ length: 40 }, (_, n) => send(`warm-${n}`));
    expect(new Set(await Promise.all(warm))).toEqual(new Set([201]));
    sent = 0;
    const answers = Array.from({ length: 600 }, (_, n) => send(`late-${n}`));
    const outcomes = Promise.allSettled(answers);
    await eventually(
      "requests written",
      () => sent,
      n => n === 600,
    );
    const exit = await server.process.stop();
    expect(exit).toMatchObject({ code: 0, signal: null });
    // Executed and said so, or refused before anything was done; never dropped.
    for (const outcome of await outcomes) {
      expect([201, 503]).toContain(outcome.status === "fulfilled" ? outcome.value : outcome.reason);
    }
    agent.destroy();
    await server.process.start();
    await stage.end();
  });
});

/** A client of another wire, as one who only sends. */
interface Speaker {
  name: string;
  open(url: string, token: string): Promise<{ send(room: string, body: object): Promise<unknown>; close(): unknown }>;
}

const hub = (transport: SignalrTransport): Speaker => ({
  name: `SignalR over ${transport}`,
  async open(url, token) {
    const client = await SignalrClient.open(url, token, { transport });
    return { send: (room, body) => client.invoke("SendMessage", room, body), close: () => client.close() };
  },
});

/** Whose answers come over something that stays open; a poll that is not there just then cannot be answered. */
const SPEAKERS: Speaker[] = [
  hub("WebSockets"),
  hub("ServerSentEvents"),
  {
    name: "Socket.IO",
    async open(url, token) {
      const client = await SocketioClient.open(url, token, { transports: ["websocket"], reconnection: false });
      const gone = new Promise<never>((_, reject) => client.socket.once("disconnect", () => reject(new Error("gone"))));
      gone.catch(() => undefined);
      const send = async (room: string, body: object): Promise<void> => {
        const { ok } = await Promise.race([client.ask("message", { channelId: room, ...body }), gone]);
        if (ok !== true) throw new Error("refused");
      };
      return { send, close: () => client.close() };
    },
  },
];

describeOwn("SIGTERM while clients of other wires send", () => {
  test.each(SPEAKERS)("$name: what was stored was acknowledged", async ({ open }) => {
    const server = await startServer();
    const stage = await Stage.on(server);
    const ann = await stage.user("ann");
    const room = await stage.channel([ann]);
    const speaker = await open(server.url, ann.token as string);
    const acked = new Set<string>();
    let stopped = false;
    const talk = Array.from({ length: 20 }, async (_, who) => {
      for (let n = 0; !stopped; n++) {
        const clientId = `${who}-${n}`;
        const sent = await speaker.send(room, { text: "x", clientId }).then(
          () => true,
          () => false,
        );
        if (!sent) return;
        acked.add(clientId);
      }
    });
    await eventually(
      "traffic",
      () => acked.size,
      count => count > 200,
    );
    expect(await server.process.stop()).toMatchObject({ code: 0 });
    stopped = true;
    await Promise.all(talk);
    await speaker.close();
    await server.process.start();
    const stored = (await wholeHistory(ann, room)).map(({ clientId }) => clientId as string);
    expect(stored.filter(clientId => !acked.has(clientId))).toEqual([]);
    expect(acked.size).toBe(stored.length);
    await stage.end();
  });
});

describeOwn("a process that stood still", () => {
  /** Milliseconds: longer than a hello may take. */
  const STILL = 6_500;

  test("hears the hellos that were said to it meanwhile before it misses them", async () => {
    const server = await startServer();
    const stage = await Stage.on(server);
    const [client] = (await stage.users("a")) as [Client];
    // Whether its timers or its sockets come first is chance: with ten, one at least would lose.
    const sockets = await Promise.all(Array.from({ length: 10 }, () => client.connect()));
    const { pid } = server.process;
    process.kill(pid, "SIGSTOP");
    const hellos = sockets.map(socket => socket.hello(client.token as string));
    await new Promise(resolve => setTimeout(resolve, STILL)).finally(() => process.kill(pid, "SIGCONT"));
    expect((await Promise.all(hellos)).map(({ t }) => t)).toEqual(Array(10).fill("welcome"));
    await stage.end();
  });
});
