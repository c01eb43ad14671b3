import { expectStatus, say, Stage, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";

describe("archived rooms and owners", () => {
  let stage: Stage;
  let owner: Client;
  let second: Client;
  let member: Client;
  let stranger: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    owner = await stage.withRoles("owner", ["User", "Moderator"]);
    [second, member, stranger] = (await stage.users("second", "member", "stranger")) as [Client, Client, Client];
  });
  afterAll(() => stage.end());

  const roles = async (room: string): Promise<Record<string, string>> => {
    const { items } = (await stage.admin.get(`/api/channels/${room}/members`)).body;
    return Object.fromEntries(items.map((item: Body) => [item.userId, item.role]));
  };

  test("an archived room is read, and nobody writes, types or comes in", async () => {
    const room = await stage.channel([member], { owner });
    const message = await say(member, room, "before");
    const { code } = expectStatus(await owner.post(`/api/channels/${room}/invites`, {}), 201).body;
    const socket = await member.socket([room]);
    expect(await socket.request({ t: "typing", room, on: true })).toMatchObject({ t: "ok" });
    expect((await member.post(`/api/channels/${room}/archive`)).status).toBe(403);
    const { archivedAt } = expectStatus(await owner.post(`/api/channels/${room}/archive`), 200).body;
    expect(Date.parse(archivedAt)).toBeGreaterThan(0);
    expect((await owner.post(`/api/channels/${room}/archive`)).body.archivedAt).toBe(archivedAt);
    const told = await socket.frame("the room", frame => frame.kind === "room");
    expect(told.data.archivedAt).toBe(archivedAt);
    const refused = { code: "FORBIDDEN", detail: "This room is archived." };
    for (const frame of [
      { t: "send", room, text: "x" },
      { t: "edit", room, id: message.id, text: "x" },
      { t: "react", room, id: message.id, emoji: "👍" },
      { t: "typing", room, on: true },
    ])
      expect(await socket.request(frame)).toMatchObject(refused);
    for (const answer of [
      await owner.post(`/api/channels/${room}/messages`, { text: "x" }),
      await owner.put(`/api/messages/${message.id}/pin`),
      await stranger.post(`/api/channels/${room}/join`),
      await stranger.post(`/api/invites/${code}/join`),
      await owner.post(`/api/channels/${room}/members`, { userId: stranger.id }),
      await owner.post(`/api/channels/${room}/invites`, {}),
    ])
      expect(answer.body).toMatchObject(refused);
    expect((await stranger.get(`/api/channels/${room}/messages`)).body.items).toMatchObject([{ text: "before" }]);
    // Others make channels too, where the server is shared.
    const ids = async (query: string): Promise<string[]> => {
      const all: string[] = [];
      for (let page = 1; ; page += 1) {
        const { items, total } = (await stranger.get(`/api/channels?pageSize=100&page=${page}${query}`)).body as Body;
        all.push(...(items as Body[]).map(item => item.id as string));
        if (page * 100 >= total) return all;
      }
    };
    expect([(await ids("")).includes(room), (await ids("&archived=true")).includes(room)]).toEqual([false, true]);

    expect((await owner.post(`/api/channels/${room}/unarchive`)).body).not.toHaveProperty("archivedAt");
    await say(member, room, "again");
    expect(await ids("")).toContain(room);
    expect((await stranger.post(`/api/channels/${room}/join`)).status).toBe(204);
  });

  test("a message that was on its way is either before the archiving or refused", async () => {
    const room = await stage.channel([member], { owner });
    const [watch, his] = [await owner.socket([room]), await member.socket()];
    const answers = [];
    let under = true;
    const archiving = owner.post(`/api/channels/${room}/archive`).finally(() => (under = false));
    // Some are on their way all the time, and some come too late.
    while (under && answers.length < 40) answers.push(await his.request({ t: "send", room, text: "x" }));
    await archiving;
    for (let late = 0; late < 5; late++) answers.push(await his.request({ t: "send", room, text: "late" }));
    const stored = answers.filter(({ t }) => t === "ok").length;
    expectStatus(await archiving, 200);
    await watch.frame("the room", frame => frame.kind === "room");
    await watch.settle();
    const events = watch.events(room);
    const at = events.findIndex(({ kind }) => kind === "room");
    expect(events.slice(at + 1).filter(({ kind }) => kind === "message")).toEqual([]);
    expect(events.filter(({ kind }) => kind === "message")).toHaveLength(stored);
  });

  test("an owner passes the room on in one step, to a member", async () => {
    const room = await stage.channel([second], { owner });
    const pass = (by: Client, to: Client) => by.post(`/api/channels/${room}/owner`, { userId: to.id });
    expect((await pass(second, second)).status).toBe(422);
    expect((await pass(second, owner)).status).toBe(403);
    expect((await pass(owner, stranger)).status).toBe(404);
    expect((await pass(owner, second)).status).toBe(204);
    expect(await roles(room)).toEqual({ [owner.id]: "moderator", [second.id]: "owner" });
    expect((await pass(owner, second)).status).toBe(403);
  });

  test("two owners who demote, ban or pass on to each other at once leave one at least", async () => {
    const room = await stage.channel([second], { owner });
    for (let round = 0; round < 6; round++) {
      for (const { id: userId } of [owner, second])
        for (const by of [owner, second, stage.admin])
          await by.post(`/api/channels/${room}/members`, { userId, role: "owner" });
      const demote = (by: Client, whom: Client) =>
        by.post(`/api/channels/${room}/members`, { userId: whom.id, role: "member" });
      const pass = (by: Client, to: Client) => by.post(`/api/channels/${room}/owner`, { userId: to.id });
      const act = round % 2 ? demote : pass;
      await Promise.all([act(owner, second), act(second, owner)]);
      const owners = Object.values(await roles(room)).filter(role => role === "owner");
      expect(owners.length).toBeGreaterThanOrEqual(1);
    }
  });
});
