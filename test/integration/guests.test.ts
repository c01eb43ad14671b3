import type { ServiceBroker } from "moleculer";
import { freePort } from "../../deploy/local/servers/ports";
import Auth from "../../services/auth/auth.service";
import type { AuthService } from "../../services/auth/parts";
import { call, type SignedIn } from "../../services/core/contract";
import Messages from "../../services/messages/messages.service";
import Presence from "../../services/presence/presence.service";
import Rooms from "../../services/rooms/rooms.service";
import Users from "../../services/users/users.service";
import WsGateway from "../../services/ws-gateway/ws-gateway.service";
import { codeOf, identity, startNode, TestClock, until } from "../support/broker";
import { SocketClient } from "../support/socket";

const DAY = 86_400_000;

describe("guests who do not come back", () => {
  // Behind the time of the tokens, which is the machine's: days pass, and no token expires.
  const clock = new TestClock(Date.now() - 30 * DAY);
  const admin = { meta: { user: identity(undefined, ["Admin"]) } };
  let node: ServiceBroker;
  let url: string;
  const sockets: SocketClient[] = [];

  beforeAll(async () => {
    const port = await freePort();
    url = `ws://127.0.0.1:${port}/ws`;
    const env = { PORT: String(port), GUESTS: "true", GUEST_DAYS: "7", RATE_LIMIT: "count" };
    node = await startNode({ services: [Auth, Users, Rooms, Messages, Presence, WsGateway], env, clock });
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.cut();
  });

  const sweep = (): void => (node.getLocalService("auth") as unknown as AuthService).sweeper.hurry();
  const come = () => call(node, "auth.guest", {});
  const refresh = ({ refreshToken }: SignedIn) => call(node, "auth.refresh", { refreshToken });
  const isThere = async ({ user: { id } }: SignedIn) => (await call(node, "users.record", { id })) !== null;
  async function connect({ accessToken }: SignedIn): Promise<SocketClient> {
    const socket = await SocketClient.open(url);
    sockets.push(socket);
    expect(await socket.hello(accessToken)).toMatchObject({ t: "welcome" });
    return socket;
  }

  it("are gone after so many days, and with them their sessions, sockets and places in rooms", async () => {
    const [lost, back, grown] = [await come(), await come(), await come()];
    const { id: room } = await call(node, "rooms.create", { name: "lobby", isPrivate: true }, admin);
    await call(node, "rooms.addMember", { id: room, userId: lost.user.id }, admin);
    await call(node, "users.update", { id: grown.user.id, roles: ["User"] }, admin);
    const [left, stays] = [await connect(lost), await connect(back)];

    clock.advance(7 * DAY - 1);
    const again = await refresh(back);
    const newest = await come();
    clock.advance(1);
    await until(async () => {
      sweep();
      return !(await isThere(lost));
    });
    expect((await left.untilClosed()).code).toBe(4101);
    expect(await codeOf(refresh(lost))).toBe("UNAUTHENTICATED");
    const late = await SocketClient.open(url);
    sockets.push(late);
    expect(await late.hello(lost.accessToken)).toMatchObject({ t: "err", code: "UNAUTHENTICATED" });
    await until(async () => {
      const { items } = await call(node, "rooms.members", { id: room, page: 1, pageSize: 10 }, admin);
      return items.every(({ userId }) => userId !== lost.user.id);
    });

    // Who was given tokens meanwhile counts from then; who is more than a guest by now is none of theirs.
    for (const one of [back, newest, grown]) expect(await isThere(one)).toBe(true);
    expect(await stays.request({ t: "ping" })).toMatchObject({ t: "pong" });
    clock.advance(7 * DAY - 1);
    await until(async () => {
      sweep();
      return !(await isThere(back)) && !(await isThere(newest));
    });
    expect((await stays.untilClosed()).code).toBe(4101);
    expect(await codeOf(refresh(again))).toBe("UNAUTHENTICATED");
    expect(await isThere(grown)).toBe(true);
  });
});
