import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";
import { TOLD } from "../support/socket";
import { SignalrClient } from "../support/signalr";
import { SocketioClient } from "../support/socketio";

describe("links into rooms, and guests", () => {
  let stage: Stage;
  let url: string;
  let owner: Client;
  let member: Client;
  let guest: Client;
  let people: Client[];

  beforeAll(async () => {
    const server = await startServer();
    url = server.url;
    stage = await Stage.on(server);
    owner = await stage.withRoles("owner", ["User", "Moderator"]);
    member = await stage.user("member");
    guest = await stage.withRoles("guest", ["Guest"]);
    people = await stage.users(...Array.from({ length: 12 }, (_, n) => `p${n}`));
  });
  afterAll(() => stage.end());

  const invite = async (room: string, body: object = {}, by = owner): Promise<Body> =>
    expectStatus(await by.post(`/api/channels/${room}/invites`, body), 201).body;
  const accept = (who: Client, code: string) => who.post(`/api/invites/${code}/join`);

  test("a link shows where it leads and lets in, without a word of its code in the list", async () => {
    const room = await stage.channel([member], { owner, isPrivate: true });
    const [one] = people as [Client];
    const made = await invite(room, { uses: 3 });
    expect(made).toMatchObject({ role: "member", uses: 3, used: 0, createdBy: owner.id, url: `/#invite=${made.code}` });
    expect(Buffer.from(made.code, "base64url").length - 16).toBeGreaterThanOrEqual(16);
    expect((await one.get(`/api/invites/${made.code}`)).body).toEqual({
      room: { id: room, type: "channel", name: expect.any(String), isPrivate: true, memberCount: 2 },
      invitedBy: { id: owner.id, username: owner.username },
      ...{ role: "member", expiresAt: made.expiresAt, member: false },
    });
    expect((await one.get(`/api/channels/${room}`)).status).toBe(404);
    for (let twice = 0; twice < 2; twice++)
      expect(await accept(one, made.code)).toMatchObject({ status: 200, body: { id: room, role: "member" } });
    const { items } = expectStatus(await owner.get(`/api/channels/${room}/invites`), 200).body;
    expect(items).toMatchObject([{ id: made.id, used: 1, last4: made.code.slice(-4) }]);
    expect(JSON.stringify(items)).not.toContain(made.code.slice(0, -4));
    expect((await stage.nobody.get(`/api/invites/${made.code}`)).status).toBe(401);
  });

  test("of twelve who come at once to a link for five exactly five get in (S27: REST)", async () => {
    const room = await stage.channel([], { owner, isPrivate: true });
    const { code } = await invite(room, { uses: 5 });
    const answers = await Promise.all(people.flatMap(who => [accept(who, code), accept(who, code)]));
    expect(answers.every(({ status }) => status === 200 || status === 404)).toBe(true);
    const { items } = (await owner.get(`/api/channels/${room}/members`)).body;
    expect(items).toHaveLength(6);
    const inside = new Set(items.map((item: { userId: string }) => item.userId));
    people.forEach((who, n) => {
      const own = [answers[2 * n]?.status, answers[2 * n + 1]?.status];
      expect(own).toEqual(inside.has(who.id) ? [200, 200] : [404, 404]);
    });
    expect((await people[0]?.get(`/api/invites/${code}`))?.status).toBe(404);
  });

  test("a link that was closed, and one that never was, are the same to everybody", async () => {
    const room = await stage.channel([], { owner, isPrivate: true });
    const [first, second] = [await invite(room), await invite(room)];
    expectStatus(await owner.delete(`/api/channels/${room}/invites/${first.id}`), 204);
    expectStatus(await owner.delete(`/api/channels/${room}/invites/${second.code}`), 204);
    const answers = await Promise.all(
      [first.code, second.code, `${(first.code as string).slice(0, 22)}${"A".repeat(43)}`, "nonsense"].map(
        async code => [(await accept(member, code)).body, (await member.get(`/api/invites/${code}`)).body],
      ),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]?.[0]).toMatchObject({ code: "NOT_FOUND" });
    expect((await owner.get(`/api/channels/${room}/invites`)).body.items).toEqual([]);
  });

  test("those who run a room make links, fifty at most; theirs end with their role, and let no banned one in", async () => {
    const room = await stage.channel([member], { owner });
    expect((await member.post(`/api/channels/${room}/invites`, {})).status).toBe(403);
    expectStatus(await owner.post(`/api/channels/${room}/members`, { userId: member.id, role: "moderator" }), 201);
    const { code } = await invite(room, {}, member);
    const [one, two] = people as [Client, Client];
    expectStatus(await owner.put(`/api/channels/${room}/bans/${one.id}`, {}), 204);
    expect((await accept(one, code)).status).toBe(403);
    expect((await one.get(`/api/invites/${code}`)).status).toBe(403);
    expectStatus(await owner.delete(`/api/channels/${room}/members/${member.id}`), 204);
    expect((await accept(two, code)).status).toBe(404);
    const made = await Promise.all(Array.from({ length: 52 }, () => owner.post(`/api/channels/${room}/invites`, {})));
    expect(made.filter(({ status }) => status === 201)).toHaveLength(50);
    expect(made.filter(({ status }) => status === 409)).toHaveLength(2);
    for (const body of [{ uses: 0 }, { expiresInHours: 0 }, { expiresInHours: 9_000 }, { role: "owner" }, { no: 1 }])
      expect((await owner.post(`/api/channels/${room}/invites`, body)).status).toBe(422);
    const direct = await stage.direct(owner, two);
    expect((await owner.post(`/api/conversations/${direct}/invites`, {})).status).toBe(403);
  });

  test("a guest of a room reads what is said since he came, posts, and neither pins nor invites nor calls everybody", async () => {
    const made = await owner.post("/api/conversations", { type: "group", members: [member.id], name: "g" });
    const group = expectStatus(made, 201).body.id as string;
    const before = await say(owner, group, "before");
    const { code } = await invite(group, { role: "guest" });
    expect((await guest.get(`/api/invites/${code}`)).body).toMatchObject({ role: "guest", room: { type: "group" } });
    expectStatus(await accept(guest, code), 200);
    const after = await say(guest, group, "hello @all");
    expect(after.mentionsAll).toBeUndefined();
    expect((await say(member, group, "hello @all")).mentionsAll).toBe(true);
    const { items } = (await guest.get(`/api/conversations/${group}/messages`)).body;
    expect(items.map((item: { text: string }) => item.text)).toEqual(["hello @all", "hello @all"]);
    expect((await guest.get(`/api/messages/${before.id}`)).status).toBe(404);
    expect((await guest.put(`/api/messages/${after.id}/pin`)).status).toBe(403);
    expect((await member.put(`/api/messages/${after.id}/pin`)).status).toBe(200);
    expect((await guest.post(`/api/conversations/${group}/invites`, {})).status).toBe(403);
    expect((await guest.post(`/api/conversations/${group}/members`, { userId: member.id })).status).toBe(403);
    expect((await guest.patch(`/api/conversations/${group}`, { name: "x" })).status).toBe(403);
    // A moderator makes him a member, who reads everything here.
    expectStatus(await owner.post(`/api/conversations/${group}/members`, { userId: guest.id, role: "member" }), 201);
    expect((await guest.get(`/api/messages/${before.id}`)).status).toBe(200);
  });

  test("where newcomers read from their coming on, they do; the setting is the owner's", async () => {
    const body = { name: unique("later"), isPrivate: true, history: "joined" };
    const room = expectStatus(await owner.post("/api/channels", body), 201).body;
    expect(room.history).toBe("joined");
    await say(owner, room.id, "before");
    expectStatus(await owner.post(`/api/channels/${room.id}/members`, { userId: member.id, role: "moderator" }), 201);
    const texts = async () => (await member.get(`/api/channels/${room.id}/messages`)).body.items.length;
    expect(await texts()).toBe(0);
    expect((await member.patch(`/api/channels/${room.id}`, { history: "all" })).status).toBe(403);
    expect((await owner.patch(`/api/channels/${room.id}`, { history: "all" })).body.history).toBe("all");
    expect(await texts()).toBe(0);
    expectStatus(await member.post(`/api/channels/${room.id}/leave`), 204);
    expectStatus(await owner.post(`/api/channels/${room.id}/members`, { userId: member.id }), 201);
    expect(await texts()).toBe(1);
  });

  test("public channels are not there for a guest of the installation, by any door, until he is let in", async () => {
    const room = await stage.channel([member], { owner });
    const { id } = await say(member, room, "open to all");
    const form = new FormData();
    form.set("file", new Blob(["some text"]), "some.txt");
    const file = expectStatus(await member.raw("POST", "/api/files", form), 201).body;
    await say(member, room, "with a file", { attachments: [file.id] });
    for (const path of ["", "/messages", "/members", "/open", "/export", "/bans", "/invites"])
      expect([path, (await guest.get(`/api/channels/${room}${path}`)).status]).toEqual([path, 404]);
    expect((await guest.post(`/api/channels/${room}/join`)).status).toBe(404);
    expect((await guest.post(`/api/channels/${room}/messages`, { text: "x" })).status).toBe(404);
    for (const path of [`/api/messages/${id}`, file.url as string]) expect((await guest.get(path)).status).toBe(404);
    const names = async () => (await guest.get("/api/channels?pageSize=100")).body.items.map((item: Body) => item.id);
    expect(await names()).not.toContain(room);
    const socket = await guest.socket();
    expect(await socket.sub([room])).toMatchObject({ rooms: { [room]: { state: "denied", code: "NOT_FOUND" } } });
    for (const frame of [
      { t: "history", room },
      { t: "typing", room },
      { t: "read", room, seq: 1 },
    ])
      expect(await socket.request(frame)).toMatchObject({ t: "err", code: "NOT_FOUND" });
    const hello = await guest.connect();
    expect(await hello.hello(guest.token as string, { [room]: null })).toMatchObject({
      rooms: { [room]: { state: "denied", code: "NOT_FOUND" } },
    });
    const signalr = await SignalrClient.open(url, guest.token as string);
    const socketio = await SocketioClient.open(url, guest.token as string);
    await expect(signalr.invoke("JoinChannel", room)).rejects.toThrow(/NOT_FOUND/);
    expect(await socketio.ask("join", room)).toMatchObject({ ok: false, code: "NOT_FOUND" });
    await signalr.close();
    socketio.close();
    expect((await guest.post("/api/conversations", { type: "direct", members: [member.id] })).status).toBe(403);

    expectStatus(await owner.post(`/api/channels/${room}/members`, { userId: guest.id }), 201);
    expect(await names()).toContain(room);
    await socket.sub([room]);
    await say(guest, room, "let in");
    // Leaving a channel that is public for all others ends his reading.
    expectStatus(await guest.post(`/api/channels/${room}/leave`), 204);
    await socket.frame("unsub", frame => frame.t === "unsub" && frame.room === room, TOLD);
    expect((await guest.get(`/api/channels/${room}`)).status).toBe(404);
  });
});
