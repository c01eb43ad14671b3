import { addressesOf, serverOf, startCluster } from "../support/cluster";
import { Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { describeOwn, startServer } from "../support/server";
import { describeCluster, mongoUrl } from "../support/servers";
import { comesBack, Crowd, sentAway } from "./crowd";
import { Follower } from "./follower";
import { judge, Sender, wholeHistory } from "./traffic";
import { everyWire, type WireReader } from "./wires";

/** Messages before and after each fault: a break without traffic proves nothing. */
const FLOOR = 25;
/** Milliseconds between messages of one. */
const PACE = 60;
/** Sockets that lose their gateway at once. */
const MANY = 300;

/** One room with a client of every wire and a native one, while the server breaks. All must have seen the same, once, in order. */
async function oneRoom(
  stage: Stage,
  url: string,
  gateways: string[],
  faults: (() => Promise<unknown>)[],
): Promise<void> {
  const people = await stage.users("ann", "bob", "eve");
  const [ann, bob, eve] = people as [Client, Client, Client];
  const room = await stage.channel(people);
  const senders = [new Sender(ann, room, "r", "rest", PACE), new Sender(bob, room, "w", "socket", PACE)];
  const followers = gateways.map(gateway => new Follower(eve, gateway, [room]));
  const readers: WireReader[] = everyWire(url, eve, room);
  const acknowledged = () => senders.reduce((sum, sender) => sum + sender.acknowledged.length, 0);
  const traffic = async () => {
    const before = acknowledged();
    await eventually(
      "traffic",
      () => acknowledged() - before,
      n => n >= FLOOR,
      60_000,
    );
  };
  try {
    for (const follower of followers) await follower.start();
    for (const reader of readers) await reader.start();
    const talk = senders.map(sender => sender.keepOn());
    for (const fault of faults) {
      await traffic();
      await fault();
    }
    await traffic();
    for (const sender of senders) sender.stop();
    await Promise.all(talk);
    for (const sender of senders) await sender.settle();

    const history = await wholeHistory(ann, room);
    judge(senders, history);
    const all = history.map(({ seq }) => seq as number);
    for (const { wire, seqs } of readers) {
      await eventually(
        `${wire} has the last message`,
        () => seqs.at(-1),
        last => last === all.at(-1),
        60_000,
      );
      expect({ wire, seqs }).toEqual({ wire, seqs: all });
    }
    for (const follower of followers) {
      await follower.reaches(room, history.at(-1)?.offset);
      await follower.stop();
      expect(
        follower.seen
          .get(room)
          ?.filter(({ kind }) => kind === "message")
          .map(({ data }) => data.seq),
      ).toEqual(all);
    }
  } finally {
    for (const sender of senders) sender.stop();
    for (const follower of followers) follower.cut();
    await Promise.all(readers.map(reader => reader.stop().catch(() => undefined)));
  }
}

describeOwn("every wire in one room, through restarts of the one process", () => {
  test("has every message once and in order: after a stop in order, and after kill -9", async () => {
    const server = await startServer();
    const stage = await Stage.on(server);
    const { process } = server;
    await oneRoom(
      stage,
      server.url,
      [server.wsUrl],
      [async () => (await process.stop(), process.start()), async () => (await process.kill(), process.start())],
    );
  }, 180_000);
});

describeCluster("every wire in one room, through restarts of gateways", () => {
  test("has every message once and in order: a gateway killed, then each process stopped in order", async () => {
    const { cluster } = await startCluster({ restart: false, mongoUrl: await mongoUrl() });
    const stage = await Stage.on(serverOf(addressesOf(cluster), { output: "", end: async () => [] }));
    const [one, other] = [cluster.node("ws-gateway-1"), cluster.node("ws-gateway-2")];
    await oneRoom(stage, cluster.url, cluster.gatewayUrls, [
      async () => {
        const crowd = await Crowd.at(cluster.gatewayUrls[0] as string, await stage.user("crowd"), MANY);
        await comesBack(crowd, cluster.gatewayUrls, () => one.kill9());
        await one.start();
        await cluster.untilHealthy();
      },
      async () => {
        const crowd = await Crowd.at(cluster.gatewayUrls[1] as string, await stage.user("crowd"), 30);
        await sentAway(crowd, () => other.stop());
        await other.start();
        await cluster.untilHealthy();
      },
      ...["services-1", "services-2", "api-gateway"].map(name => async () => {
        expect(await cluster.node(name).stop()).toMatchObject({ code: 0 });
        await cluster.node(name).start();
        await cluster.untilHealthy();
      }),
    ]);
  }, 300_000);
});
