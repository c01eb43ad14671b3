import { randomUUID } from "node:crypto";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { nodesWith } from "../../mixins/nodes";
import { RoomWriters } from "../../mixins/writers";
import { makeNode } from "../support/broker";
import { afterFile } from "../support/cleanup";
import { eventually } from "../support/eventually";
import { describeCluster, mongoUrl, natsUrl } from "../support/servers";
import { TcpProxy } from "../support/tcp-proxy";

/** Answers with the node it ran on, and keeps data as the real one does. */
const messages: ServiceSchema = {
  name: "messages",
  actions: { where: { auth: "internal", visibility: "public", handler: ctx => ctx.broker.nodeID } },
  started() {
    return platformOf(this.broker)
      .mongo()
      .then(() => undefined);
  },
};

describeCluster("what a node says of its store", () => {
  async function node(store: string, services: ServiceSchema[], namespace: string): Promise<ServiceBroker> {
    const env = { TRANSPORTER: await natsUrl(), MONGO_URL: store, SERVICES: "messages" };
    const broker = makeNode({ services, env, cluster: namespace });
    afterFile(() => broker.stop());
    await broker.start();
    return broker;
  }

  const asked = async (door: ServiceBroker): Promise<Set<unknown>> =>
    new Set(await Promise.all(Array.from({ length: 8 }, () => door.call("messages.where"))));
  const health = (broker: ServiceBroker) => platformOf(broker).health.report();

  it("lets the others pass it over while it cannot reach it, and come back to it by themselves", async () => {
    const [space, store] = [randomUUID(), await mongoUrl()];
    const proxy = await TcpProxy.start(new URL(store).host);
    afterFile(() => proxy.stop());
    const well = await node(store, [messages], space);
    const cut = await node(store.replace(new URL(store).host, proxy.address), [messages], space);
    const door = await node(store, [], space);
    const writers = new RoomWriters(door);
    await eventually("both are known", () => nodesWith(door, "messages").length === 2);
    await eventually(
      "both are asked",
      () => asked(door),
      ({ size }) => size === 2,
    );
    expect(writers.nodes).toHaveLength(2);

    await proxy.away();
    await eventually(
      "only one is asked",
      () => asked(door),
      ({ size }) => size === 1,
    );
    expect(await asked(door)).toEqual(new Set([well.nodeID]));
    expect(writers.nodes).toEqual([well.nodeID]);
    expect((await health(cut)).checks).toMatchObject({ store: "down" });
    expect((await health(well)).checks).toMatchObject({ store: "ok" });

    await proxy.listen();
    await eventually(
      "both are asked again",
      () => asked(door),
      ({ size }) => size === 2,
    );
    await eventually("both write again", () => writers.nodes.length === 2);
    await eventually("it is ready", async () => (await health(cut)).checks["store"] === "ok");
    writers.close();
  });

  it("turns it red where another node keeps its data elsewhere, until that one is gone", async () => {
    const space = randomUUID();
    const [one, elsewhere] = [
      await node(await mongoUrl(), [messages], space),
      await node(await mongoUrl(), [messages], space),
    ];
    for (const broker of [one, elsewhere])
      await eventually("it is noticed", async () => (await health(broker)).checks["one store"] === "down");
    await elsewhere.stop();
    await eventually("it is over", async () => (await health(one)).status === "ok");
  });
});
