import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../mixins/sqlite/driver";
import { newId } from "../../services/core/ids";
import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body, Rest } from "../support/rest";
import { describeEmbedded, describeOwn, ROOT, startServer, type Server } from "../support/server";
import { testSettings } from "../support/settings";
import { temporaryFolder } from "../support/temp";

const SLACK = join(ROOT, "test", "support", "slack-export");

interface Run {
  code: number | null;
  out: string;
  errors: string;
}

function start(args: string[], env: Record<string, string>): { child: ChildProcess; run: Promise<Run> } {
  const program = join(ROOT, "dist", "config", "import", "import.js");
  const child = spawn(process.execPath, [program, ...args], { cwd: ROOT, env: { ...testSettings(), ...env } });
  const run: Run = { code: null, out: "", errors: "" };
  child.stdout?.on("data", data => (run.out += String(data)));
  child.stderr?.on("data", data => (run.errors += String(data)));
  return { child, run: new Promise(resolve => child.on("close", code => resolve({ ...run, code }))) };
}

/** Twice into a server: a cluster takes it while it runs, one process must not run. */
async function importTwice(server: Server, path: string): Promise<[Run, Run]> {
  const { transporter } = server;
  if (!transporter) await server.process.kill();
  const env: Record<string, string> = transporter ? { TRANSPORTER: transporter } : { DATA_DIR: server.process.dataDir };
  const runs: [Run, Run] = [await start([path], env).run, await start([path], env).run];
  if (!transporter) await server.process.start();
  return runs;
}

const linesOf = (text: string): Body[] =>
  text
    .trimEnd()
    .split("\n")
    .map(line => JSON.parse(line) as Body);

/** Others use the server too: there may be many. */
async function everybody(as: Rest): Promise<Body[]> {
  const all: Body[] = [];
  for (let page = 1; ; page += 1) {
    const { items, total } = (await as.get(`/api/users?page=${page}&pageSize=100`)).body;
    all.push(...items);
    if (page * 100 >= total) return all;
  }
}

/** An export with names in place of ids. */
function plain(lines: Body[]): Body {
  const [header, ...rest] = lines;
  const members = rest.filter(({ type }) => type === "member");
  const messages = rest.filter(({ type }) => type === "message");
  const name = (id: string): string => members.find(({ userId }) => userId === id)?.username ?? id;
  const place = (id: string | undefined): number => messages.findIndex(message => message.id === id);
  const { id: _id, name: _name, createdBy, ...room } = header.room;
  return {
    room: { ...room, createdBy: name(createdBy) },
    members: members
      .map(({ username, role, state, joinedAt }) => ({ username, role, state, joinedAt }))
      .sort((one, other) => (one.username < other.username ? -1 : 1)),
    messages: messages.map(message => {
      const { id: _, channelId: _room, offset: _offset, clientId: _clientId, attachments, ...kept } = message;
      const files = attachments.map((file: Body) => `\n[file] ${file.name}`).join("");
      return {
        ...kept,
        text: kept.text + files,
        senderId: name(kept.senderId),
        replyTo: place(kept.replyTo),
        threadId: place(kept.threadId),
        pinned: kept.pinned && { ...kept.pinned, by: name(kept.pinned.by) },
        reactions: kept.reactions?.map((one: Body) => ({ ...one, users: one.users.map(name) })),
        mentions: kept.mentions?.map(name),
      };
    }),
    end: rest.at(-1),
  };
}

const history = async (client: Client, room: string): Promise<Body[]> =>
  expectStatus(await client.get(`/api/channels/${room}/messages?limit=100`), 200).body.items;
/** Others use the server too: there may be many. */
const roomNamed = async (client: Client, name: string): Promise<Body> => {
  for (let page = 1; ; page += 1) {
    const path = `/api/channels?page=${page}&pageSize=100&archived=true`;
    const { items, total } = expectStatus(await client.get(path), 200).body;
    const found = items.find((room: Body) => room.name === name);
    if (found || page * 100 >= total) return found;
  }
};

