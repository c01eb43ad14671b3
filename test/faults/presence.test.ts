import type { Cluster } from "../../deploy/local/local-cluster";
import { Stage, type Client } from "../support/client";
import { addressesOf, serverOf, startCluster } from "../support/cluster";
import { eventually } from "../support/eventually";
import { describeCluster, mongoUrl } from "../support/servers";
import { SocketClient } from "../support/socket";

/** Milliseconds, longer than a lease holds. */
const STALL = 17_000;

describeCluster("a presence node that stands still for longer than leases hold", () => {
  let cluster: Cluster;
  let people: Client[];
  const sockets: SocketClient[] = [];

  beforeAll(async () => {
    ({ cluster } = await startCluster({ restart: false, mongoUrl: await mongoUrl() }));
    const stage = await Stage.on(serverOf(addressesOf(cluster), { output: "", end: async () => [] }));
    people = await stage.users("a", "b", "c", "watcher", "late");
  }, 120_000);
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.cut();
  });

  const signIn = async (who: number, gateway: number): Promise<SocketClient> => {
    const socket = await SocketClient.open(cluster.gatewayUrls[gateway] as string);
    sockets.push(socket);
    await socket.hello((people[who] as Client).token as string, {});
    return socket;
  };

  test.each(["services-1", "services-2"])(
    "%s: nobody who stays is told to have left",
    async name => {
      const first = await signIn(0, 0);
      await signIn(1, 1);
      await signIn(2, 0);
      const watcher = await signIn(3, 1);
      const users = people.map(({ id }) => id);
      const stays = users.slice(0, 3);
      await watcher.request({ t: "watch", users });
      const isOnline = (user: string) => told(watcher).findLast(change => change.user === user)?.status === "online";
      await eventually("all online", () => stays.every(isOnline));
      const before = told(watcher).length;
      const news = () => told(watcher).slice(before);

      const { pid } = cluster.node(name);
      process.kill(pid, "SIGSTOP");
      await new Promise(resolve => setTimeout(resolve, STALL)).finally(() => process.kill(pid, "SIGCONT"));
      await cluster.untilHealthy();
      // What is told last was told after all that came before it.
      const late = await signIn(4, 0);
      await eventually("news after the stall", () => isOnline(users[4] as string));
      expect(news().filter(({ user, status }) => stays.includes(user) && status === "offline")).toEqual([]);

      // Whoever does leave is told to have left.
      for (const socket of [first, late]) socket.cut();
      await eventually("those who left", () => !isOnline(users[0] as string) && !isOnline(users[4] as string));
    },
    120_000,
  );
});

const told = (watcher: SocketClient) =>
  watcher.all("presence").flatMap(frame => frame.changes as { user: string; status: string }[]);
