import { argumentsOf, command, Mistake, nearest, wholeOf, wordsOf } from "../../../config/repl/command";
import { commandLine, COMMANDS, usage } from "../../../config/repl/commands";
import { forgetSecrets, hideSecrets } from "../../../config/repl/console";
import { ago, bytes, list, many, paintFor, safe, span, table } from "../../../config/repl/format";
import { absence, pathOf, type Arrival } from "../../../config/repl/msg";
import { shortNode } from "../../../config/repl/operator";
import { quantile } from "../../../config/repl/slow";

const plain = paintFor(false);
const coloured = paintFor(true);

describe("what the console prints", () => {
  it("stands in columns as wide as their widest cell, numbers and quantities to the right", () => {
    const text = table(
      plain,
      ["user", "sockets", "lag", "address"],
      [
        ["alice", 2, "9 ms", "127.0.0.1"],
        ["bo", 10, "0.5 ms", "10.0.0.1"],
      ],
    );
    expect(text.split("\n")).toEqual([
      "user   sockets     lag  address",
      "alice        2    9 ms  127.0.0.1",
      "bo          10  0.5 ms  10.0.0.1",
    ]);
  });

  it("has the same columns with colours as without", () => {
    const rows = [
      [coloured.red("gone"), coloured.yellow("12 ms")],
      ["here", "3 ms"],
    ];
    const text = table(coloured, ["state", "lag"], rows);
    expect(text).toContain("\x1b[31mgone\x1b[39m");
    expect(text.replace(/\x1b\[\d+m/g, "")).toBe("state    lag\ngone   12 ms\nhere    3 ms");
  });

  it("shows times as how long ago, and sizes, in the largest unit that fits", () => {
    const now = Date.UTC(2026, 0, 2);
    expect([ago(now - 200, now), ago(now - 61_000, now), ago(new Date(now - 7_200_000).toISOString(), now)]).toEqual([
      "now",
      "1 min ago",
      "2 h ago",
    ]);
    expect(ago(now + 3 * 86_400_000, now)).toBe("in 3 d");
    expect([span(12.4), span(1_000), span(59_999)]).toEqual(["12 ms", "1 s", "59 s"]);
    expect([bytes(0), bytes(1023), bytes(1536), bytes(200 * 1024 ** 2)]).toEqual(["0 B", "1023 B", "1.5 KB", "200 MB"]);
    expect([many(0, "entry", "entries"), many(1, "entry"), many(2, "entry", "entries")]).toEqual([
      "no entries",
      "1 entry",
      "2 entries",
    ]);
    expect([list([]), list(["a"]), list(["a", "b", "c"])]).toEqual(["", "a", "a, b and c"]);
  });

  it("lets nothing from outside reach the terminal but our own colours", () => {
    const name = "evil\x1b]0;title\x07\x1b[2J\u202e";
    expect(safe(coloured.bold(name))).toBe("\x1b[1mevil\\u001b]0;title\\u0007\\u001b[2J\\u202e\x1b[22m");
    expect(safe("two\nlines")).toBe("two\nlines");
  });

  it("calls a node by its label and its random part", () => {
    expect(shortNode("ws-gateway.host-a-12-1f2e3d")).toBe("ws-gateway.1f2e3d");
    expect(shortNode("alone")).toBe("alone");
  });
});

describe("what the operator types", () => {
  const probe = command({
    name: "probe",
    takes: "why <id> [more]",
    description: "",
    options: { last: { type: "string", short: "n", meaning: "" } },
    ask: async () => null,
    show: () => "",
  });

  it("is words, and quotes keep spaces in one", () => {
    expect(wordsOf(`room "Team lunch" -n 5 'a b'`)).toEqual(["room", "Team lunch", "-n", "5", "a b"]);
    expect(commandLine(["room Lobby", "--json"])).toEqual(["room", "Lobby", "--json"]);
    expect(commandLine(["room", "Team lunch", "--json"])).toEqual(["room", "Team lunch", "--json"]);
  });

  it("fits the command, or is answered with how to say it", () => {
    expect(argumentsOf(probe, ["why", "x", "--json", "-n", "3"])).toEqual({
      given: ["why", "x"],
      options: { last: "3" },
      json: true,
    });
    for (const words of [[], ["why"], ["who", "x"], ["why", "x", "y", "z"]])
      expect(() => argumentsOf(probe, words)).toThrow(new Mistake("usage: probe why <id> [more]"));
    expect(() => argumentsOf(probe, ["why", "x", "--what"])).toThrow(/^Unknown option '--what'; usage: probe/);
    expect([wholeOf(undefined, 7, 9), wholeOf("9", 7, 9)]).toEqual([7, 9]);
    expect(argumentsOf(probe, ["why", "x", "-n", "-3"]).options).toEqual({ last: "-3" });
    expect(argumentsOf(probe, ["why", "x", "--last", "-3", "--json"])).toMatchObject({
      options: { last: "-3" },
      json: true,
    });
    for (const wrong of ["0", "10", "1.5", "x", "-3"]) expect(() => wholeOf(wrong, 7, 9)).toThrow(Mistake);
  });

  it("is taken for what it is nearest to, if it is near to anything", () => {
    const names = ["health", "who", "room", "msg", "sessions"];
    expect(["helth", "heal", "rooms", "wo", "dance", ""].map(word => nearest(word, names))).toEqual([
      ["health"],
      ["health"],
      ["room"],
      ["who"],
      [],
      [],
    ]);
    expect(nearest("m", ["msg", "metrics", "room"])).toEqual(["msg", "metrics"]);
  });

  it("has every command in the usage, none of which hides one that the console has already", () => {
    const names = COMMANDS.map(({ name }) => name);
    for (const name of names) expect(usage()).toContain(`  ${name} `);
    expect(usage()).toContain("  msg why <id> ");
    const theirs = [
      "actions",
      "call",
      "dcall",
      "emit",
      "broadcast",
      "env",
      "events",
      "info",
      "load",
      "metrics",
      "nodes",
    ];
    expect(
      names.filter(name => [...theirs, "services", "cache", "bench", "destroy", "exit", "help"].includes(name)),
    ).toEqual([]);
  });

  it("does not stay in the history if it holds a secret", () => {
    const lines = [
      "call auth.login --password hunter2",
      "call auth.logout --refreshToken x",
      "who eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc",
      "kick 01a1fd06-2954-7c38-8c10-5563eac04aec.nyLTUZosbVVWy8iE3rkcHumc2sJMa4VNQfpIdn6dHRg",
      "call x nats://user:pw@host",
    ];
    for (const line of lines) {
      const history = [line, "who"];
      forgetSecrets(history);
      expect(history).toEqual(["who"]);
    }
    const harmless = ["kick 01a1fd06-2954-7c38-8c10-5563eac04aec", "who"];
    forgetSecrets(harmless);
    expect(harmless).toHaveLength(2);
  });

  it("finds no secret in the environment that the console lists", () => {
    const environment = {
      PATH: "/bin",
      JWT_SECRET: "x",
      ADMIN_PASSWORD: "x",
      S3_ACCESS_KEY: "x",
      Jwt__Key: "x",
      TRANSPORTER: "nats://repl:pw@nats:4222",
      MONGO_URL: "mongodb://127.0.0.1/rookery",
    };
    hideSecrets(environment);
    expect(environment).toEqual({ PATH: "/bin", MONGO_URL: "mongodb://127.0.0.1/rookery" });
  });
});

describe("the time within which a share of the calls ended", () => {
  it("is told from buckets as if calls were spread evenly in each", () => {
    const buckets = new Map([
      [1, 50],
      [5, 90],
      [10, 100],
    ]);
    expect(quantile(0.5, 100, buckets)).toBe(1);
    expect(quantile(0.7, 100, buckets)).toBe(3);
    expect(quantile(0.95, 100, buckets)).toBe(7.5);
  });

  it("is not known beyond the last bucket", () => {
    expect(quantile(0.99, 100, new Map([[10, 90]]))).toBeNull();
  });
});

describe("the path of a message", () => {
  const at = (ms: number): number => Date.UTC(2026, 0, 1, 12) + ms;
  const iso = (ms: number): string => new Date(at(ms)).toISOString();
  const message = {
    id: "m",
    room: "r",
    sender: "u",
    username: "alice",
    offset: 10,
    seq: 6,
    createdAt: iso(3),
    length: 5,
    attachments: 1,
    clientId: "c-1",
  };
  const batch = {
    from: 9,
    to: 12,
    queuedAt: at(0),
    writtenAt: at(3),
    committedAt: at(9),
    publishedAt: at(10),
  };
  const took: Arrival = { gateway: "g1", state: "took", at: iso(12), subscribers: 2 };

  it("is told in the order of time, from the writer's queue to what became of it later", () => {
    const repeats = [{ node: "messages.h-1-aaaaaa", at: iso(500) }];
    const steps = pathOf({ ...message, editedAt: iso(900) }, { node: "w", batch }, repeats, [took]);
    expect(steps.map(({ what }) => what)).toEqual([
      "the first request of its batch was at the writer, w",
      "alice's message became offset 10, seq 6 (clientId c-1; 5 characters, 1 file)",
      "handed to the store in one batch of 4, offsets 9 to 12, after 3 ms",
      "durable: the commit took 6 ms",
      "published to the gateways, and acknowledged",
      "g1 passed it on; it has 2 subscribers of the room now",
      "the same clientId came again to messages.aaaaaa: answered with this message",
      "edited, for the last time",
    ]);
    expect(steps.map(step => step.at)).toEqual([...steps.map(step => step.at)].sort());
  });

  it("says that the store had not answered, and how that was settled", () => {
    const settled = {
      from: 10,
      to: 12,
      queuedAt: at(5_000),
      writtenAt: at(5_000),
      committedAt: at(7_500),
      publishedAt: at(7_501),
    };
    const steps = pathOf(message, { node: "w", batch: { ...settled, settled: true } }, [], [took]);
    expect(steps.map(({ what }) => what)).toEqual([
      "alice's message became offset 10, seq 6 (clientId c-1; 5 characters, 1 file)",
      "g1 passed it on; it has 2 subscribers of the room now",
      "the store had not answered w: its senders were told UNKNOWN_OUTCOME",
      "settled by writing the same again, 2500 ms later: it is stored",
      "published to the gateways",
    ]);
  });

  it("is what the log tells where nobody remembers the writing", () => {
    const steps = pathOf({ ...message, deletedAt: iso(40), clientId: undefined }, null, [], []);
    expect(steps.map(({ what }) => what)).toEqual([
      "alice's message became offset 10, seq 6 (no clientId; deleted since)",
      "deleted; nothing of what it said is left",
    ]);
  });

  it("says of every gateway without it why", () => {
    const states: Arrival[] = [
      took,
      { gateway: "g2", state: "nobody" },
      { gateway: "g3", state: "behind", position: 7, subscribers: 1 },
      { gateway: "g4", state: "behind", position: null, subscribers: 3 },
      { gateway: "g5", state: "passed", position: 20 },
      { gateway: "g6", state: "away", problem: "is away" },
    ];
    expect(states.map(state => absence(state, 10))).toEqual([
      null,
      "g2 has nobody in the room; who comes gets it from the log",
      "g3 is behind: at offset 7, 3 before it, with 1 subscriber",
      "g4 does not know yet how far the room is; its 3 subscribers wait",
      "g5 is past it (at offset 20); when it passed is not in its memory",
      "g6 is away",
    ]);
  });
});
