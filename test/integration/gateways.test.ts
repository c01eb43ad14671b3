import { randomUUID } from "node:crypto";
import type { ServiceBroker } from "moleculer";
import { platformOf } from "../../config/platform";
import { freePort } from "../../deploy/local/servers/ports";
import { nodesWith } from "../../mixins/nodes";
import Auth from "../../services/auth/auth.service";
import { call } from "../../services/core/contract";
import { newId } from "../../services/core/ids";
import type { Channel, Identity } from "../../services/core/model";
import { Rendezvous } from "../../services/core/rendezvous";
import Messages from "../../services/messages/messages.service";
import Presence from "../../services/presence/presence.service";
import Rooms from "../../services/rooms/rooms.service";
import Users from "../../services/users/users.service";
import WsGateway from "../../services/ws-gateway/ws-gateway.service";
import { comeIn } from "../support/accounts";
import { identity, makeNode } from "../support/broker";
import { afterFile } from "../support/cleanup";
import { eventually } from "../support/eventually";
import { describeCluster, mongoUrl, natsUrl } from "../support/servers";
import { SocketClient } from "../support/socket";
import { TcpProxy } from "../support/tcp-proxy";

/** Two gateways and two writers over a real NATS and a real store; one gateway's way to NATS can be cut. */
describeCluster("gateways of a cluster", () => {
  const namespace = randomUUID();
  let mongo: string;
  let nats: string;
  let wire: TcpProxy;
  let services: ServiceBroker;
  let writer: ServiceBroker;
  let near: { broker: ServiceBroker; url: string };
  let far: { broker: ServiceBroker; url: string };
  const sockets: SocketClient[] = [];

  async function node(
    schemas: unknown[],
    {
      transporter = nats,
      wsPort = 0,
      space = namespace,
    }: { transporter?: string; wsPort?: number; space?: string } = {},
  ): Promise<ServiceBroker> {
    const env = { TRANSPORTER: transporter, MONGO_URL: mongo, WS_PORT: String(wsPort), RATE_LIMIT: "count" };
    const broker = makeNode({ services: schemas, env, cluster: space });
    afterFile(() => broker.stop());
    await broker.start();
    return broker;
  }

  async function gateway(transporter?: string, space?: string): Promise<{ broker: ServiceBroker; url: string }> {
    const wsPort = await freePort();
    return { broker: await node([WsGateway], { transporter, wsPort, space }), url: `ws://127.0.0.1:${wsPort}/ws` };
  }

  beforeAll(async () => {
    [mongo, nats] = [await mongoUrl(), await natsUrl()];
    wire = await TcpProxy.start(new URL(nats).host);
    afterFile(() => wire.stop());
    services = await node([Auth, Users, Rooms, Messages, Presence]);
    writer = await node([Messages]);
    near = await gateway();
    far = await gateway(`nats://${wire.address}`);
    for (const { broker } of [near, far])
      await eventually("both writers are known", () => nodesWith(broker, "messages").length === 2);
    await eventually("both gateways are known", () => nodesWith(services, "ws-gateway").length === 2);
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) {
      socket.check();
      socket.cut();
    }
  });

  interface Person {
    token: string;
    identity: Identity;
  }

  async function person(): Promise<Person> {
    const username = `u-${newId().slice(-10)}`;
    const { user, accessToken } = await comeIn(
      call(services, "auth.register", { username, email: `${username}@example.org`, password: "correct horse" }),
    );
    return { token: accessToken, identity: { ...identity(user.id), username } };
  }

  /** A public channel with these members, written by that node. */
  async function room(at: ServiceBroker, ...members: Person[]): Promise<string> {
    const hash = new Rendezvous(nodesWith(near.broker, "messages"));
    for (;;) {
      const admin = { meta: { user: identity(newId(), ["Admin"]) } };
      const { id } = (await call(services, "rooms.create", { name: `r-${newId()}` }, admin)) as Channel;
      if (hash.of(id) !== at.nodeID) continue;
      for (const { identity: user } of members) await call(services, "rooms.join", { id }, { meta: { user } });
      return id;
    }
  }

  async function connect({ url }: { url: string }, { token }: Person, rooms?: Record<string, number | null>) {
    const socket = await SocketClient.open(url);
    sockets.push(socket);
    const welcome = await eventually(
      "let in",
      () => socket.hello(token, rooms),
      ({ t }) => t === "welcome",
    );
    return { socket, welcome };
  }

  const texts = (socket: SocketClient, id: string): string[] =>
    socket.events(id).flatMap(({ kind, data }) => (kind === "message" ? [(data as { text: string }).text] : []));

  it("carries a conversation over two gateways and two writers, in one order for all", async () => {
    const [ann, bob] = [await person(), await person()];
    const rooms = [await room(services, ann, bob), await room(writer, ann, bob)];
    const all = Object.fromEntries(rooms.map(id => [id, null]));
    const [one, two] = [await connect(near, ann, all), await connect(far, bob, all)];
    for (let n = 0; n < 10; n++)
      await Promise.all(
        rooms.flatMap(id => [
          one.socket.request({ t: "send", room: id, text: `ann ${n}` }),
          two.socket.request({ t: "send", room: id, text: `bob ${n}` }),
        ]),
      );
    for (const id of rooms) {
      await eventually("all is there", () => [one, two].every(({ socket }) => texts(socket, id).length === 20));
      expect(texts(one.socket, id)).toEqual(texts(two.socket, id));
      expect(texts(one.socket, id).filter(text => text.startsWith("ann"))).toEqual(
        Array.from({ length: 10 }, (_, n) => `ann ${n}`),
      );
    }
  });

  it("shows operators who is connected and which entries went through, and ends a session", async () => {
    const ann = await person();
    const id = await room(services, ann);
    const { socket } = await connect(near, ann, { [id]: null });
    const sent = (await socket.request({ t: "send", room: id, text: "hello" })) as { message?: { offset: number } };
    const offset = sent.message?.offset ?? 0;
    await socket.event(id, offset);
    const at = { nodeID: near.broker.nodeID };
    const list = await call(services, "ws-gateway.sockets", { user: ann.identity.id }, at);
    expect(list).toMatchObject({ total: 1, items: [{ user: ann.identity.id, rooms: 1, address: "127.0.0.1" }] });
    expect(Math.abs(Date.now() - (list.items[0]?.since ?? 0))).toBeLessThan(60_000);
    expect(await call(services, "ws-gateway.room", { room: id }, at)).toMatchObject({
      subscribers: 1,
      offset,
      behind: false,
    });
    const took = await call(services, "ws-gateway.took", { room: id, offset }, at);
    expect(took).toEqual({ took: true, at: expect.any(Number) as number });
    expect(await call(services, "ws-gateway.took", { room: id, offset: offset + 1 }, at)).toEqual({
      took: false,
      at: null,
    });
    const there = { nodeID: far.broker.nodeID };
    expect(await call(services, "ws-gateway.room", { room: id }, there)).toBeNull();
    const session = list.items[0]?.session ?? "";
    expect(await call(services, "ws-gateway.kick", { session }, at)).toEqual({ closed: 1 });
    expect((await socket.untilClosed()).code).toBe(4103);
    sockets.splice(0);
  });

  it("heals what was lost while NATS was away, though nothing is sent after it", async () => {
    const [ann, bob] = [await person(), await person()];
    const id = await room(writer, ann, bob);
    const [one, two] = [await connect(near, ann, { [id]: null }), await connect(far, bob, { [id]: null })];
    await wire.away();
    await eventually("it is noticed", () => platformOf(far.broker).link?.up === false);
    expect(await two.socket.request({ t: "send", room: id, text: "from afar" })).toMatchObject({ code: "UNAVAILABLE" });
    const other = await room(writer, ann, bob);
    expect(await two.socket.sub([other])).toMatchObject({
      rooms: { [other]: { state: "denied", code: "UNAVAILABLE" } },
    });
    // The head is told again once the room is quiet; only after that nothing more comes by itself.
    let told = 0;
    const leave = await platformOf(near.broker).bus.subscribe(id, packet => {
      if (packet.type === "head") told = packet.head.offset;
    });
    // The answer names the offset; one's own event may come later than it.
    let last = 0;
    for (const text of ["one", "two", "three"])
      last = (await one.socket.request({ t: "send", room: id, text })).message.offset as number;
    await eventually("the head was told", () => told === last);
    leave();
    await wire.listen();
    await eventually("it is healed", () => texts(two.socket, id).length === 3);
    expect(texts(two.socket, id)).toEqual(["one", "two", "three"]);
    await eventually(
      "rooms open again",
      () => two.socket.sub([other]),
      ({ rooms }) => rooms[other].state === "live",
    );
    await eventually(
      "it takes sends again",
      () => two.socket.request({ t: "send", room: id, text: "back" }),
      ({ t }) => t === "ok",
    );
  });

  it("fails closed when it is cut off for 10 s, and comes back by itself", async () => {
    const [ann, bob] = [await person(), await person()];
    const { socket } = await connect(far, bob);
    await wire.away();
    expect((await socket.untilClosed()).code).toBe(4001);
    sockets.splice(0);
    await expect(SocketClient.open(far.url)).rejects.toThrow("503");
    const health = await platformOf(far.broker).health.report();
    expect(health.checks).toMatchObject({ nats: "down", sockets: "down" });
    // What was revoked meanwhile holds from the first hello on.
    await call(services, "auth.revoke", { userId: bob.identity.id });
    await wire.listen();
    const again = await eventually("it takes sockets", () => SocketClient.open(far.url).catch(() => null), Boolean);
    const refused = await eventually(
      "it knows",
      () => again!.hello(bob.token),
      ({ code }) => code !== "UNAVAILABLE",
    );
    expect(refused).toMatchObject({ t: "err", code: "UNAUTHENTICATED" });
    expect((await connect(far, ann)).welcome.t).toBe("welcome");
    await eventually("it is healthy", async () => (await platformOf(far.broker).health.report()).status === "ok");
  });

  it("puts clients off while auth is not there, without closing, and lets them in when it comes", async () => {
    const ann = await person();
    const space = randomUUID();
    const alone = await gateway(nats, space);
    const socket = await SocketClient.open(alone.url);
    sockets.push(socket);
    expect(await socket.hello(ann.token)).toMatchObject({ t: "err", code: "UNAVAILABLE", status: 503 });
    expect((await platformOf(alone.broker).health.report()).checks).toMatchObject({ auth: "down" });
    await node([Auth, Users], { space });
    const checks = async () => (await platformOf(alone.broker).health.report()).checks;
    await eventually("it knows what is revoked", async () => (await checks()).auth === "ok");
    // Who it is is known, the epoch of the log is not yet.
    expect(await socket.hello(ann.token)).toMatchObject({ t: "err", code: "UNAVAILABLE" });
    await node([Rooms, Messages, Presence], { space });
    const welcome = await eventually(
      "let in",
      () => socket.hello(ann.token),
      ({ t }) => t === "welcome",
    );
    expect(welcome).toMatchObject({ t: "welcome", user: { id: ann.identity.id } });
    expect(await socket.hello(ann.token)).toMatchObject({ t: "err", code: "CONFLICT" });
  });

  it("sends everybody elsewhere when it is drained, and takes nobody any more", async () => {
    const ann = await person();
    const leaving = await gateway();
    const { socket } = await connect(leaving, ann);
    const at = { nodeID: leaving.broker.nodeID };
    await eventually("it is known", () => services.registry.hasService("ws-gateway", at.nodeID));
    expect(await call(services, "ws-gateway.drain", { seconds: 1 }, at)).toEqual({ sockets: 1, seconds: 1 });
    const { afterMs } = (await socket.frame("reconnect", ({ t }) => t === "reconnect")) as unknown as {
      afterMs: number;
    };
    expect(afterMs).toBeLessThanOrEqual(1_000);
    expect((await socket.untilClosed()).code).toBe(4001);
    sockets.splice(0);
    await expect(SocketClient.open(leaving.url)).rejects.toThrow("503");
    await eventually("it is red", async () => (await call(services, "node.health", {}, at)).checks.sockets === "down");
  });

  it("goes on with the others when a writer stops, in the order that was sent", async () => {
    const [ann, bob] = [await person(), await person()];
    const mortal = await node([Messages]);
    await eventually(
      "it is known",
      () => nodesWith(near.broker, "messages").length === 3 && nodesWith(far.broker, "messages").length === 3,
    );
    const rooms: string[] = [];
    for (const at of [mortal, mortal, writer]) rooms.push(await room(at, ann, bob));
    const all = Object.fromEntries(rooms.map(id => [id, null]));
    const [one, two] = [await connect(near, ann, all), await connect(far, bob, all)];
    const sent: string[] = [];
    const send = async (id: string, n: number): Promise<void> => {
      const frame = { t: "send", room: id, text: `${n}`, clientId: `c-${n}` };
      await eventually(
        "acknowledged",
        () => one.socket.request(frame),
        ({ t }) => t === "ok",
      );
      sent.push(`${n}`);
    };
    const talk = Promise.all(
      rooms.map(async id => {
        for (let n = 0; n < 40; n++) await send(id, n);
      }),
    );
    await eventually("it is under way", () => sent.length > 30);
    await mortal.stop();
    await talk;
    for (const id of rooms) {
      await eventually("all is there", () => [one, two].every(({ socket }) => texts(socket, id).length === 40));
      expect(texts(two.socket, id)).toEqual(Array.from({ length: 40 }, (_, n) => `${n}`));
    }
  });
});