describeOwn("import", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  afterAll(() => stage.end());

  test("a room comes back as it was exported, elsewhere or beside itself", async () => {
    const owner = await stage.withRoles("owner", ["User", "Moderator"]);
    const [ann, bob] = (await stage.users("ann", "bob")) as [Client, Client];
    const name = unique("moved");
    const { id: room } = expectStatus(await owner.post("/api/channels", { name, topic: "On the move" }), 201).body;
    for (const { id: userId } of [ann, bob])
      expectStatus(await owner.post(`/api/channels/${room}/members`, { userId }), 201);
    const first = await say(ann, room, `first, @${bob.username}`, { clientId: "of-ann" });
    const edited = await say(bob, room, "secnd", { replyTo: first.id, metadata: { kind: "note" } });
    expectStatus(await bob.patch(`/api/messages/${edited.id}`, { text: "second" }), 200);
    const gone = await say(ann, room, "a secret", { replyTo: edited.id });
    expectStatus(await ann.delete(`/api/messages/${gone.id}`), 200);
    for (const [who, emoji] of [
      [bob, "🎉"],
      [ann, "👍"],
      [ann, "🎉"],
    ] as [Client, string][])
      // prettier-ignore
      expectStatus(await who.put(`/api/messages/${first.id}/reactions/${encodeURIComponent(emoji)}`), 200);
    const file = expectStatus(await ann.raw("POST", "/api/files?name=note.txt", "hello"), 201).body;
    await say(ann, room, "with a file", { attachments: [file.id] });
    await say(bob, room, "an answer", { threadId: first.id });
    const lost = await say(ann, room, "not this", { threadId: first.id, replyTo: edited.id });
    expectStatus(await ann.delete(`/api/messages/${lost.id}`), 200);
    await say(owner, room, `@all and @${ann.username}: see below`, { threadId: first.id });
    const bare = await say(bob, room, "what was it?");
    await say(ann, room, "nobody knows", { threadId: bare.id });
    expectStatus(await bob.delete(`/api/messages/${bare.id}`), 200);
    for (const text of ["2nd", "second"]) expectStatus(await bob.patch(`/api/messages/${edited.id}`, { text }), 200);
    for (const { id } of [edited, first]) expectStatus(await owner.put(`/api/messages/${id}/pin`), 200);
    expectStatus(
      await owner.patch(`/api/channels/${room}`, { mode: "announcement", slowMode: 30, retentionDays: 0 }),
      200,
    );
    expectStatus(await stage.admin.patch(`/api/channels/${room}`, { legalHold: true }), 200);
    expectStatus(await bob.post(`/api/channels/${room}/leave`), 204);
    const until = "2099-01-01T00:00:00.000Z";
    const [kim, zoe] = (await stage.users("kim", "zoe")) as [Client, Client];
    expectStatus(await owner.put(`/api/channels/${room}/bans/${kim.id}`, { until }), 204);
    expectStatus(await owner.put(`/api/channels/${room}/bans/${zoe.id}`, {}), 204);
    expectStatus(await owner.put(`/api/channels/${room}/mutes/${ann.id}`, {}), 204);
    expectStatus(await owner.patch(`/api/channels/${room}`, { history: "joined" }), 200);
    expectStatus(await owner.post(`/api/channels/${room}/archive`), 200);
    const before = expectStatus(await owner.get(`/api/channels/${room}/export`), 200).body as string;
    const path = join(temporaryFolder(), "room.jsonl");
    writeFileSync(path, before);

    const { transporter } = stage.server;
    const dataDir = temporaryFolder();
    const { code, out, errors } = await start(
      [path],
      transporter ? { TRANSPORTER: transporter } : { DATA_DIR: dataDir },
    ).run;
    expect([code, errors]).toEqual([0, ""]);
    const there = transporter ? stage : await Stage.on(await startServer({ dataDir }));
    expect(out).toContain("9 messages in 1 room: 9 added, 0 here before");
    const copy = await roomNamed(there.admin, there === stage ? `${name}-rookery` : name);
    const after = expectStatus(await there.admin.get(`/api/channels/${copy.id}/export`), 200).body as string;
    expect(plain(linesOf(after))).toEqual(plain(linesOf(before)));
    const pins = async (client: Client, id: string): Promise<string[]> =>
      expectStatus(await client.get(`/api/channels/${id}/pins`), 200).body.items.map(({ text }: Body) => text);
    expect(await pins(there.admin, copy.id)).toEqual(await pins(stage.admin, room));

    writeFileSync(path, before.slice(0, before.lastIndexOf('{"type":"end"')));
    const cut = await start([path, "--dry-run"], { DATA_DIR: temporaryFolder() }).run;
    expect(cut).toMatchObject({ code: 1, out: "", errors: expect.stringContaining("was cut off") });
  });

  test("an export that was made before there were threads and settings in it", async () => {
    const name = unique("old");
    const at = "2020-01-01T00:00:00.000Z";
    const room = { kind: "channel", name, isPrivate: false, createdBy: newId(), createdAt: at, memberCount: 1 };
    const lines = [
      { type: "export", version: 1, kind: "room", room: { id: newId(), ...room } },
      {
        type: "member",
        userId: room.createdBy,
        username: unique("olga"),
        role: "owner",
        state: "member",
        joinedAt: at,
      },
      ...["one", "two"].map(text => ({
        type: "message",
        id: newId(),
        senderId: room.createdBy,
        text,
        attachments: [],
      })),
    ].map(line => ({ ...line, ...(line.type === "message" && { createdAt: at }) }));
    const path = join(temporaryFolder(), "room.jsonl");
    writeFileSync(path, [...lines, { type: "end" }].map(line => `${JSON.stringify(line)}\n`).join(""));
    const { transporter } = stage.server;
    const dataDir = temporaryFolder();
    const where: Record<string, string> = transporter ? { TRANSPORTER: transporter } : { DATA_DIR: dataDir };
    const { errors, out } = await start([path], where).run;
    expect([errors, out]).toEqual(["", expect.stringContaining("2 added, 0 here before")]);
    const there = transporter ? stage : await Stage.on(await startServer({ dataDir }));
    const made = await roomNamed(there.admin, name);
    expect(made).toMatchObject({ mode: "open", slowMode: 0, memberCount: 1 });
    expect((await history(there.admin, made.id)).map(({ text }) => text)).toEqual(["one", "two"]);
  });

  test("threads are as if they had been sent: part in them, counts, lists; nothing unread until somebody replies", async () => {
    const [ann, bob, eve, kim] = (await stage.users("ann", "bob", "eve", "kim")) as [Client, Client, Client, Client];
    const name = unique("talk");
    const { id: room } = expectStatus(await stage.admin.post("/api/channels", { name }), 201).body;
    for (const { id: userId } of [ann, bob, eve, kim])
      expectStatus(await stage.admin.post(`/api/channels/${room}/members`, { userId }), 201);
    const [one, two] = [await say(ann, room, "one"), await say(bob, room, "two")];
    await say(bob, room, `what of @${eve.username}?`, { threadId: one.id });
    await say(ann, room, "here", { threadId: two.id });
    await say(bob, room, "and more", { threadId: one.id });
    const path = join(temporaryFolder(), "room.jsonl");
    writeFileSync(path, expectStatus(await stage.admin.get(`/api/channels/${room}/export`), 200).body as string);
    const lists = async (id: string): Promise<unknown[]> =>
      Promise.all(
        [ann, bob, eve, kim].map(async client => {
          const { items, total } = expectStatus(await client.get(`/api/channels/${id}/threads`), 200).body;
          return [total, ...items.map(({ root, following }: Body) => [root.text, root.thread, following])];
        }),
      );
    const told = await lists(room);

    const [first, again] = await importTwice(stage.server, path);
    expect([first.errors, first.out]).toEqual(["", expect.stringContaining("5 added, 0 here before")]);
    expect(again.out).toContain("0 added, 5 here before");
    const copy = (await roomNamed(stage.admin, `${name}-rookery`)).id as string;
    expect(await lists(copy)).toEqual(told);
    const unread = async (client: Client): Promise<number[]> =>
      (await client.get(`/api/channels/${copy}/threads`)).body.items.map((thread: Body) => thread.unread);
    for (const client of [ann, bob, eve, kim]) expect(await unread(client)).toEqual([0, 0]);
    const [root] = await history(ann, copy);
    const replies = (await kim.get(`/api/messages/${root?.id}/replies`)).body.items;
    expect(replies.map(({ text }: Body) => text)).toEqual([`what of @${eve.username}?`, "and more"]);
    await say(kim, copy, "since then", { threadId: root?.id });
    expect(await Promise.all([ann, bob, eve, kim].map(unread))).toEqual([[1, 0], [1, 0], [1, 0], [0, 0]]); // prettier-ignore
  });

  test("Slack: order, dates, senders, threads; nothing unread; a second time nothing is added", async () => {
    const ann = expectStatus(
      await stage.nobody.post("/api/auth/register", {
        ...{ username: "annie", email: "ann@example.org", password: "a-good-password" },
      }),
      201,
    ).body;
    const as = stage.admin.as(ann.accessToken);
    const [{ code, out, errors }, again] = await importTwice(stage.server, SLACK);
    expect([code, errors]).toEqual([0, ""]);
    expect(again.out).toContain("13 messages in 4 rooms: 0 added, 13 here before");
    expect(out).toContain("13 messages in 4 rooms: 13 added, 0 here before");
    expect(out).toContain("1 unknown subtype: sparkly_new_thing");
    expect(out).toContain("ann (Ann Slack) is annie, by email");

    const town = await roomNamed(as as Client, "slack-town");
    expect(town).toMatchObject({ topic: "All of #it & more", createdAt: "2012-12-14T20:30:00.000Z", memberCount: 3 });
    const messages = await history(as as Client, town.id);
    const people = await everybody(as);
    const name = (id: string): string => people.find((user: Body) => user.id === id)?.username;
    expect(messages.map(({ senderId, text }) => [name(senderId), text])).toEqual([
      ["annie", "first"],
      ["user-bo", "second by @ann <3 & a link (https://example.org/?a=1&b=2) https://example.org"],
      ["Deploy-Bot", "Build 7 https://ci.example.org/7"],
      ["guest.of.us", "from elsewhere"],
      ["user-bo", "a reply"],
      ["zoe-co", "told to all"],
      ["user-bo", "lost root"],
      ["annie", ""],
      ["annie", "[file] plan.pdf: https://files.slack.com/files-pri/T1-F1/plan.pdf"],
      ["user-bo", "_waves_"],
    ]);
    expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, at) => at + 1));
    expect(messages[0]).toMatchObject({
      createdAt: "2012-12-14T20:38:43.000Z",
      clientId: "slack-C1-1355517523_000005",
      reactions: [
        { emoji: "👍", count: 2 },
        { emoji: ":party_parrot:", count: 1 },
      ],
    });
    expect(messages.slice(4, 7).map(({ threadId }) => threadId)).toEqual([messages[0].id, messages[0].id, undefined]);
    expect(messages[0].thread).toMatchObject({ replies: 2, lastSeq: 6 });
    const { items: threads } = (await as.get(`/api/channels/${town.id}/threads`)).body;
    expect(threads).toMatchObject([{ root: { id: messages[0].id }, following: true, unread: 0 }]);
    const { items: pinned } = (await as.get(`/api/channels/${town.id}/pins`)).body;
    expect(pinned.map((message: Body) => [message.text, name(message.pinned.by), message.pinned.at])).toEqual([
      ["a reply", "annie", "2012-12-16T00:00:00.000Z"],
      ["told to all", "user-bo", "2012-12-15T20:00:00.000Z"],
    ]);
    expect(messages[5].editedAt).toBe("2012-12-15T19:35:00.000Z");
    expect(messages[7].deletedAt).toBeDefined();

    const { items: unread } = (await as.get("/api/unread")).body;
    expect(unread).toHaveLength(4);
    expect(unread.map((row: Body) => [row.unread, row.mentions])).toEqual(unread.map(() => [0, 0]));
    const nobody = await stage.nobody.post("/api/auth/login", { username: "user-bo", password: "a-good-password" });
    expect(nobody.status).toBe(401);
    const mine = linesOf(expectStatus(await as.get(`/api/users/${ann.user.id}/export`), 200).body);
    expect(mine.filter(({ type }) => type === "message")).toHaveLength(5);
  });
});

