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
    // By id: of two who registered at once either is the first.
    const ids = members.map(({ userId }) => userId as string);
    expect(ids).toEqual([...ids].sort());
    const standing = members.map(({ username, role, state }) => [username, role, state]);
    expect(standing).toHaveLength(3);
    expect(standing).toEqual(
      expect.arrayContaining([
        [ann.username, "member", "member"],
        [bob.username, "member", "left"],
        [owner.username, "owner", "member"],
      ]),
    );
    expect(members.some(member => "email" in member)).toBe(false);
    const messages = ofType(lines, "message");
    const now = await Promise.all(messages.map(({ id }) => owner.get(`/api/messages/${id}`)));
    expect(messages.map(({ type: _, versions: _before, ...message }) => message)).toEqual(now.map(({ body }) => body));
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

  test("of a room: its settings, pins, threads and what its messages said before", async () => {
    const owner = await stage.withRoles("owner", ["User", "Moderator"]);
    const room = await stage.channel([ann, bob], { owner });
    expectStatus(await owner.patch(`/api/channels/${room}`, { slowMode: 5, retentionDays: 30 }), 200);
    expectStatus(await stage.admin.patch(`/api/channels/${room}`, { legalHold: true }), 200);
    const root = await say(ann, room, "frist");
    for (const text of ["furst", "first"]) expectStatus(await ann.patch(`/api/messages/${root.id}`, { text }), 200);
    const reply = await say(bob, room, "a reply", { threadId: root.id });
    for (const { id } of [reply, root]) expectStatus(await owner.put(`/api/messages/${id}/pin`), 200);
    expectStatus(await owner.patch(`/api/channels/${room}`, { mode: "readonly" }), 200);

    const [header, ...lines] = await exported(owner, `/api/channels/${room}/export`);
    const settings = { mode: "readonly", slowMode: 5, retentionDays: 30 };
    expect(header?.room).toMatchObject(settings);
    // A hold is not the owner's to know of.
    expect(header?.room).not.toHaveProperty("legalHold");
    const [all] = await exported(stage.admin, `/api/channels/${room}/export`);
    expect(all?.room).toMatchObject({ ...settings, legalHold: true });
    const [first, second] = ofType(lines, "message");
    const { items: versions } = (await ann.get(`/api/messages/${root.id}/versions`)).body;
    expect(versions).toHaveLength(2);
    expect(first).toMatchObject({ versions, thread: { replies: 1, lastSeq: 2 }, pinned: { by: owner.id } });
    expect(second).toMatchObject({ threadId: root.id, pinned: { by: owner.id } });
    expect(second).not.toHaveProperty("versions");
  });

  test("of a direct room has what one's own messages said before, and not what the other's did", async () => {
    const [kim, other] = (await stage.users("kim", "other")) as [Client, Client];
    const room = await stage.direct(kim, other);
    for (const client of [kim, other]) {
      const { id } = await say(client, room, `before, ${client.username}`);
      expectStatus(await client.patch(`/api/messages/${id}`, { text: "after" }), 200);
    }
    const seen = async (client: Client): Promise<(string | undefined)[]> =>
      ofType(await exported(client, `/api/conversations/${room}/export`), "message").map(
        ({ versions }) => versions?.[0].text,
      );
    expect(await seen(kim)).toEqual([`before, ${kim.username}`, undefined]);
    expect(await seen(other)).toEqual([undefined, `before, ${other.username}`]);
    expect(await seen(stage.admin)).toEqual([`before, ${kim.username}`, `before, ${other.username}`]);
  });

  test("of a person's data: what he has hidden, how far he has read threads, what his messages said before", async () => {
    const [kim, other] = (await stage.users("kim", "other")) as [Client, Client];
    const [room, elsewhere] = [await stage.channel([kim, other]), await stage.channel([other])];
    const root = await say(kim, room, "befroe");
    expectStatus(await kim.patch(`/api/messages/${root.id}`, { text: "before" }), 200);
    const theirs = await say(other, room, unique("theirs"));
    const replies = [];
    for (const n of [1, 2]) replies.push(await say(other, room, unique(`reply ${n}`), { threadId: root.id }));
    expectStatus(await kim.post(`/api/messages/${root.id}/replies/read`, { seq: replies[0]?.seq }), 204);
    // A public channel may be read by who is no member.
    const passing = await say(other, elsewhere, unique("passing"));
    for (const { id } of [theirs, passing]) expectStatus(await kim.put(`/api/messages/${id}/hidden`), 204);
    expectStatus(await other.put(`/api/messages/${root.id}/hidden`), 204);

    const lines = await exported(kim, `/api/users/${kim.id}/export`);
    expect(ofType(lines, "thread")).toEqual([
      { type: "thread", roomId: room, threadId: root.id, root: 1, read: replies[0]?.seq },
    ]);
    const hidden = ofType(lines, "hidden").map(({ roomId, messageId, seq }) => [roomId, messageId, seq]);
    expect(hidden.sort()).toEqual([[room, theirs.id, 2], [elsewhere, passing.id, 1]].sort()); // prettier-ignore
    expect(ofType(lines, "message")).toMatchObject([{ text: "before", versions: [{ text: "befroe" }] }]);
    expect(lines.at(-1)).toMatchObject({ type: "end", messages: 1, threads: 1, hidden: 2 });
    const whole = JSON.stringify(lines);
    for (const { text } of [theirs, passing, ...replies]) expect(whole).not.toContain(text);
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
