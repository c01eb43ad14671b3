import { expectStatus, say, Stage, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Answer, Body } from "../support/rest";
import { startServer } from "../support/server";
import type { SocketClient } from "../support/socket";

/** Rights in rooms that rest on what somebody is, and end or pass on with it. */
describe("rights in rooms", () => {
  let stage: Stage;
  let owner: Client;
  let member: Client;
  let second: Client;
  let comer: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    owner = await stage.withRoles("owner", ["User", "Moderator"]);
    [member, second, comer] = (await stage.users("member", "second", "comer")) as [Client, Client, Client];
  });
  afterAll(() => stage.end());

  const room = (members: Client[] = [member], isPrivate = true) => stage.channel(members, { owner, isPrivate });
  const give = async (id: string, who: Client, role: string, by = owner) =>
    expectStatus(await by.post(`/api/channels/${id}/members`, { userId: who.id, role }), 201);
  const link = async (id: string, by: Client): Promise<Body> =>
    expectStatus(await by.post(`/api/channels/${id}/invites`, {}), 201).body;
  const accept = (who: Client, { code }: Body) => who.post(`/api/invites/${code}/join`);
  const look = (who: Client, { code }: Body) => who.get(`/api/invites/${code}`);
  const deactivate = async (who: Client) =>
    expectStatus(await stage.admin.post(`/api/users/${who.id}/deactivate`), 200);
  const activate = async (who: Client) => expectStatus(await stage.admin.post(`/api/users/${who.id}/activate`), 200);
  const rolesIn = async (id: string, by: Client): Promise<Record<string, string>> => {
    const { items } = expectStatus(await by.get(`/api/channels/${id}/members`), 200).body;
    return Object.fromEntries(items.map((item: Body) => [item.userId, item.role]));
  };

  /** As many as there are to be: a busy server stores some after its answer. */
  const recorded = (count: number, query: string): Promise<Body[]> =>
    eventually(
      `${count} records of ${query}`,
      async () => expectStatus(await stage.admin.get(`/api/audit?${query}`), 200).body.items as Body[],
      ({ length }) => length >= count,
    );

  describe("a link", () => {
    test("of an Admin who is no member holds while he is one", async () => {
      const public_ = await room([], false);
      const [kept, gone] = [
        await stage.withRoles("kept", ["User", "Admin"]),
        await stage.withRoles("gone", ["User", "Admin"]),
      ];
      const [of, other] = [await link(public_, kept), await link(public_, gone)];
      expectStatus(await look(comer, of), 200);
      expectStatus(await stage.admin.patch(`/api/users/${kept.id}`, { roles: ["User"] }), 200);
      expectStatus(await stage.admin.delete(`/api/users/${gone.id}`), 204);
      for (const made of [of, other]) {
        expectStatus(await look(comer, made), 404);
        expectStatus(await accept(comer, made), 404);
      }
      expect(Object.keys(await rolesIn(public_, owner))).toEqual([owner.id]);
    });

    test("of a moderator does not hold while he is deactivated", async () => {
      const helper = await stage.user("helper");
      const id = await room([member, helper]);
      await give(id, helper, "moderator");
      const made = await link(id, helper);
      expectStatus(await look(comer, made), 200);
      await deactivate(helper);
      expectStatus(await look(comer, made), 404);
      expectStatus(await accept(comer, made), 404);
      // Who is in is in, whatever became of it.
      expectStatus(await accept(member, made), 200);
      await activate(helper);
      expectStatus(await accept(comer, made), 200);
    });

    test("is listed as one that lets nobody in while that is so", async () => {
      const [kept, helper] = [await stage.withRoles("kept", ["User", "Admin"]), await stage.user("helper")];
      const id = await room([helper], false);
      await give(id, helper, "moderator");
      const made = [await link(id, owner), await link(id, kept), await link(id, helper)];
      const active = async () => {
        const { items } = expectStatus(await owner.get(`/api/channels/${id}/invites`), 200).body;
        return made.map(one => items.find((item: Body) => item.id === one.id)?.active);
      };
      expect(made.map(one => one.active)).toEqual([true, true, true]);
      expect(await active()).toEqual([true, true, true]);
      expectStatus(await stage.admin.patch(`/api/users/${kept.id}`, { roles: ["User"] }), 200);
      await deactivate(helper);
      expect(await active()).toEqual([true, false, false]);
      for (const [at, one] of made.entries()) expectStatus(await look(comer, one), at === 0 ? 200 : 404);
      await activate(helper);
      expect(await active()).toEqual([true, false, true]);
      expectStatus(await owner.post(`/api/channels/${id}/archive`), 200);
      expect(await active()).toEqual([false, false, false]);
      expectStatus(await accept(comer, made[0]), 403);
      // What does not hold is closed like any other.
      expectStatus(await owner.delete(`/api/channels/${id}/invites/${made[1]?.id}`), 204);
      expect((await active())[1]).toBeUndefined();
    });

    test("that lets somebody in is named in the audit log, once, and never its code", async () => {
      const id = await room();
      const made = await link(id, owner);
      const guest = await stage.user("by-link");
      for (let twice = 0; twice < 2; twice++) expectStatus(await accept(guest, made), 200);
      const items = await recorded(1, `type=room.invite&object=${id}&actor=${guest.id}`);
      expect(items).toMatchObject([{ result: "ok", detail: { invite: made.id, used: true } }]);
      expect(JSON.stringify(items)).not.toContain(made.code);
    });
  });

  describe("who runs the installation", () => {
    test("is not banned from a room", async () => {
      const id = await room([], false);
      const answer = await owner.put(`/api/channels/${id}/bans/${stage.admin.id}`, {});
      expect(answer).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
      expectStatus(await stage.admin.get(`/api/channels/${id}`), 200);
      // Whom he has banned before may still be banned anew.
      expectStatus(await owner.put(`/api/channels/${id}/bans/${member.id}`, {}), 204);
    });

    test("keeps his rights where he was banned before he did", async () => {
      const [id, other] = [await room([], false), await room([], false)];
      const risen = await stage.user("risen");
      for (const banned of [id, other]) {
        expectStatus(await owner.put(`/api/channels/${banned}/bans/${risen.id}`, {}), 204);
        expectStatus(await risen.get(`/api/channels/${banned}`), 403);
      }
      expectStatus(await stage.admin.patch(`/api/users/${risen.id}`, { roles: ["User", "Admin"] }), 200);
      const admin = await stage.login(risen);
      expectStatus(await admin.get(`/api/channels/${id}`), 200);
      expectStatus(await admin.post(`/api/channels/${id}/archive`), 200);
      expectStatus(await admin.get(`/api/channels/${id}/bans`), 200);
      expectStatus(await admin.delete(`/api/channels/${id}/bans/${admin.id}`), 204);
      expectStatus(await admin.delete(`/api/channels/${other}`), 204);
    });

    test("neither reads, writes nor joins there before he has lifted the ban, which is recorded (REST, native)", async () => {
      const id = await room([], false);
      const { id: message } = await say(owner, id, "hello");
      const risen = await stage.user("risen");
      expectStatus(await owner.put(`/api/channels/${id}/bans/${risen.id}`, {}), 204);
      expectStatus(await stage.admin.patch(`/api/users/${risen.id}`, { roles: ["User", "Admin"] }), 200);
      const admin = await stage.login(risen);
      const { code } = await link(id, owner);
      const socket = await admin.socket();
      const asks = async () => [
        (await admin.get(`/api/channels/${id}/messages`)).status,
        (await admin.get(`/api/messages/${message}`)).status,
        (await admin.delete(`/api/messages/${message}`)).status,
        (await socket.sub([id])).rooms[id].code,
        (await admin.post(`/api/channels/${id}/join`)).status,
        (await accept(admin, { code })).status,
        (await admin.post(`/api/channels/${id}/messages`, { text: "x" })).status,
      ];
      expect(await asks()).toEqual([403, 404, 403, "FORBIDDEN", 403, 404, 403]);
      expectStatus(await admin.delete(`/api/channels/${id}/bans/${admin.id}`), 204);
      const { items } = expectStatus(await stage.admin.get(`/api/audit?type=room.unban&object=${id}`), 200).body;
      expect(items).toMatchObject([{ actor: admin.id, detail: { userId: admin.id } }]);
      expect(await asks()).toEqual([200, 200, 200, undefined, 204, 200, 201]);
    });
  });

  test("what is refused of a room is recorded with the room, at either door (REST, native)", async () => {
    const [one, other] = [await room([member]), await room([member])];
    const socket = await member.socket();
    for (const id of [one, other]) {
      expectStatus(await member.put(`/api/channels/${id}/bans/${comer.id}`, {}), 403);
      const params = { id, userId: comer.id };
      expect(await socket.request({ t: "call", method: "rooms.ban", params })).toMatchObject({ code: "FORBIDDEN" });
      const query = `type=access.denied&actor=${member.id}&object=${id}`;
      const items = await recorded(2, query);
      expect(items.map(({ detail }: Body) => detail.what).sort()).toEqual([
        "PUT /channels/:id/bans/:userId",
        "rooms.ban",
      ]);
    }
  });

  describe("a muted member", () => {
    const mute = async (id: string, who: Client) =>
      expectStatus(await owner.put(`/api/channels/${id}/mutes/${who.id}`, {}), 204);
    const changes = async (watch: SocketClient, id: string, who: Client) => {
      await say(who, id, "heard");
      await watch.frame("the message", frame => frame.data?.text === "heard");
      return watch
        .events(id)
        .filter(({ kind, data }) => kind === "member" && data.userId === who.id)
        .map(({ data }) => [data.change, data.role]);
    };
    const RISE = [
      ["role", "owner"],
      ["unmute", undefined],
    ];

    test("who is given the room is heard, by transfer and by role", async () => {
      for (const way of ["owner", "members"]) {
        const id = await room();
        await mute(id, member);
        const watch = await owner.socket([id]);
        expectStatus(await member.post(`/api/channels/${id}/messages`, { text: "no" }), 403);
        const body = way === "members" ? { userId: member.id, role: "owner" } : { userId: member.id };
        const answer = await owner.post(`/api/channels/${id}/${way}`, body);
        expect(answer.status).toBeLessThan(300);
        expect(await changes(watch, id, member)).toEqual(RISE);
      }
    });

    test("inherits behind all others, and is heard then", async () => {
      const id = await room([member, second]);
      await mute(id, member);
      expectStatus(await owner.post(`/api/channels/${id}/leave`), 204);
      expect(await rolesIn(id, second)).toEqual({ [member.id]: "member", [second.id]: "owner" });
      const watch = await member.socket([id]);
      expectStatus(await second.post(`/api/channels/${id}/leave`), 204);
      expect(await changes(watch, id, member)).toEqual(RISE);
    });
  });

  describe("a Moderator of the installation", () => {
    const silence = (by: Client, id: string, who: Client) => by.put(`/api/channels/${id}/mutes/${who.id}`, {});

    test("mutes members where he reads, and decides on nobody else nor on who is there", async () => {
      const moderator = await stage.withRoles("global", ["User", "Moderator"]);
      const [open, hidden] = [await room([member, second], false), await room([member])];
      await give(open, second, "moderator");
      const told = await owner.socket([open]);
      expectStatus(await silence(moderator, open, member), 204);
      await told.frame("the mute", frame => frame.data?.change === "mute" && frame.data.userId === member.id);
      expectStatus(await member.post(`/api/channels/${open}/messages`, { text: "x" }), 403);
      const { items } = expectStatus(await moderator.get(`/api/channels/${open}/members`), 200).body;
      expect(items.find((item: Body) => item.userId === member.id).muted).toMatchObject({ by: moderator.id });
      expectStatus(await moderator.delete(`/api/channels/${open}/mutes/${member.id}`), 204);
      await say(member, open, "heard again");
      // Those who run the room are the owner's matter, and strangers nobody's.
      for (const who of [second, owner]) expectStatus(await silence(moderator, open, who), 403);
      expectStatus(await silence(moderator, open, comer), 404);
      expectStatus(await moderator.put(`/api/channels/${open}/bans/${member.id}`, {}), 403);
      expectStatus(await moderator.delete(`/api/channels/${open}/members/${member.id}`), 403);
      expectStatus(await moderator.get(`/api/channels/${open}/bans`), 403);
      expectStatus(await silence(moderator, hidden, member), 404);
      const direct = await stage.direct(moderator, member);
      expectStatus(await moderator.put(`/api/conversations/${direct}/mutes/${member.id}`, {}), 403);
    });

    test("does not end a mute of his own", async () => {
      const moderator = await stage.withRoles("global", ["User", "Moderator"]);
      const id = await room([moderator], false);
      expectStatus(await silence(owner, id, moderator), 204);
      expectStatus(await moderator.delete(`/api/channels/${id}/mutes/${moderator.id}`), 403);
      expectStatus(await moderator.post(`/api/channels/${id}/messages`, { text: "x" }), 403);
    });
  });

  describe("who inherits a room without its past", () => {
    const texts = async (id: string, who: Client) => {
      const { items } = expectStatus(await who.get(`/api/channels/${id}/messages`), 200).body;
      return items.map(({ text }: Body) => text);
    };
    /** A private channel with something in it, which its owner leaves to somebody who has come since. */
    const inherited = async (role: string, history: string): Promise<string> => {
      const id = await room([]);
      expectStatus(await owner.patch(`/api/channels/${id}`, { history }), 200);
      await say(owner, id, "before");
      await give(id, comer, role);
      expectStatus(await owner.post(`/api/channels/${id}/leave`), 204);
      expect(await rolesIn(id, comer)).toEqual({ [comer.id]: "owner" });
      return id;
    };

    test.each([
      ["guest", "all"],
      ["guest", "joined"],
      ["member", "joined"],
    ])("a %s of a room with history %s opens it to nobody, himself included", async (role, history) => {
      const id = await inherited(role, history);
      expect((await comer.get(`/api/channels/${id}`)).body.history).toBe("joined");
      for (const edit of [{ history: "all" }, { isPrivate: false }, { name: "named", history: "all" }])
        expect(await comer.patch(`/api/channels/${id}`, edit)).toMatchObject({
          status: 403,
          body: { detail: "Nobody opens to others what he does not read himself." },
        });
      expect((await comer.patch(`/api/channels/${id}`, { history: "joined" })).status).toBe(200);
      for (const come of ["guest", "member", "moderator", "owner"]) await give(id, second, come, comer);
      expect(await texts(id, second)).toEqual([]);
      // By neither way of coming, and also not as owner whom he has made.
      expectStatus(await second.patch(`/api/channels/${id}`, { history: "all" }), 403);
      expectStatus(await comer.post(`/api/channels/${id}/leave`), 204);
      expectStatus(await accept(comer, await link(id, second)), 200);
      await say(second, id, "after");
      expect(await texts(id, comer)).toEqual(["after"]);
      // Who runs the installation may read all of it anyway, as an export, and opens it.
      await give(id, stage.admin, "member", second);
      expectStatus(await stage.admin.patch(`/api/channels/${id}`, { history: "all" }), 200);
      expectStatus(await second.patch(`/api/channels/${id}`, { history: "joined" }), 200);
      expectStatus(await second.patch(`/api/channels/${id}`, { history: "all" }), 200);
      await give(id, member, "member", second);
      expect(await texts(id, member)).toEqual(["before", "after"]);
    });

    test("who reads all of it does as he likes, and so does who was given the room", async () => {
      const whole = await inherited("member", "all");
      expectStatus(await comer.patch(`/api/channels/${whole}`, { history: "joined" }), 200);
      expectStatus(await comer.patch(`/api/channels/${whole}`, { isPrivate: false }), 200);
      const given = await room([]);
      expectStatus(await owner.patch(`/api/channels/${given}`, { history: "joined" }), 200);
      await give(given, comer, "member");
      expectStatus(await owner.post(`/api/channels/${given}/owner`, { userId: comer.id }), 204);
      expectStatus(await comer.patch(`/api/channels/${given}`, { history: "all" }), 200);
    });
  });

  describe("who takes conversations from nobody", () => {
    test("is not added to a room, except by who runs the installation", async () => {
      const shy = await stage.user("shy");
      const group = await member.post("/api/conversations", { type: "group", members: [second.id], name: "g" });
      const ids = [expectStatus(group, 201).body.id as string, await room([member]), await room([member], false)];
      for (const id of ids.slice(1)) await give(id, member, "owner");
      expectStatus(await shy.patch("/api/users/me/preferences", { privacy: { write: "nobody" } }), 200);
      for (const id of ids) {
        const add = (by: Client) => by.post(`/api/channels/${id}/members`, { userId: shy.id });
        expect(await add(member)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
        expectStatus(await shy.get(`/api/channels/${id}`), id === ids[2] ? 200 : 404);
        await give(id, stage.admin, "owner", member);
        expectStatus(await add(stage.admin), 201);
        // Who is there is not out of reach of those who run the room.
        await give(id, shy, "guest", member);
      }
    });
  });

  describe("an owner who is deactivated", () => {
    test("is moderator, and the longest-standing moderator runs his room", async () => {
      const going = await stage.withRoles("going", ["User", "Moderator"]);
      const id = await stage.channel([member, second], { owner: going, isPrivate: true });
      await give(id, second, "moderator", going);
      await deactivate(going);
      const roles = { [going.id]: "moderator", [second.id]: "owner", [member.id]: "member" };
      expect(await rolesIn(id, second)).toEqual(roles);
      await deactivate(going);
      await activate(going);
      const back = await stage.login(going);
      expect(await rolesIn(id, back)).toEqual(roles);
      // He is no heir while he is away, and may be one again.
      await deactivate(back);
      expectStatus(await second.post(`/api/channels/${id}/leave`), 204);
      expect(await rolesIn(id, member)).toEqual({ [going.id]: "moderator", [member.id]: "owner" });
    });

    test("gives nothing to a guest; one who inherits from the last member reads what he read before", async () => {
      const going = await stage.user("going");
      const made = await going.post("/api/conversations", { type: "group", members: [second.id], name: "g" });
      const id = expectStatus(made, 201).body.id as string;
      const before = await say(going, id, "before");
      expectStatus(await second.post(`/api/conversations/${id}/leave`), 204);
      await give(id, comer, "guest", going);
      await say(going, id, "after");
      await deactivate(going);
      expect(await rolesIn(id, comer)).toEqual({ [going.id]: "owner", [comer.id]: "guest" });
      expectStatus(await stage.admin.delete(`/api/users/${going.id}`), 204);
      expect(await rolesIn(id, comer)).toEqual({ [comer.id]: "owner" });
      const { items } = expectStatus(await comer.get(`/api/conversations/${id}/messages`), 200).body;
      expect(items.map(({ text }: Body) => text)).toEqual(["after"]);
      expectStatus(await comer.get(`/api/messages/${before.id}`), 404);
    });

    test("is added to nothing, written to and befriended by nobody, and given no room", async () => {
      const away = await stage.user("away");
      const [id, direct] = [await room([away]), await stage.direct(member, away)];
      expectStatus(await away.post(`/api/channels/${id}/leave`), 204);
      const inside = await room([away]);
      await deactivate(away);
      const nobody = "00000000-0000-7000-8000-000000000000";
      const asks = (userId: string) => [
        owner.post(`/api/channels/${id}/members`, { userId }),
        owner.post("/api/conversations", { type: "direct", members: [userId] }),
        owner.post("/api/conversations", { type: "group", members: [userId, member.id], name: "g" }),
        owner.put(`/api/friends/${userId}`),
        owner.post(`/api/channels/${inside}/owner`, { userId }),
        owner.post(`/api/channels/${inside}/members`, { userId, role: "owner" }),
      ];
      const said = async (answers: Promise<Answer>[]) =>
        (await Promise.all(answers)).map(({ status, body }) => [status, body.code, body.detail]);
      expect(await said(asks(away.id))).toEqual(await said(asks(nobody)));
      expect((await said(asks(away.id))).every(([status]) => status === 404)).toBe(true);
      const again = await member.post("/api/conversations", { type: "direct", members: [away.id] });
      expect(again).toMatchObject({ status: 200, body: { id: direct } });
    });
  });
});
