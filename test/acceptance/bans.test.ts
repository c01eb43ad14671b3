import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import { startServer, type Server } from "../support/server";
import { TOLD } from "../support/socket";
import { SignalrClient } from "../support/signalr";
import { SocketioClient } from "../support/socketio";

describe("bans and mutes", () => {
  let server: Server;
  let stage: Stage;
  let owner: Client;
  let helper: Client;
  let other: Client;
  let member: Client;
  let stranger: Client;

  beforeAll(async () => {
    server = await startServer();
    stage = await Stage.on(server);
    owner = await stage.withRoles("owner", ["User", "Moderator"]);
    [helper, other, member, stranger] = (await stage.users("helper", "other", "member", "stranger")) as [
      Client,
      Client,
      Client,
      Client,
    ];
  });
  afterAll(() => stage.end());

  /** A room of the owner's with two moderators and a member. */
  const made = async (isPrivate = false): Promise<string> => {
    const room = await stage.channel([member], { owner, isPrivate });
    for (const { id: userId } of [helper, other])
      expectStatus(await owner.post(`/api/channels/${room}/members`, { userId, role: "moderator" }), 201);
    return room;
  };
  const ban = (by: Client, room: string, who: Client, body: object = {}) =>
    by.put(`/api/channels/${room}/bans/${who.id}`, body);
  const mute = (by: Client, room: string, who: Client, body: object = {}) =>
    by.put(`/api/channels/${room}/mutes/${who.id}`, body);
  const soon = (ms: number) => new Date(Date.now() + ms).toISOString();
  /** On a slow machine the end may be over before it is heard of. */
  const shortened = (sentence: () => ReturnType<typeof ban>) =>
    eventually("its new end", sentence, ({ status }) => status === 204);

  test("a ban ends the reading of every socket on every gateway and wire, and nothing newer comes by any door", async () => {
    const room = await made();
    const before = await say(member, room, "before");
    const natives = [await member.socket([room]), await member.socket([room])];
    const signalr = await SignalrClient.open(server.url, member.token as string);
    const socketio = await SocketioClient.open(server.url, member.token as string);
    await signalr.invoke("JoinChannel", room);
    await socketio.ask("join", room);
    const watch = await owner.socket([room]);
    expect((await ban(helper, room, member, { reason: "noise" })).status).toBe(204);
    await say(owner, room, "after");
    await watch.frame("the message", frame => frame.data?.text === "after");
    const banned = watch.events(room).find(({ data }) => data.change === "ban");
    expect(banned?.data).toEqual({ userId: member.id, change: "ban" });
    for (const socket of natives) {
      const unsub = await socket.frame("unsub", frame => frame.t === "unsub" && frame.room === room, TOLD);
      expect(unsub.code).toBe("FORBIDDEN");
      await socket.settle();
      expect(socket.events(room).at(-1)?.offset).toBe(banned?.offset);
      const note = await socket.frame("note", frame => frame.t === "user" && frame.data.change === "ban");
      expect(note.data).toEqual({ roomId: room, change: "ban", by: helper.id, reason: "noise" });
      expect(await socket.sub([room])).toMatchObject({ rooms: { [room]: { state: "denied", code: "FORBIDDEN" } } });
      expect(await socket.request({ t: "typing", room })).toMatchObject({ t: "err", code: "FORBIDDEN" });
      expect(await socket.request({ t: "history", room })).toMatchObject({ t: "err", code: "FORBIDDEN" });
    }
    await expect(signalr.invoke("SendMessage", room, "still here")).rejects.toThrow(/FORBIDDEN/);
    await expect(signalr.invoke("JoinChannel", room)).rejects.toThrow(/FORBIDDEN/);
    expect(await socketio.ask("join", room)).toMatchObject({ ok: false, code: "FORBIDDEN" });
    expect(await socketio.ask("message", { channelId: room, text: "x" })).toMatchObject({ code: "FORBIDDEN" });
    const heard = JSON.stringify([signalr.all("ReceiveMessage"), socketio.all("message")]);
    expect(heard).not.toContain("after");
    for (const path of ["", "/messages", "/members", "/open"])
      expect((await member.get(`/api/channels/${room}${path}`)).status).toBe(403);
    expect((await member.get(`/api/messages/${before.id}`)).status).toBe(404);
    expect((await member.post(`/api/channels/${room}/join`)).status).toBe(403);
    expect((await owner.post(`/api/channels/${room}/members`, { userId: member.id })).status).toBe(409);
    expect((await member.get("/api/unread")).body.items.map((item: { roomId: string }) => item.roomId)).not.toContain(
      room,
    );
    await signalr.close();
    socketio.close();
  });

  test("who was never in is kept out, too, and a private room still does not exist for him", async () => {
    const [open, hidden] = [await made(), await made(true)];
    const socket = await stranger.socket([open]);
    for (const room of [open, hidden]) expect((await ban(owner, room, stranger)).status).toBe(204);
    await socket.frame("unsub", frame => frame.t === "unsub" && frame.room === open, TOLD);
    expect((await stranger.post(`/api/channels/${open}/join`)).status).toBe(403);
    expect((await stranger.get(`/api/channels/${hidden}`)).status).toBe(404);
    await socket.settle();
    expect(JSON.stringify(socket.frames)).not.toContain(hidden);
  });

  test("those who run the room see who is banned and end it; then he is a stranger again", async () => {
    const room = await made();
    const until = soon(3_600_000);
    expectStatus(await ban(helper, room, member, { reason: "noise", until }), 204);
    expectStatus(await ban(helper, room, member, { reason: "noise", until }), 204);
    const { status, body } = await other.get(`/api/channels/${room}/bans`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ total: 1, page: 1 });
    const [entry] = body.items;
    expect(entry).toEqual({
      ...{ userId: member.id, username: member.username, by: helper.id, reason: "noise", until },
      at: expect.any(String),
    });
    expect((await stranger.get(`/api/channels/${room}/bans`)).status).toBe(403);
    for (let again = 0; again < 2; again++)
      expect((await helper.delete(`/api/channels/${room}/bans/${member.id}`)).status).toBe(204);
    expect((await owner.get(`/api/channels/${room}/bans`)).body.total).toBe(0);
    expect((await member.get(`/api/channels/${room}`)).body).toMatchObject({ role: null, memberCount: 3 });
    expect((await member.post(`/api/channels/${room}/join`)).status).toBe(204);
  });

  test("a ban with an end ends by itself", async () => {
    const room = await made();
    expectStatus(await ban(owner, room, member, { until: soon(3_600_000) }), 204);
    expect((await member.get(`/api/channels/${room}`)).status).toBe(403);
    await shortened(() => ban(owner, room, member, { until: soon(1_000) }));
    await eventually(
      "its end",
      () => member.get(`/api/channels/${room}`),
      ({ status }) => status === 200,
    );
    expect((await owner.get(`/api/channels/${room}/bans`)).body.total).toBe(0);
    expect((await member.post(`/api/channels/${room}/join`)).status).toBe(204);
  });

  test("moderators ban neither each other nor the owner; the last owner nobody, and nobody himself", async () => {
    const room = await made();
    expect((await ban(helper, room, other)).status).toBe(403);
    expect((await ban(helper, room, owner)).status).toBe(403);
    expect((await ban(member, room, stranger)).status).toBe(403);
    expect((await ban(stage.admin, room, owner)).status).toBe(409);
    expect((await ban(owner, room, owner)).status).toBe(422);
    expect((await ban(owner, room, other)).status).toBe(204);
    expect((await ban(stage.admin, room, helper)).status).toBe(204);
    for (const body of [{ until: "tomorrow" }, { until: soon(-1_000) }, { until: 5 }, { reason: "x".repeat(301) }])
      expect((await ban(owner, room, stranger, body)).status).toBe(422);
    expect((await owner.put(`/api/channels/${room}/bans/01a1fc87-9015-75b5-9683-ef4249e15e36`, {})).status).toBe(404);
    const direct = await stage.direct(owner, member);
    expect((await owner.put(`/api/conversations/${direct}/bans/${member.id}`, {})).status).toBe(403);
  });

  test("a muted member reads, and is not heard by any door until it ends; the others are told", async () => {
    const room = await made();
    const mine = await say(member, room, "mine");
    const { id } = await say(owner, room, "hello");
    const [his, watch] = [await member.socket([room]), await owner.socket([room])];
    // Known to the gateway as somebody who may type.
    expect(await his.request({ t: "typing", room, on: true })).toMatchObject({ t: "ok" });
    const until = soon(3_600_000);
    expect((await mute(helper, room, member, { until, reason: "calm down" })).status).toBe(204);
    const told = await watch.frame("the mute", frame => frame.data?.change === "mute");
    expect(told.data).toEqual({ userId: member.id, change: "mute", until });
    const note = await his.frame("the note", frame => frame.t === "user" && frame.data.change === "mute");
    expect(note.data).toEqual({ roomId: room, change: "mute", by: helper.id, until, reason: "calm down" });
    const refused = { code: "FORBIDDEN", detail: `You are muted here until ${until}.` };
    for (const frame of [
      { t: "send", room, text: "x" },
      { t: "edit", room, id: mine.id, text: "x" },
      { t: "react", room, id, emoji: "👍" },
      { t: "typing", room, on: true },
    ])
      expect(await his.request(frame)).toMatchObject(refused);
    expect((await member.post(`/api/channels/${room}/messages`, { text: "x" })).body).toMatchObject(refused);
    expect((await member.put(`/api/messages/${id}/pin`)).body).toMatchObject(refused);
    expect(await his.request({ t: "read", room, seq: 2 })).toMatchObject({ t: "ok" });
    await say(owner, room, "read this");
    await his.frame("what others say", frame => frame.data?.text === "read this");

    const listed = async (who: Client) =>
      (await who.get(`/api/channels/${room}/members`)).body.items.find(
        (item: { userId: string }) => item.userId === member.id,
      );
    const muted = { by: helper.id, at: expect.any(String), until, reason: "calm down" };
    expect([await listed(owner), await listed(member)]).toMatchObject([{ muted }, { muted }]);
    expect(await listed(stranger)).not.toHaveProperty("muted");

    // Nobody comes back for his voice.
    expectStatus(await member.post(`/api/channels/${room}/leave`), 204);
    expectStatus(await member.post(`/api/channels/${room}/join`), 204);
    expect((await member.post(`/api/channels/${room}/messages`, { text: "x" })).body).toMatchObject(refused);
    expect((await helper.delete(`/api/channels/${room}/mutes/${member.id}`)).status).toBe(204);
    await say(member, room, "heard again");
  });

  test("a mute with an end ends by itself; it binds moderators as well", async () => {
    const room = await made();
    await say(helper, room, "before");
    expect((await mute(other, room, helper)).status).toBe(403);
    expect((await mute(owner, room, owner)).status).toBe(422);
    expect((await mute(owner, room, stranger)).status).toBe(404);
    expect((await mute(owner, room, helper, { until: soon(3_600_000) })).status).toBe(204);
    expect((await helper.post(`/api/channels/${room}/messages`, { text: "x" })).status).toBe(403);
    await shortened(() => mute(owner, room, helper, { until: soon(1_000) }));
    await eventually(
      "its end",
      () => helper.post(`/api/channels/${room}/messages`, { text: "after" }),
      ({ status }) => status === 201,
    );
    expectStatus(await mute(owner, room, helper), 204);
    expect((await helper.delete(`/api/channels/${room}/mutes/${helper.id}`)).status).toBe(403);
    expect((await helper.post(`/api/channels/${room}/messages`, { text: "x" })).body.detail).toBe(
      "You are muted here until somebody ends it.",
    );
  });

  test("of a batch that was on its way a mute keeps out all that comes after it", async () => {
    const room = await made();
    const watch = await owner.socket([room]);
    const his = await member.socket();
    const answers: string[] = [];
    let under = true;
    const muting = mute(owner, room, member).finally(() => (under = false));
    const send = async (): Promise<unknown> => answers.push((await his.request({ t: "send", room, text: "x" })).t);
    while (under && answers.length < 40) await send();
    expectStatus(await muting, 204);
    for (let late = 0; late < 5; late++) await send();
    await say(owner, room, "end");
    await watch.frame("the end", frame => frame.data?.text === "end");
    const events = watch.events(room);
    const at = events.findIndex(({ data }) => data.change === "mute");
    expect(at).toBeGreaterThanOrEqual(0);
    expect(events.slice(at).filter(({ data }) => data.senderId === member.id)).toEqual([]);
    expect(events.filter(({ data }) => data.senderId === member.id)).toHaveLength(
      answers.filter(t => t === "ok").length,
    );
  });
});
