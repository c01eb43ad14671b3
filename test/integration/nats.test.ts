import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import type { Context, ServiceBroker, ServiceSchema } from "moleculer";
import { platformOf } from "../../config/platform";
import { startNats, type NatsServer } from "../../deploy/local/servers";
import { LinkLostError, NatsLink } from "../../mixins/nats/link";
import { NatsRoomBus } from "../../mixins/nats/room-bus.nats";
import type { RoomPacket } from "../../services/core/room-bus";
import { codeOf, makeNode as makeTestNode, until } from "../support/broker";
import { describeNats } from "../support/servers";
import { TcpProxy } from "../support/tcp-proxy";
import { temporaryFolder } from "../support/temp";

/** Milliseconds, far more than it takes and less than a call may. */
const AT_ONCE = 15_000;
const ROOM = "0197a1b2-0000-7000-8000-000000000001";
const OTHER = "0197a1b2-0000-7000-8000-000000000002";
const log = { info: () => undefined, warn: () => undefined };

const packet = (offset: number, room = ROOM): RoomPacket => ({
  type: "events",
  room,
  events: [{ offset, seq: offset, kind: "message", data: JSON.stringify({ text: `number ${offset}` }) }],
});

describeNats("ties between nodes over NATS", () => {
  let server: NatsServer;
  const closing: (() => Promise<unknown>)[] = [];
  /** Ends the one call that waits for it, so that a stop need not. */
  let release: (value: null) => void = () => undefined;

  beforeAll(async () => {
    server = await startNats();
  });
  afterEach(async () => {
    await server.start();
    release(null);
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(() => server.stop());

  async function link(url = server.url): Promise<NatsLink> {
    const made = await NatsLink.open(url, "test", log);
    closing.push(() => made.close());
    return made;
  }

  function makeNode(namespace: string, services: ServiceSchema[] = []): ServiceBroker {
    const env = { TRANSPORTER: server.url, MONGO_URL: "mongodb://127.0.0.1:9/nobody", SERVICES: "files" };
    const broker = makeTestNode({ services, env, cluster: namespace });
    closing.push(() => broker.stop());
    return broker;
  }

  async function node(namespace: string, services: ServiceSchema[] = []): Promise<ServiceBroker> {
    const broker = makeNode(namespace, services);
    await broker.start();
    return broker;
  }

  const echo: ServiceSchema = {
    name: "echo",
    actions: {
      say: {
        auth: "internal",
        visibility: "public",
        params: { text: "string" },
        handler: (ctx: Context<{ text: string }>) => ctx.params.text,
      },
      never: { auth: "internal", visibility: "public", handler: () => new Promise(resolve => (release = resolve)) },
    },
  };

  it("a room's packets reach all who subscribed, in order, and nobody else", async () => {
    const [writer, reader, second] = [await link(), await link(), await link()].map(l => new NatsRoomBus(l, "t1."));
    const got: number[] = [];
    const gotToo: number[] = [];
    const note = (into: number[]) => (p: RoomPacket) =>
      p.type === "events" && into.push(...p.events.map(e => e.offset));
    const leave = await reader?.subscribe(ROOM, note(got));
    await second?.subscribe(ROOM, note(gotToo));
    for (let offset = 1; offset <= 500; offset++) {
      writer?.publish(packet(offset));
      writer?.publish(packet(offset, OTHER));
    }
    await until(() => got.length === 500 && gotToo.length === 500);
    expect(got).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
    leave?.();
    writer?.publish(packet(501));
    await until(() => gotToo.length === 501);
    expect(got).toHaveLength(500);
  });

  it("a packet published right after a subscription resolved is not missed, from another process neither", async () => {
    const [writer, reader] = [new NatsRoomBus(await link(), "t2."), new NatsRoomBus(await link(), "t2.")];
    for (let n = 0; n < 100; n++) {
      const room = randomUUID();
      let got = 0;
      await reader.subscribe(room, () => got++);
      writer.publish(packet(1, room));
      await until(() => got === 1);
    }
  });

  it("while the server is away a subscription is refused, publishing harms nobody, and subscriptions are there again after it", async () => {
    const [a, b] = [await link(), await link()];
    const [writer, reader] = [new NatsRoomBus(a, "t3."), new NatsRoomBus(b, "t3.")];
    const got: number[] = [];
    await reader.subscribe(ROOM, p => p.type === "events" && got.push(...p.events.map(e => e.offset)));
    const told: string[] = [];
    b.onDown(() => told.push("down"));
    b.onUp(() => told.push("up"));
    await server.kill9();
    await until(() => !a.up && !b.up);
    expect(b.downFor).toBeGreaterThanOrEqual(0);
    writer.publish(packet(1));
    expect(await codeOf(reader.subscribe(OTHER, () => undefined))).toBe("UNAVAILABLE");
    await server.start();
    await until(() => a.up && b.up);
    expect(told).toEqual(["down", "up"]);
    expect(b.downFor).toBe(0);
    writer.publish(packet(2));
    await until(() => got.length > 0);
    expect(got).toEqual([2]);
  });

  it("a server that says nothing is taken for gone, counted from when it may have fallen silent", async () => {
    const proxy = await TcpProxy.start(`127.0.0.1:${server.port}`);
    closing.push(() => proxy.stop());
    const held = await link(`nats://${proxy.address}`);
    proxy.answers("hold");
    await until(() => !held.up);
    expect(held.downFor).toBeGreaterThan(2_000);
    proxy.answers("pass");
    await until(() => held.up);
  });

  it("who starts before the server waits for it", async () => {
    await server.kill9();
    const waiting = NatsLink.open(server.url, "early", log);
    await server.start();
    const early = await waiting;
    expect(early.up).toBe(true);
    await early.close();
  });

  it("refused credentials end the start with one plain line", async () => {
    const guarded = await startNats({ config: credentialsFile() });
    try {
      const refused = NatsLink.open(guarded.url.replace("//", "//somebody:wrong@"), "test", log);
      await expect(refused).rejects.toThrow(LinkLostError);
      await expect(refused).rejects.toThrow("NATS refuses these credentials");
      const welcome = await NatsLink.open(guarded.url.replace("//", "//rookery:p%40ss@"), "test", log);
      await welcome.close();
    } finally {
      await guarded.stop();
    }
  });

  it("a node that waits for NATS at its start is not ready and names the cause, until NATS is there", async () => {
    await server.stop();
    const broker = makeNode(randomUUID());
    const { health } = platformOf(broker);
    const started = broker.start();
    await until(async () => (await health.report()).checks["nats"] === "down");
    expect(await health.report()).toMatchObject({ status: "unavailable", checks: { nats: "down", start: "down" } });
    await server.start();
    await started;
    await until(async () => (await health.report()).status === "ok");
  });

  it("a call between nodes is answered, refused at once while NATS is away, and answered again after it", async () => {
    const namespace = randomUUID();
    const [caller] = [await node(namespace), await node(namespace, [echo])];
    const say = (timeout: number) => codeOf(Promise.resolve(caller?.call("echo.say", { text: "hello" }, { timeout })));
    const isAnswered = async () => (await say(1_000)) === 'resolved: "hello"';
    await until(isAnswered);
    await server.kill9();
    await until(() => platformOf(caller as ServiceBroker).link?.up === false);
    const before = performance.now();
    expect(["UNAVAILABLE", "SERVICE_NOT_FOUND"]).toContain(await say(2 * AT_ONCE));
    expect(performance.now() - before).toBeLessThan(AT_ONCE);
    expect((await platformOf(caller as ServiceBroker).health.report()).checks).toMatchObject({ nats: "down" });
    await server.start();
    await until(isAnswered);
    await until(async () => (await platformOf(caller as ServiceBroker).health.report()).checks["nats"] === "ok");
  });

  it("a call under way when NATS goes is answered within its timeout", async () => {
    const namespace = randomUUID();
    const [caller] = [await node(namespace), await node(namespace, [echo])];
    await caller.waitForServices("echo");
    const answer = codeOf(Promise.resolve(caller.call("echo.never", {}, { timeout: 1_500 })));
    await server.kill9();
    expect(await answer).toBe("REQUEST_TIMEOUT");
    expect((caller as unknown as { _trackedContexts: unknown[] })._trackedContexts).toEqual([]);
  });

  it("a node stops in order while NATS is away", async () => {
    const alone = await node(randomUUID());
    await server.kill9();
    await until(() => platformOf(alone).link?.up === false);
    closing.pop();
    await alone.stop();
    expect(platformOf(alone).link?.connection.isClosed()).toBe(true);
  });

  it("a node that falls silent is taken for dead, and a call to it is rejected", async () => {
    const namespace = randomUUID();
    const caller = await node(namespace);
    const silent = await node(namespace, [echo]);
    await caller.waitForServices("echo");
    const answer = codeOf(Promise.resolve(caller.call("echo.never", {}, { timeout: 30_000 })));
    (silent.registry.discoverer as unknown as { stopHeartbeatTimers(): void }).stopHeartbeatTimers();
    expect(await answer).toBe("REQUEST_REJECTED");
  });

  it("somebody else's bytes on a room's subject are dropped", async () => {
    const bus = new NatsRoomBus(await link(), "t4.");
    let got = 0;
    await bus.subscribe(ROOM, () => got++);
    const stranger = await connect({ servers: server.url.replace("nats://", "") });
    stranger.publish(`t4.${ROOM}`, "not a packet");
    stranger.publish(`t4.${ROOM}`, new Uint8Array([0xff, 0x00]));
    await stranger.flush();
    await stranger.close();
    bus.publish(packet(1));
    await until(() => got > 0);
    expect(got).toBe(1);
  });
});

function credentialsFile(): string {
  const file = join(temporaryFolder(), "nats.conf");
  writeFileSync(file, 'authorization { users = [{ user: "rookery", password: "p@ss" }] }');
  return file;
}
