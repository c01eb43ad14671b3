import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import type { Answer, Body } from "../support/rest";
import { startServer } from "../support/server";

const linesOf = ({ body }: Answer): Body[] =>
  (body as string)
    .trimEnd()
    .split("\n")
    .map(line => JSON.parse(line) as Body);
const ofType = (lines: Body[], type: string): Body[] => lines.filter(line => line.type === type);

describe("export", () => {
  let stage: Stage;
  let ann: Client;
  let bob: Client;
  let eve: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
    [ann, bob, eve] = (await stage.users("ann", "bob", "eve")) as [Client, Client, Client];
  });
  afterAll(() => stage.end());

  const exported = async (client: Client, path: string): Promise<Body[]> => {
    const answer = expectStatus(await client.get(path), 200);
    expect(answer.headers.get("content-type")).toMatch(/^application\/x-ndjson/);
    return linesOf(answer);
  };

  test("of a room: header, members, messages as they are now, oldest first, and an end that counts them", async () => {
    const owner = await stage.withRoles("owner", ["User", "Moderator"]);
    const room = await stage.channel([ann, bob], { owner, isPrivate: true });
    const first = await say(ann, room, "first");
    const edited = await say(bob, room, "secnd", { replyTo: first.id });
    expectStatus(await bob.patch(`/api/messages/${edited.id}`, { text: "second" }), 200);
    const gone = await say(ann, room, "a secret");
    expectStatus(await ann.delete(`/api/messages/${gone.id}`), 200);
    expectStatus(await ann.put(`/api/messages/${first.id}/reactions/${encodeURIComponent("👍")}`), 200);
    const file = expectStatus(await ann.raw("POST", "/api/files?name=note.txt", "hello"), 201).body;
    await say(ann, room, "with a file", { attachments: [file.id] });
    expectStatus(await bob.post(`/api/channels/${room}/leave`), 204);

    const lines = await exported(owner, `/api/channels/${room}/export`);
    const [header] = lines;
    const head = { offset: expect.any(Number), seq: 4 };
    expect(header).toMatchObject({
      type: "export",
      version: 1,
      kind: "room",
      room: { id: room, isPrivate: true },
      head,
    });
    expect(lines.map(({ type }) => type)).toEqual([
      "export",
      ...["member", "member", "member"],
      ...["message", "message", "message", "message"],
      "end",
    ]);
    const members = ofType(lines, "member");
    expect(members.map(({ username, role, state }) => [username, role, state])).toEqual([
      [ann.username, "member", "member"],
      [bob.username, "member", "left"],
      [owner.username, "owner", "member"],
    ]);
    expect(members.some(member => "email" in member)).toBe(false);
    const messages = ofType(lines, "message");
    const now = await Promise.all(messages.map(({ id }) => owner.get(`/api/messages/${id}`)));
    expect(messages.map(({ type: _, ...message }) => message)).toEqual(now.map(({ body }) => body));
    expect(messages.map(({ text }) => text)).toEqual(["first", "second", "", "with a file"]);
    expect(lines.at(-1)).toEqual({ type: "end", messages: 4, members: 3 });

    const linked = ofType(await exported(owner, `/api/channels/${room}/export?files=links`), "message");
    const [attachment] = linked[3].attachments;
    expect(attachment).toMatchObject({ id: file.id, name: "note.txt", url: file.url, size: 5 });
    const opened = await fetch(stage.server.url + attachment.link);
    expect([opened.status, await opened.text()]).toEqual([200, "hello"]);
  });

  test("of a room is for its owners, for both of a direct room, and for who manages all", async () => {
    const room = await stage.channel([ann], { isPrivate: true, owner: stage.admin });
    const mine = expectStatus(await ann.post("/api/conversations", { type: "group", members: [bob.id] }), 201).body.id;
    const direct = await stage.direct(ann, bob);
    const status = async (client: Client, path: string): Promise<number> => (await client.get(path)).status;
    expect(await status(ann, `/api/channels/${room}/export`)).toBe(403);
    expect(await status(eve, `/api/channels/${room}/export`)).toBe(404);
    expect(await status(bob, `/api/conversations/${mine}/export`)).toBe(403);
    expect(await status(ann, `/api/conversations/${mine}/export`)).toBe(200);
    expect(await status(bob, `/api/conversations/${direct}/export`)).toBe(200);
    expect(await status(eve, `/api/conversations/${direct}/export`)).toBe(404);
    expect(await status(ann, `/api/conversations/${mine}/export?files=bytes`)).toBe(422);
    expect((await stage.nobody.get(`/api/channels/${room}/export`)).status).toBe(401);
    const all = await exported(stage.admin, `/api/conversations/${direct}/export`);
    expect(
      ofType(all, "member")
        .map(({ email }) => email)
        .sort(),
    ).toEqual([ann, bob].map(c => c.user.email).sort());
  });

  test("of a person's data: what is his in all rooms he was ever in, and nothing of others", async () => {
    const [kim, other] = (await stage.users("kim", "other")) as [Client, Client];
    const room = await stage.channel([kim, other], { isPrivate: true });
    const left = await stage.channel([kim, other]);
    const said = await say(kim, room, "mine");
    const theirs = await say(other, room, unique("theirs"));
    await say(kim, left, "before I went");
    expectStatus(await kim.put(`/api/messages/${theirs.id}/reactions/👍`), 200);
    expectStatus(await kim.put(`/api/messages/${theirs.id}/reactions/🎉`), 200);
    expectStatus(await kim.delete(`/api/messages/${theirs.id}/reactions/👍`), 200);
    expectStatus(await kim.put(`/api/messages/${said.id}/reactions/👀`), 200);
    expectStatus(await kim.delete(`/api/messages/${said.id}/reactions/👀`), 200);
    expectStatus(await kim.put(`/api/messages/${said.id}/reactions/👀`), 200);
    expectStatus(await kim.post(`/api/channels/${left}/leave`), 204);
    const file = expectStatus(await kim.raw("POST", "/api/files?name=kept.txt", "kept"), 201).body;

    const lines = await exported(kim, `/api/users/${kim.id}/export`);
    expect(lines[0]).toMatchObject({ kind: "person", user: { id: kim.id, email: kim.user.email } });
    const texts = ofType(lines, "message").map(({ channelId, text }) => [channelId, text]);
    expect(texts.sort()).toEqual([[room, "mine"], [left, "before I went"]].sort()); // prettier-ignore
    expect(
      ofType(lines, "reaction")
        .map(({ messageId, emoji }) => [messageId, emoji])
        .sort(),
    ).toEqual(
      [[theirs.id, "🎉"], [said.id, "👀"]].sort(), // prettier-ignore
    );
    const standing = ofType(lines, "membership").map(({ roomId, state }) => [roomId, state]);
    expect(standing.sort()).toEqual([[room, "member"], [left, "left"]].sort()); // prettier-ignore
    expect(ofType(lines, "mark").find(({ roomId }) => roomId === room)).toMatchObject({ read: 1 });
    expect(ofType(lines, "file")).toMatchObject([{ id: file.id, name: "kept.txt", size: 4 }]);
    expect(ofType(lines, "session")).toHaveLength(1);
    expect(lines.at(-1)).toMatchObject({ type: "end", messages: 2, reactions: 2, memberships: 2, files: 1 });
    const whole = JSON.stringify(lines);
    expect(whole).not.toContain(theirs.text);
    expect(whole).not.toContain(kim.refreshToken);

    expect((await other.get(`/api/users/${kim.id}/export`)).status).toBe(403);
    expect((await stage.admin.get(`/api/users/${kim.id}/export`)).status).toBe(200);
  });
});
