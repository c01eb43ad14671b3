import { say, Stage, type Client } from "../support/client";
import { startServer } from "../support/server";
import { TOLD } from "../support/socket";

describe("members", () => {
  let stage: Stage;
  let owner: Client;
  let helper: Client;
  let member: Client;
  let stranger: Client;
  let room: string;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    owner = await stage.withRoles("owner", ["User", "Moderator"]);
    [helper, member, stranger] = (await stage.users("helper", "member", "stranger")) as [Client, Client, Client];
    room = await stage.channel([member], { owner, isPrivate: true });
    await owner.post(`/api/channels/${room}/members`, { userId: helper.id, role: "moderator" });
  });
  afterAll(() => stage.end());

  const path = (id = "") => `/api/channels/${room}/members${id && `/${id}`}`;

  test("the list names everybody with his role", async () => {
    const { status, body } = await member.get(path());
    expect(status).toBe(200);
    const roles = body.items.map((item: { userId: string; role: string }) => [item.userId, item.role]);
    expect(new Map(roles)).toEqual(
      new Map([
        [owner.id, "owner"],
        [helper.id, "moderator"],
        [member.id, "member"],
      ]),
    );
  });

  test("owner and moderators add; members and strangers may not", async () => {
    const user = await stage.user();
    expect((await member.post(path(), { userId: user.id })).status).toBe(403);
    expect((await stranger.post(path(), { userId: user.id })).status).toBe(404);
    expect(await helper.post(path(), { userId: user.id })).toMatchObject({
      status: 201,
      body: { userId: user.id, role: "member" },
    });
    expect((await user.get(`/api/channels/${room}`)).status).toBe(200);
  });

  test("adding an unknown user is NOT_FOUND, an unknown role INVALID", async () => {
    expect((await owner.post(path(), { userId: "01a1fc87-9015-75b5-9683-ef4249e15e36" })).status).toBe(404);
    expect((await owner.post(path(), { userId: stranger.id, role: "emperor" })).status).toBe(422);
    expect((await owner.post(path(), {})).status).toBe(422);
  });

  test("a moderator makes no moderators and removes neither them nor the owner", async () => {
    expect((await helper.post(path(), { userId: stranger.id, role: "moderator" })).status).toBe(403);
    expect((await helper.delete(path(owner.id))).status).toBe(403);
    expect((await helper.post(path(), { userId: helper.id, role: "owner" })).status).toBe(403);
  });

  test("one who is removed gets the event of it and no more, and is told so (S24: native)", async () => {
    const user = await stage.user();
    await owner.post(path(), { userId: user.id });
    const [his, ours] = await Promise.all([user.socket([room]), owner.socket([room])]);
    expect((await owner.delete(path(user.id))).status).toBe(204);
    await say(owner, room, "after");
    await ours.frame("the message", frame => frame.data?.text === "after");
    const unsub = await his.frame("unsub", frame => frame.t === "unsub" && frame.room === room, TOLD);
    expect(unsub.code).toBe("NOT_FOUND");
    await his.settle();
    expect(his.events(room).map(event => [event.kind, event.data.userId, event.data.change])).toEqual([
      ["member", user.id, "remove"],
    ]);
    expect(await his.sub([room])).toMatchObject({ rooms: { [room]: { state: "denied", code: "NOT_FOUND" } } });
    expect((await user.get(`/api/channels/${room}/messages`)).status).toBe(404);
    expect((await owner.delete(path(user.id))).status).toBe(204);
  });

  test("members remove nobody, but themselves", async () => {
    const user = await stage.user();
    await owner.post(path(), { userId: user.id });
    expect((await user.delete(path(member.id))).status).toBe(403);
    expect((await user.delete(path(user.id))).status).toBe(204);
    expect((await user.get(`/api/channels/${room}`)).status).toBe(404);
  });

  test("a change of role is an event and takes effect", async () => {
    const user = await stage.user();
    await owner.post(path(), { userId: user.id });
    const socket = await user.socket([room]);
    await owner.post(path(), { userId: user.id, role: "moderator" });
    const event = await socket.frame("the event", frame => frame.kind === "member" && frame.data.change === "role");
    expect(event.data).toMatchObject({ userId: user.id, role: "moderator" });
    const message = await say(member, room, "to be removed");
    expect((await user.delete(`/api/messages/${message.id}`)).status).toBe(200);
  });

  test("when the last owner leaves a room somebody else owns it", async () => {
    const id = await stage.channel([member], { owner });
    expect((await owner.post(`/api/channels/${id}/leave`)).status).toBe(204);
    const { items } = (await member.get(`/api/channels/${id}/members`)).body;
    expect(items).toMatchObject([{ userId: member.id, role: "owner" }]);
  });

  test("forty joins and leaves at once end in one membership and events that alternate", async () => {
    const id = await stage.channel();
    const watcher = await stage.admin.socket([id]);
    const steps = Array.from({ length: 40 }, (_, n) => member.post(`/api/channels/${id}/${n % 2 ? "leave" : "join"}`));
    for (const answer of await Promise.all(steps)) expect(answer.status).toBe(204);
    expect((await member.post(`/api/channels/${id}/join`)).status).toBe(204);
    await say(member, id, "in");
    await watcher.frame("the message", frame => frame.data?.text === "in");
    const changes = watcher
      .events(id)
      .filter(event => event.kind === "member")
      .map(event => event.data.change);
    changes.forEach((change, n) => expect(change).toBe(n % 2 ? "leave" : "join"));
    const { items } = (await stage.admin.get(`/api/channels/${id}/members`)).body;
    expect(items.filter((item: { userId: string }) => item.userId === member.id)).toHaveLength(1);
  });
});
