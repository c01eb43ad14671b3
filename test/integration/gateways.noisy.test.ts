import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { freePort } from "../../deploy/local/servers/ports";
import { nodesWith } from "../../mixins/nodes";
import Auth from "../../services/auth/auth.service";
import { call } from "../../services/core/contract";
import { newId } from "../../services/core/ids";
import type { Channel, Message, Page } from "../../services/core/model";
import Messages from "../../services/messages/messages.service";
import Presence from "../../services/presence/presence.service";
import Rooms from "../../services/rooms/rooms.service";
import Users from "../../services/users/users.service";
import WsGateway from "../../services/ws-gateway/ws-gateway.service";
import { NoisyNats } from "../chaos/noisy-nats";
import { comeIn } from "../support/accounts";
import { identity, makeNode } from "../support/broker";
import { afterFile } from "../support/cleanup";
import { eventually } from "../support/eventually";
import { describeCluster, mongoUrl, natsUrl } from "../support/servers";
import { SocketClient } from "../support/socket";

const SENT = 150;

/** A writer whose packets come twice, late and past one another, as no NATS would bring them. */
describeCluster("a writer that hears badly", () => {
  const namespace = randomUUID();
  let noise: NoisyNats;
  let services: ServiceBroker;
  let url: string;

  beforeAll(async () => {
    const [mongo, nats] = [await mongoUrl(), await natsUrl()];
    noise = await NoisyNats.start(new URL(nats).host);
    afterFile(() => noise.stop());
    const node = async (schemas: unknown[], transporter: string, wsPort = 0): Promise<ServiceBroker> => {
      const env = { TRANSPORTER: transporter, MONGO_URL: mongo, WS_PORT: String(wsPort), RATE_LIMIT: "count" };
      const broker = makeNode({ services: schemas, env, cluster: namespace });
      afterFile(() => broker.stop());
      await broker.start();
      return broker;
    };
    const wsPort = await freePort();
    await node([Messages], `nats://${noise.address}`);
    services = await node([Auth, Users, Rooms, Presence], nats);
    const gateway = await node([WsGateway], nats, wsPort);
    url = `ws://127.0.0.1:${wsPort}/ws`;
    await eventually("the writer is known", () => nodesWith(gateway, "messages").length === 1);
    await eventually("the gateway is known", () => nodesWith(services, "ws-gateway").length === 1);
  });

  it("stores what one person sends in its order, and once; what it refuses it does not store", async () => {
    const username = `u-${newId().slice(-10)}`;
    const account = { username, email: `${username}@example.org`, password: "correct horse" };
    const { user, accessToken } = await comeIn(call(services, "auth.register", account));
    const meta = { user: { ...identity(user.id, ["Admin"]), username } };
    const { id } = (await call(services, "rooms.create", { name: `r-${newId()}` }, { meta })) as Channel;
    await call(services, "rooms.join", { id }, { meta });
    const socket = await SocketClient.open(url);
    await eventually(
      "let in",
      () => socket.hello(accessToken, { [id]: null }),
      ({ t }) => t === "welcome",
    );

    noise.share = 0.25;
    const answers: Promise<string>[] = [];
    for (let n = 0; n < SENT; n++) {
      const answer = socket.request({ t: "send", room: id, text: String(n) });
      answers.push(answer.then(({ t, code }) => (t === "ok" ? "stored" : String(code))));
      await turn();
    }
    const outcomes = await Promise.all(answers);
    noise.share = 0;

    const shown = outcomes.flatMap((outcome, n) => (outcome === "stored" ? [n] : []));
    const refused = outcomes.flatMap((outcome, n) => (outcome === "UNAVAILABLE" ? [n] : []));
    const kept = await stored(id, meta);
    expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
    expect(kept).toEqual(expect.arrayContaining(shown));
    expect(kept.filter(n => refused.includes(n))).toEqual([]);
    // Else it was the noise that was missing, or all there is.
    expect(shown.length).toBeGreaterThan(SENT / 4);
    expect(outcomes.every(outcome => ["stored", "UNAVAILABLE", "UNKNOWN_OUTCOME"].includes(outcome))).toBe(true);
    socket.cut();
  });

  /** The numbers in a room, oldest first. */
  async function stored(id: string, meta: object): Promise<number[]> {
    const found: number[] = [];
    for (let after = 0; ;) {
      const page = (await call(services, "messages.history", { id, after, limit: 100 }, { meta })) as Page<Message>;
      const items = page.items.toSorted((a, b) => a.seq - b.seq);
      found.push(...items.map(({ text }) => Number(text)));
      const last = items.at(-1);
      if (!last) return found;
      after = last.seq;
    }
  }
});
