import { expectStatus, Stage, type Client } from "../support/client";
import type { Body } from "../support/rest";
import { startServer } from "../support/server";

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
      const id = await room();
      await give(id, second, "moderator");
      const made = await link(id, second);
      expectStatus(await look(comer, made), 200);
      await deactivate(second);
      expectStatus(await look(comer, made), 404);
      expectStatus(await accept(comer, made), 404);
      // Who is in is in, whatever became of it.
      expectStatus(await accept(member, made), 200);
      await activate(second);
      expectStatus(await accept(comer, made), 200);
    });

    test("that lets somebody in is named in the audit log, once, and never its code", async () => {
      const id = await room();
      const made = await link(id, owner);
      const guest = await stage.user("by-link");
      for (let twice = 0; twice < 2; twice++) expectStatus(await accept(guest, made), 200);
      const { items } = expectStatus(
        await stage.admin.get(`/api/audit?type=room.invite&object=${id}&actor=${guest.id}`),
        200,
      ).body;
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
  });
});
