import type { Cluster } from "../../deploy/local/local-cluster";
import { addressesOf, serverOf, startCluster } from "../support/cluster";
import { Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { describeCluster, mongoUrl } from "../support/servers";
import { Follower } from "./follower";
import { judge, Sender, wholeHistory } from "./traffic";

/** Acknowledged messages there must be before, and after: a fault without traffic proves nothing. */
const FLOOR = 40;
/** So many that each of two writers surely has some. */
const ROOMS = 6;
/** Milliseconds between messages of one: who is away for ten seconds must find less than is ever replayed. */
const PACE = 50;

interface Fault {
  /** Of whom there is a second one: the conversation goes on without it. Else the health is red until it is back. */
  twin?: boolean;
  kill(cluster: Cluster): Promise<unknown>;
  back(cluster: Cluster): Promise<unknown>;
  /** Services that the health calls missing, each of them, before it is red enough. */
  services?: string[];
  /** Nobody is served without it: it stays away until everybody's message was refused. */
  silence?: true;
}

const node = (name: string, twin = false): [string, Fault] => [
  name,
  { twin, kill: cluster => cluster.node(name).kill9(), back: cluster => cluster.node(name).start() },
];

/** At once: each takes as long to be missed and to come back as all of them. */
const services = (...names: string[]): [string, Fault] => [
  names.join(", "),
  {
    services: names,
    kill: cluster => Promise.all(names.map(name => cluster.node(name).kill9())),
    back: cluster => Promise.all(names.map(name => cluster.node(name).start())),
  },
];

const SERVERS: [string, Fault][] = [
  ["nats-server", { kill: ({ nats }) => nats!.kill9(), back: ({ nats }) => nats!.start(), silence: true }],
  ["the database's gateway", { kill: ({ mongo }) => mongo!.killGateway(), back: ({ mongo }) => mongo!.startGateway() }],
  ["the database's postmaster", { kill: ({ mongo }) => mongo!.killStore(), back: ({ mongo }) => mongo!.startStore() }],
];

const LAYOUTS: { layout: string; each: boolean; faults: [string, Fault][] }[] = [
  {
    layout: "of gateways and two processes with all services",
    each: false,
    faults: [node("ws-gateway-1", true), node("api-gateway"), node("services-1", true), ...SERVERS],
  },
  {
    layout: "with every service in a process of its own",
    each: true,
    faults: [node("messages-1", true), services("rooms", "auth", "users", "files")],
  },
];

describeCluster.each(LAYOUTS)("kill -9 in the middle of a conversation, in a cluster $layout", ({ each, faults }) => {
  let cluster: Cluster;
  let stage: Stage;
  let people: Client[];
  let followers: Follower[] = [];

  // Also of a test that failed: who goes on coming back keeps the run from ending.
  afterEach(() => {
    for (const follower of followers) follower.cut();
  });

  beforeAll(async () => {
    // The first has servers of its own to kill.
    ({ cluster } = await startCluster({ each, restart: false, mongoUrl: each ? await mongoUrl() : undefined }));
    stage = await Stage.on(serverOf(addressesOf(cluster), { output: "", end: async () => [] }));
    people = await stage.users("a", "b", "c", "d", "e", "f");
  }, 120_000);

  test.each(faults)(
    "%s: what was acknowledged is there once, in one order for all, and nobody misses an entry",
    async (_, { kill, back, twin, services = [], silence }) => {
      const rooms: string[] = [];
      for (let n = 0; n < ROOMS; n += 1) rooms.push(await stage.channel(people));
      const senders = people.flatMap((client, n) =>
        [n, n + 1].map(
          at => new Sender(client, rooms[at % ROOMS] as string, `s${n}-${at}`, at % 2 ? "socket" : "rest", PACE),
        ),
      );
      followers = cluster.gatewayUrls.map((url, n) => new Follower(people[n] as Client, url, rooms));
      for (const follower of followers) await follower.start();
      const talk = senders.map(sender => sender.keepOn());
      const traffic = async (what: string): Promise<void> => {
        const before = count(senders);
        const more = eventually(
          what,
          () => count(senders) - before,
          n => n >= FLOOR,
          60_000,
        );
        await Promise.race([more, Promise.all(talk)]);
      };
      try {
        await traffic("traffic before the fault");
        await kill(cluster);
        if (twin) await traffic("traffic while one of two is away");
        else
          await eventually(
            "red health",
            () => cluster.health(),
            ({ status, body }) => status !== 200 && services.every(name => body.includes(`"${name}":"down"`)),
          );
        if (silence)
          await eventually(
            "a message of everybody is without an answer",
            () => senders.filter(sender => sender.open.length === 0).map(({ name }) => name),
            served => served.length === 0,
            60_000,
          );
        await back(cluster);
        await cluster.untilHealthy();
        await traffic("traffic afterwards");
      } finally {
        for (const sender of senders) sender.stop();
      }
      await Promise.all(talk);

      for (const sender of senders) await sender.settle();
      const histories = new Map<string, Awaited<ReturnType<typeof wholeHistory>>>();
      for (const room of rooms) {
        const history = await wholeHistory(people[0] as Client, room);
        judge(
          senders.filter(sender => sender.room === room),
          history,
        );
        histories.set(room, history);
      }
      for (const follower of followers) {
        for (const [room, history] of histories) await follower.reaches(room, history.at(-1)?.offset);
        await follower.stop();
        for (const [room, history] of histories) {
          const seen = follower.seen.get(room) ?? [];
          expect(seen.map(event => event.offset)).toEqual(seen.map((_event, n) => (seen[0]?.offset as number) + n));
          expect(seen.filter(event => event.kind === "message").map(event => event.data)).toEqual(history);
        }
      }
    },
    180_000,
  );
});

const count = (senders: readonly Sender[]): number =>
  senders.reduce((sum, sender) => sum + sender.acknowledged.length, 0);
