import { once } from "node:events";
import { shut } from "../support/admission";
import { expectStatus, say, Stage, type Client } from "../support/client";
import { PATIENCE, within } from "../support/eventually";
import { startServer } from "../support/server";
import { SignalrClient } from "../support/signalr";
import { SocketioClient } from "../support/socketio";

interface Connection {
  name: string;
  /** Everything it was told, as text. */
  heard(): string;
  ended: Promise<unknown>;
  close(): unknown;
}

describe("who may no more, while connected", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  afterAll(() => stage.end());

  /** On every wire; of a cluster's gateways the native ones reach each in turn. */
  async function connections(client: Client, room: string): Promise<Connection[]> {
    const [one, other] = [await client.socket([room]), await client.socket([room])];
    const hub = await SignalrClient.open(stage.server.url, client.token as string);
    await hub.invoke("JoinChannel", room);
    const io = await SocketioClient.open(stage.server.url, client.token as string, { reconnection: false });
    await io.ask("join", { channelId: room });
    const headers = { authorization: `Bearer ${client.token}` };
    const stream = await fetch(`${stage.server.url}/stream?rooms=${room}:0`, { headers });
    let streamed = "";
    const read = async (): Promise<void> => {
      for await (const part of stream.body!) streamed += Buffer.from(part).toString();
    };
    return [
      ...[one, other].map(socket => ({
        name: "native",
        heard: () => socket.texts.join(),
        ended: socket.untilClosed(),
        close: () => socket.cut(),
      })),
      {
        name: "SignalR",
        heard: () => JSON.stringify(hub.called),
        ended: new Promise(resolve => hub.hub.onclose(resolve)),
        close: () => hub.close(),
      },
      {
        name: "Socket.IO",
        heard: () => JSON.stringify(io.told),
        ended: once(io.socket as unknown as NodeJS.EventEmitter, "disconnect"),
        close: () => io.close(),
      },
      {
        name: "stream",
        heard: () => streamed,
        ended: read().catch(() => undefined),
        close: () => stream.body?.cancel().catch(() => undefined),
      },
    ];
  }

  const ENDINGS: Record<string, (client: Client) => Promise<{ status: number }>> = {
    "logs out": client => client.post("/api/auth/logout", {}),
    "gets other roles": ({ id }) => stage.admin.patch(`/api/users/${id}`, { roles: ["User", "Moderator"] }),
    "is deleted": ({ id }) => stage.admin.delete(`/api/users/${id}`),
  };
  test.each(Object.keys(ENDINGS))(
    "who %s hears nothing more anywhere, and his token opens no door (S15: REST, native, SignalR, Socket.IO, stream, files)",
    async name => {
      const [user, other] = (await stage.users("user", "other")) as [Client, Client];
      const room = await stage.channel([user, other]);
      const open = await connections(user, room);
      expect((await (ENDINGS[name] as (typeof ENDINGS)[string])(user)).status).toBeLessThan(300);
      // The product says within 2 s, which bench/revocation.ts measures.
      for (const { name: wire, ended } of open)
        await within(
          PATIENCE,
          `${wire} ends`,
          ended.then(() => undefined),
        );
      await shut(stage.server, user.token as string);
      await say(other, room, "a canary afterwards");
      for (const { heard, close } of open) {
        expect(heard()).not.toContain("canary");
        await close();
      }
    },
  );

  test("who is removed from a room hears of it no more on any wire, and reads no more of it (S24: REST, native, SignalR, Socket.IO, stream, files)", async () => {
    const [user, other] = (await stage.users("user", "other")) as [Client, Client];
    const room = await stage.channel([user, other], { isPrivate: true });
    const file = expectStatus(await other.raw("POST", "/api/files?name=a.txt", "words", {}), 201).body.id as string;
    const before = await say(other, room, "before", { attachments: [file] });
    const link = expectStatus(await user.get(`/api/files/${file}/link`), 200).body.url as string;
    const open = await connections(user, room);
    expectStatus(await stage.admin.delete(`/api/channels/${room}/members/${user.id}`), 204);
    await say(other, room, "a canary afterwards");
    // What comes after it on the same connections shows that it would have come.
    const elsewhere = await stage.direct(other, user);
    const mark = await say(other, elsewhere, "in another room");
    const witness = await other.socket([room]);
    await witness.settle();
    for (const path of ["", "/messages", "/members", "/open", "/pins", "/threads"])
      expect((await user.get(`/api/channels/${room}${path}`)).status).toBe(404);
    for (const path of [`/api/messages/${before.id}`, `/api/files/${file}`, `/api/files/${file}/link`])
      expect((await user.get(path)).status).toBe(404);
    expect((await stage.nobody.get(link)).status).toBe(404);
    const again = await user.socket({ [room]: 0 });
    expect(again.texts.join()).toContain('"denied"');
    const late = await user.socket();
    expect(await late.request({ t: "history", room })).toMatchObject({ t: "err", code: "NOT_FOUND" });
    for (const { name, heard, close } of open) {
      expect([name, heard().includes("canary")]).toEqual([name, false]);
      await close();
    }
    expect((await user.get(`/api/messages/${mark.id}`)).status).toBe(200);
  });
});
