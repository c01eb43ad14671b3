import { spawn } from "node:child_process";
import { join as path } from "node:path";
import type { ServiceBroker } from "moleculer";
import type { Cluster } from "../../deploy/local/local-cluster";
import { projectRoot } from "../../config/root";
import { commandLine, runCommand } from "../../config/repl/commands";
import { join } from "../../config/repl/node";
import { Operator } from "../../config/repl/operator";
import { addressesOf, serverOf, startCluster } from "../support/cluster";
import { expectStatus, say, Stage, unique, type Client } from "../support/client";
import { eventually } from "../support/eventually";
import type { Body } from "../support/rest";
import { describeCluster, mongoUrl } from "../support/servers";
import { SocketClient } from "../support/socket";

const SECRETS = /eyJ|\$2[aby]\$|password|refreshToken|digest/i;

describeCluster("the operator's console in a cluster", () => {
  let cluster: Cluster;
  let stage: Stage;
  let broker: ServiceBroker;
  let operator: Operator;
  let alice: Client;
  let bob: Client;
  let carol: Client;
  let room: string;
  let roomName: string;
  const sockets: SocketClient[] = [];

  /** What a command prints, as people and as scripts get it. */
  const run = (line: string) => runCommand(operator, commandLine([line]), false);
  const json = async (line: string): Promise<Body> => {
    const { text, ok } = await runCommand(operator, commandLine([line, "--json"]), false);
    expect(text).not.toMatch(SECRETS);
    if (!ok) throw new Error(text);
    return JSON.parse(text) as Body;
  };

  /** A socket of a user on the nth gateway, in the room. */
  const socketOn = async (gateway: number, { token }: Client): Promise<SocketClient> => {
    const socket = await SocketClient.open(cluster.gatewayUrls[gateway] as string);
    sockets.push(socket);
    const welcome = await socket.hello(token as string, { [room]: null });
    if (welcome.t !== "welcome") throw new Error(JSON.stringify(welcome));
    return socket;
  };

  const gatewayOf = async (socket: number): Promise<string> =>
    (await operator.everywhere("node.health", {}))
      .map(({ node }) => node)
      .find(node => node.includes(`-${cluster.node(`ws-gateway-${socket + 1}`).pid}-`)) as string;

  beforeAll(async () => {
    ({ cluster } = await startCluster({ restart: false, mongoUrl: await mongoUrl() }));
    stage = await Stage.on(serverOf(addressesOf(cluster), { output: "", end: async () => [] }));
    [alice, bob, carol] = (await stage.users("alice", "bob", "carol")) as [Client, Client, Client];
    roomName = unique("incident");
    room = expectStatus(await stage.admin.post("/api/channels", { name: roomName }), 201).body.id as string;
    for (const { id: userId } of [alice, bob, carol])
      expectStatus(await stage.admin.post(`/api/channels/${room}/members`, { userId }), 201);
    broker = await join(cluster.natsUrl);
    operator = new Operator(broker);
  }, 120_000);

  afterAll(async () => {
    for (const socket of sockets) socket.cut();
    await broker?.stop();
  });

  it("shows every node with its health, and those without services of ours not at all", async () => {
    const found = await json("health");
    expect(found.ok).toBe(true);
    const labels = found.nodes.map(({ node }: Body) => node.split(".")[0]).sort();
    expect(labels).toEqual(["api-gateway", "node", "node", "ws-gateway", "ws-gateway"]);
    for (const node of found.nodes)
      expect(node).toMatchObject({
        status: "ok",
        missing: [],
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        uptime: expect.any(Number),
        memory: { resident: expect.any(Number), heap: expect.any(Number) },
        lag: { max: expect.any(Number), mean: expect.any(Number) },
      });
    expect((await run("health")).text).toMatch(/5 nodes, all ready$/);
  });

  it("shows who is online and where, by name, e-mail or id", async () => {
    await socketOn(0, alice);
    await socketOn(1, alice);
    await socketOn(1, bob);
    const { users, gateways } = await json("who");
    const mine = users.find(({ user }: Body) => user === alice.id);
    const [first, second] = [await gatewayOf(0), await gatewayOf(1)];
    expect(mine).toMatchObject({ username: alice.username, sockets: 2, rooms: 1, addresses: ["127.0.0.1"] });
    expect(mine.gateways.map(({ gateway }: Body) => gateway).sort()).toEqual([first, second].sort());
    expect(gateways.map(({ total }: Body) => total).sort()).toEqual([1, 2]);

    for (const name of [bob.username.toUpperCase(), `${bob.username}@example.org`, bob.id]) {
      const { user, sockets: own } = await json(`who ${name}`);
      expect(user).toEqual({ id: bob.id, username: bob.username });
      expect(own).toEqual([
        expect.objectContaining({ gateway: second, user: bob.id, rooms: 1, session: expect.any(String), backlog: 0 }),
      ]);
      expect(Date.parse(own[0].since)).toBeLessThanOrEqual(Date.now());
    }
    expect((await run("who")).text).toMatch(/^2 users with 3 sockets on 2 of 2 gateways\n/);
    expect((await run(`who ${bob.username}`)).text).toMatch(/^\S+ has 1 socket on 1 of 2 gateways\n/);
    expect((await run(`who ${carol.username}`)).text).toBe(`${carol.username} has no sockets on 2 gateways`);
  });

  it("shows a room: who writes it, its head, who follows it where, and what was said only if asked", async () => {
    const socket = await socketOn(0, alice);
    const sent = [];
    for (const text of ["one", "two", "three"])
      sent.push((await socket.request({ t: "send", room, text, clientId: unique("c") })).message);
    const last = sent.at(-1);
    await eventually(
      "both gateways passed it on",
      () => json(`room ${room}`),
      found => found.gateways.every(({ follows }: Body) => follows?.offset === last.offset),
    );

    const found = await json(`room #${roomName} -n 2`);
    expect(found).toMatchObject({
      id: room,
      kind: "channel",
      name: roomName,
      memberCount: 4,
      createdBy: "admin",
      head: { offset: last.offset, seq: 3, floor: 1 },
      pending: [],
    });
    expect(found.members.map(({ username }: Body) => username).sort()).toEqual(
      ["admin", alice.username, bob.username, carol.username].sort(),
    );
    expect(found.entries.map(({ offset, kind, username }: Body) => [offset, kind, username])).toEqual([
      [last.offset - 1, "message", alice.username],
      [last.offset, "message", alice.username],
    ]);
    expect(JSON.stringify(found)).not.toContain("three");
    expect(found.gateways.map(({ follows }: Body) => [follows.lag, follows.behind])).toEqual([
      [0, false],
      [0, false],
    ]);
    expect((await json(`room ${room} -n 1 --text`)).entries).toEqual([expect.objectContaining({ text: "three" })]);

    // The one it names is the one that wrote it.
    const written = await operator.askNode({ id: found.writer, available: true, services: [] }, "messages.trace", {
      room,
      offset: last.offset,
    });
    expect(written.answer?.batch).toMatchObject({ to: last.offset });
    expect((await run(`room ${roomName}`)).text).toContain(`#${roomName}`);
  });

  it("shows the time of an entry only where it is that of the entry", async () => {
    const socket = await socketOn(0, alice);
    const { message } = await socket.request({ t: "send", room, text: "first", clientId: unique("c") });
    for (const text of ["second", "third"]) await socket.request({ t: "edit", room, id: message.id, text });
    await socket.request({ t: "react", room, id: message.id, emoji: "👍", on: true });
    const { entries } = await json(`room ${room} -n 4 --text`);
    expect(entries.map(({ kind, at, text }: Body) => [kind, at !== undefined, text])).toEqual([
      ["message", true, "third"],
      ["edit", false, undefined],
      ["edit", true, "third"],
      ["reaction", false, undefined],
    ]);
    const lines = (await run(`room ${room} -n 4`)).text.split("\n").filter(line => / (edit|reaction) /.test(line));
    expect(lines.map(line => / - {2,}\d+ B/.test(line))).toEqual([true, false, true]);
  });

  it("tells the path of a message: writer, batch, commit, gateways and marks, and what came of it later", async () => {
    const socket = await socketOn(0, alice);
    const clientId = unique("c");
    const { message } = await socket.request({ t: "send", room, text: "why?", clientId });
    const reader = await socketOn(1, bob);
    await reader.request({ t: "read", room, seq: message.seq });
    // Sent again under the same clientId, over the other door; then edited.
    const again = await alice.post(`/api/channels/${room}/messages`, { text: "why?", clientId });
    expect(expectStatus(again, 200).body.id).toBe(message.id);
    expectStatus(await alice.patch(`/api/messages/${message.id}`, { text: "why then?" }), 200);

    const found = await eventually(
      "both gateways took it",
      () => json(`msg why ${message.id}`),
      ({ gateways }) => gateways.every(({ state }: Body) => state === "took"),
    );
    const { writer } = await json(`room ${room}`);
    expect(found.message).toMatchObject({ id: message.id, username: alice.username, clientId, offset: message.offset });
    expect(JSON.stringify(found)).not.toContain("why then?");
    expect(found.room).toEqual({ id: room, name: `#${roomName}` });
    expect(found.written.node).toBe(writer);
    const { from, to, queuedAt, writtenAt, committedAt, publishedAt } = found.written.batch;
    expect([from <= message.offset, message.offset <= to]).toEqual([true, true]);
    const times = [queuedAt, writtenAt, committedAt, publishedAt];
    expect(times).toEqual([...times].sort());
    expect(new Date(committedAt).toISOString()).toBe(committedAt);
    expect(found.repeats).toEqual([{ node: writer, at: expect.any(String) }]);
    expect(found.gateways.map(({ gateway }: Body) => gateway).sort()).toEqual(
      [await gatewayOf(0), await gatewayOf(1)].sort(),
    );
    expect(found.read).toEqual({ count: 1, usernames: [bob.username] });
    expect(found.path.map(({ at }: Body) => at)).toEqual(found.path.map(({ at }: Body) => at).sort());

    const { text } = await run(`msg why ${message.id}`);
    for (const part of [
      "durable: the commit took",
      "passed it on",
      "came again",
      "edited",
      `read by 1: ${bob.username}`,
    ])
      expect(text).toContain(part);
  });

  it("says which gateway has nobody in the room", async () => {
    const quiet = await stage.channel([alice]);
    const message = await say(alice, quiet, "anybody there?");
    const { gateways } = await json(`msg why ${message.id}`);
    expect(gateways.map(({ state }: Body) => state)).toEqual(["nobody", "nobody"]);
    expect((await run(`msg why ${message.id}`)).text).toContain("has nobody in the room");
  });

  it("ends a session: its tokens are refused and its sockets closed", async () => {
    const device = await stage.login(carol);
    const socket = await socketOn(1, device);
    const other = await socketOn(0, carol);
    const before = await json(`sessions ${carol.username}`);
    expect(before.sessions).toHaveLength(2);
    const [newest] = before.sessions;
    expect(newest.sockets).toEqual([expect.objectContaining({ gateway: await gatewayOf(1) })]);

    const kicked = await json(`kick ${newest.id}`);
    expect(kicked).toMatchObject({ session: newest.id, user: { id: carol.id }, open: [] });
    expect((await socket.untilClosed()).code).toBe(4103);
    expect((await device.get("/api/users/me")).status).toBe(401);
    const refresh = await stage.nobody.post("/api/auth/refresh", { refreshToken: device.refreshToken });
    expect(refresh.status).toBe(401);

    // The other device goes on.
    await other.settle();
    expect((await json(`sessions ${carol.id}`)).sessions.map(({ id }: Body) => id)).not.toContain(newest.id);
    expect(await run(`kick ${newest.id}`)).toMatchObject({
      ok: false,
      text: expect.stringMatching(/^there is no session/),
    });
  });

  it("shows what removes messages that are too old, and begins a round", async () => {
    const nodes: Body[] = await json("retention --now");
    expect(nodes.filter(({ chosen }) => chosen)).toMatchObject([{ days: 365, overdue: 0 }]);
    await eventually("a round has ended", async () => (await json("retention")).some(({ rounds }: Body) => rounds > 0));
    expect((await run("retention")).text).toMatch(/kept for 365 days[^]*yes/);
  });

  it("shows the slowest actions of all nodes together", async () => {
    const { actions, nodes } = await json("slow 500");
    expect(nodes).toBe(5);
    const login = actions.find(({ action }: Body) => action === "auth.register");
    expect(login.count).toBe(3);
    expect(login.meanMs).toBeGreaterThan(1);
    expect(login.p99Ms).toBeGreaterThanOrEqual(login.p95Ms);
    expect(actions.some(({ action }: Body) => action.startsWith("$") || action.startsWith("node."))).toBe(false);
    const order = actions.map(({ p95Ms }: Body) => p95Ms ?? Infinity);
    expect(order).toEqual([...order].sort((a, b) => b - a));
    expect((await json("slow 2")).actions).toHaveLength(2);
  });

  it.each([
    ["who nobody", 'there is no user "nobody"'],
    ["room nowhere", 'there is no room "nowhere"'],
    ["sessions nobody", 'there is no user "nobody"'],
    ["msg why x", 'there is no message "x"'],
    ["drain x", 'no ws-gateway is named "x"; there is ws-gateway.'],
    ["drain ws-gateway", 'more than one ws-gateway is named "ws-gateway"'],
    ["dance", 'there is no command "dance"; there is health, who, '],
    ["helth", 'there is no command "helth"; did you mean health?'],
    ["drain x --seconds -3", "give a whole number from 1 to 3600, not -3"],
    ["slow many", "give a whole number"],
  ])("answers %s in one clear line", async (line, words) => {
    const { ok, text } = await run(line);
    expect(ok).toBe(false);
    expect(text.startsWith(words)).toBe(true);
    expect(text).not.toContain("\n");
    const { text: document } = await runCommand(operator, commandLine([line, "--json"]), false);
    expect(JSON.parse(document)).toEqual({ error: text });
  });

  describe("for scripts", () => {
    jest.setTimeout(60_000);

    it("runs one command, prints one JSON document and ends with 0", async () => {
      const { code, stdout } = await oneShot(["room", roomName, "--json"], { TRANSPORTER: cluster.natsUrl });
      expect(JSON.parse(stdout)).toMatchObject({ id: room, kind: "channel" });
      expect(code).toBe(0);
    });

    it("lists its commands without joining anything", async () => {
      const { code, stdout } = await oneShot(["help"], {});
      expect([code, stdout]).toEqual([0, expect.stringContaining("  msg why <id> ")]);
    });

    it("ends with 1 and one line for what is not there", async () => {
      const { code, stdout } = await oneShot(["room nowhere"], { TRANSPORTER: cluster.natsUrl });
      expect([code, stdout]).toEqual([1, 'there is no room "nowhere"\n']);
    });

    it("ends with 1 and one line where there is no cluster to join", async () => {
      const alone = await oneShot(["health"], {});
      expect([alone.code, alone.stderr.trim().split("\n").length]).toEqual([1, 1]);
      expect(alone.stderr).toContain("TRANSPORTER is not set");
    });

    it("ends with 1 and one line, without the password, where NATS does not answer", async () => {
      const away = await oneShot(["health"], { TRANSPORTER: "nats://user:hush@127.0.0.1:1" });
      expect([away.code, away.stderr]).toEqual([1, "NATS does not answer at nats://127.0.0.1:1\n"]);
    });
  });

  it("drains a gateway: it turns red, and clients are told to go elsewhere", async () => {
    const socket = await socketOn(0, bob);
    const gateway = await gatewayOf(0);
    const { others, ...drained } = await json(`drain ${gateway.split("-").at(-1)} --seconds 1`);
    expect(drained).toMatchObject({ gateway, seconds: 1, sockets: expect.any(Number) });
    expect(drained.sockets).toBeGreaterThan(0);
    expect(others).toEqual([await gatewayOf(1)]);
    await socket.frame("told to come back", ({ t }) => t === "reconnect");
    expect((await socket.untilClosed()).code).toBe(4001);

    const { ok, text } = await eventually(
      "red health",
      () => run("health"),
      found => !found.ok,
    );
    expect(ok).toBe(false);
    expect(text).toMatch(new RegExp(`${gateway} .*without sockets`));
    expect(text).toContain("1 of 5 nodes not ready");
  });

  it("audit: who did what to whom, by user and by type", async () => {
    const all = await json("audit --limit 5");
    expect(all.records).toHaveLength(5);
    const { records } = await json(`audit --user ${alice.username} --type account.register`);
    expect(records).toMatchObject([{ type: "account.register", actor: alice.id, object: alice.id, result: "ok" }]);
    expect((await run(`audit -u ${alice.username}`)).text).toMatch(
      new RegExp(`account.register +ok +${alice.username} `),
    );
    expect(await run("audit --type room.bann")).toEqual({ ok: false, text: expect.stringContaining("room.ban") });
  });

  it("shows a gateway that was lost as such, and asks the rest", async () => {
    const gateway = await gatewayOf(0);
    await cluster.node("ws-gateway-1").kill9();
    const found = await eventually(
      "the loss is noticed",
      () => json("who"),
      ({ gateways }) => gateways.some(({ problem }: Body) => problem === "is away"),
    );
    expect(found.gateways.find((one: Body) => one.gateway === gateway)).toEqual({ gateway, problem: "is away" });
    expect(found.users.length).toBeGreaterThan(0);
    expect(await run(`room ${room}`)).toMatchObject({ ok: true, text: expect.stringContaining("is away") });
  });
});

/** `npm run repl -- ...` as a process of its own. */
async function oneShot(args: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, ["--import", "tsx", path(projectRoot, "config/repl/start.ts"), ...args], {
    cwd: projectRoot,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  const code = await new Promise<number | null>(resolve => child.on("close", resolve));
  return { code, stdout, stderr };
}
