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
    const [url, token] = [stage.server.url, client.token as string];
    const hubs = await Promise.all(
      (["WebSockets", "ServerSentEvents", "LongPolling"] as const).map(async transport => {
        const hub = await SignalrClient.open(url, token, { transport });
        await hub.invoke("JoinChannel", room);
        return {
          name: `SignalR over ${transport}`,
          heard: () => JSON.stringify(hub.called),
          ended: new Promise(resolve => hub.hub.onclose(resolve)),
          close: () => hub.close(),
        };
      }),
    );
    const ios = await Promise.all(
      [["websocket"], ["polling"]].map(async transports => {
        const io = await SocketioClient.open(url, token, { reconnection: false, transports });
        await io.ask("join", { channelId: room });
        return {
          name: `Socket.IO over ${transports}`,
          heard: () => JSON.stringify(io.told),
          ended: once(io.socket as unknown as NodeJS.EventEmitter, "disconnect"),
          close: () => io.close(),
        };
      }),
    );
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
      ...hubs,
      ...ios,
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
    "is shut out": ({ id }) => stage.admin.post(`/api/users/${id}/deactivate`),
    "is deleted": ({ id }) => stage.admin.delete(`/api/users/${id}`),
    "is signed out from another device": async client => (await stage.login(client)).delete("/api/auth/sessions"),
    "has a new password from another device": async client => {
      const body = { currentPassword: client.password, newPassword: "another-good-password" };
      return (await stage.login(client)).post("/api/auth/password", body);
    },
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

  test.each(["is shut out", "is deleted"])(
    "who %s has left no link by which his files or those of others open (S15: files)",
    async name => {
      const [user, other] = (await stage.users("user", "other")) as [Client, Client];
      const room = await stage.channel([user, other]);
      const files: string[] = [];
      for (const owner of [user, other]) {
        const made = expectStatus(await owner.raw("POST", "/api/files?name=a.txt", "words", {}), 201);
        files.push(made.body.id as string);
        await say(owner, room, "with a file", { attachments: files.slice(-1) });
      }
      const links: string[] = [];
      for (const file of files)
        links.push(expectStatus(await user.get(`/api/files/${file}/link`), 200).body.url as string);
      for (const link of links) expectStatus(await stage.nobody.get(link), 200);
      expect((await (ENDINGS[name] as (typeof ENDINGS)[string])(user)).status).toBeLessThan(300);
      for (const link of links) expectStatus(await stage.nobody.get(link), 404);
    },
  );

  test("a place that was kept by negotiating is nobody's once its session has ended, whoever of his asks for it (S15: SignalR)", async () => {
    const user = await stage.user("user");
    const other = await stage.login(user);
    const at = `${stage.server.url}/hubs/chat`;
    const as = ({ token }: Client) => ({ authorization: `Bearer ${token}` });
    const answer = await fetch(`${at}/negotiate?negotiateVersion=1`, { method: "POST", headers: as(user) });
    const { connectionToken } = (await answer.json()) as { connectionToken: string };
    expectStatus(await user.post("/api/auth/logout", {}), 204);
    const place = `${at}?id=${connectionToken}`;
    const poll = () => fetch(place, { headers: as(other) });
    expect((await fetch(place, { headers: as(user) })).status).toBe(401);
    // He is who kept it, by a session that goes on: the place is still of the one that has ended.
    expect((await poll()).status).toBe(200);
    const body = '{"protocol":"json","version":1}\x1e';
    expect((await fetch(place, { method: "POST", headers: as(other), body })).status).toBe(200);
    const said = await (await poll()).text();
    expect(said).toContain('"type":7');
    expect(said).toContain("token bad or expired");
  });

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
