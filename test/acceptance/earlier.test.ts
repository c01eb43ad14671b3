import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import { SignalrClient } from "../support/signalr";

/** A newcomer who reads from his coming on, and messages that name one from before. */
describe("what answers a message that one may not read", () => {
  let url: string;
  let stage: Stage;
  let owner: Client;
  let member: Client;

  beforeAll(async () => {
    const server = await startServer();
    url = server.url;
    stage = await Stage.on(server);
    owner = await stage.withRoles("owner", ["User", "Moderator"]);
    member = await stage.user("member");
  });
  afterAll(() => stage.end());

  const SECRET = "said before he came";

  /** A room with a message, a thread on it, and then a newcomer. */
  async function scene(): Promise<{ room: string; root: Body; newcomer: Client }> {
    const body = { name: unique("later"), isPrivate: true, history: "joined" };
    const room = expectStatus(await owner.post("/api/channels", body), 201).body.id as string;
    const let_ = async (who: Client) =>
      expectStatus(await owner.post(`/api/channels/${room}/members`, { userId: who.id }), 201);
    await let_(member);
    const root = await say(owner, room, SECRET);
    await say(member, room, `${SECRET}, too`, { threadId: root.id });
    const newcomer = await stage.user("newcomer");
    await let_(newcomer);
    return { room, root, newcomer };
  }

  test("reads as it was said, and what it names is not there, by any door (REST, native, SignalR)", async () => {
    const { room, root, newcomer } = await scene();
    const socket = await newcomer.socket([room]);
    const signalr = await SignalrClient.open(url, newcomer.token as string);
    await signalr.invoke("JoinChannel", room);
    const reply = await say(owner, room, `look @${newcomer.username}`, { replyTo: root.id });
    const inThread = await say(member, room, `you too @${newcomer.username}`, { threadId: root.id });
    await socket.frame("the last", frame => frame.data?.id === inThread.id);

    const { items } = expectStatus(await newcomer.get(`/api/channels/${room}/messages?limit=10`), 200).body;
    expect(items).toEqual([
      expect.objectContaining({ id: reply.id, replyTo: root.id }),
      expect.objectContaining({ id: inThread.id, threadId: root.id }),
    ]);
    for (const path of ["", "/replies", "/receipts", "/versions"]) {
      const answer = await newcomer.get(`/api/messages/${root.id}${path}`);
      expect([path, answer.status, answer.body.code]).toEqual([path, 404, "NOT_FOUND"]);
    }
    expect(await socket.request({ t: "call", method: "messages.get", params: { id: root.id } })).toMatchObject({
      ...{ t: "err", code: "NOT_FOUND" },
    });
    // By what he may read of the thread he finds what was said there since he came.
    const thread = expectStatus(await newcomer.get(`/api/messages/${inThread.id}/replies`), 200).body;
    expect(thread.items.map(({ id }: Body) => id)).toEqual([inThread.id]);
    expect(thread.hasBefore).toBe(false);
    const threads = expectStatus(await newcomer.get(`/api/channels/${room}/threads`), 200).body;
    expect(threads.items).toEqual([]);
    // He has no part in a thread that he cannot open: nothing of it stays unread.
    const { items: rooms } = expectStatus(await newcomer.get("/api/rooms"), 200).body;
    const [own] = rooms.filter((one: Body) => one.room.id === room);
    expect(own).toMatchObject({ unread: 1, mentions: 1, lastMessage: { id: reply.id } });
    expect(own).not.toHaveProperty("threads");
    const open = expectStatus(await newcomer.get(`/api/channels/${room}/open`), 200).body;
    const pins = (await newcomer.get(`/api/channels/${room}/pins`)).body;
    const told = [socket.frames, signalr.all("ReceiveMessage"), items, thread, threads, open, pins];
    expect(JSON.stringify(told)).not.toContain(SECRET);
    await signalr.close();
  });

  test("he answers it neither directly nor in its thread", async () => {
    const { room, root, newcomer } = await scene();
    const inThread = await say(member, room, "after", { threadId: root.id });
    for (const field of ["replyTo", "threadId"]) {
      const answer = await newcomer.post(`/api/channels/${room}/messages`, { text: "x", [field]: root.id });
      expect(answer).toMatchObject({ status: 422, body: { code: "INVALID", errors: [{ field }] } });
    }
    await say(newcomer, room, "to what he may read", { replyTo: inThread.id });
  });
});