describeEmbedded("import into one process", () => {
  test("cut off by SIGKILL and run again, all is there once and in order", async () => {
    const COUNT = 4_000;
    const folder = join(temporaryFolder(), "export");
    cpSync(SLACK, folder, { recursive: true });
    const user = (n: number): string => (n % 2 ? "U1" : "U2");
    const ts = (n: number): string => `${1_400_000_000 + n}.000000`;
    // Each fifth begins a thread of four replies; one in a hundred is pinned, and one in forty has reactions.
    const day = Array.from({ length: COUNT }, (_, n) => ({
      ...{ type: "message", user: user(n), ts: ts(n), text: `m${n}`, thread_ts: ts(n - (n % 5)) },
      ...(n % 100 === 50 && { pinned_to: ["C1"] }),
      ...(n % 40 === 0 && { reactions: [{ name: "+1", users: ["U1", "U2"], count: 2 }] }),
    }));
    mkdirSync(join(folder, "slack-town"), { recursive: true });
    writeFileSync(join(folder, "slack-town", "2014-05-13.json"), JSON.stringify(day));
    const dataDir = temporaryFolder();
    const args = [folder, "--only", "slack-town", "--as", "killed"];

    const { child, run } = start(args, { DATA_DIR: dataDir });
    const file = join(dataDir, "rookery.db");
    const stored = (): number => {
      if (!existsSync(file)) return 0;
      const connection = connect(file);
      try {
        const { n } = connection.prepare("SELECT COUNT(*) AS n FROM entries WHERE kind = 'message'").get() as {
          n: number;
        };
        return n;
      } catch {
        // Not made yet, or being made.
        return 0;
      } finally {
        connection.close();
      }
    };
    await eventually("some messages", stored, n => n > 0);
    child.kill("SIGKILL");
    expect((await run).code).toBeNull();
    const kept = stored();
    expect(kept).toBeLessThan(COUNT);

    const { out, errors } = await start(args, { DATA_DIR: dataDir }).run;
    expect(errors).toBe("");
    expect(out).toContain(` in 1 room: ${COUNT + 10 - kept} added, ${kept} here before`);
    const stage = await Stage.on(await startServer({ dataDir }));
    const room = await roomNamed(stage.admin, "killed");
    const { body } = expectStatus(await stage.admin.get(`/api/channels/${room.id}/export`), 200);
    const messages = linesOf(body as string).filter(({ type }) => type === "message");
    expect(messages.slice(10).map(({ text }) => text)).toEqual(day.map(({ text }) => text));
    expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, at) => at + 1));
    const said = messages.slice(10);
    const shown = said.map(({ threadId, thread, pinned, reactions }) => [
      ...[threadId, thread?.replies, pinned !== undefined, reactions?.[0].count],
    ]);
    expect(shown).toEqual(
      said.map((_, n) => [
        ...(n % 5 === 0 ? [undefined, 4] : [said[n - (n % 5)]?.id, undefined]),
        ...[n % 100 === 50, n % 40 === 0 ? 2 : undefined],
      ]),
    );
    const path = `/api/channels/${room.id}`;
    const pins = expectStatus(await stage.admin.get(`${path}/pins`), 200).body.items.map(({ text }: Body) => text);
    expect(pins).toEqual(["told to all", "a reply", ...said.filter(({ pinned }) => pinned).map(({ text }) => text)].reverse()); // prettier-ignore

    const busy = await start(args, { DATA_DIR: dataDir }).run;
    expect(busy).toMatchObject({ code: 1, errors: expect.stringMatching(/in use by .*stop the server first/) });
    await stage.end();
  });
});
