import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { promisify, stripVTControlCharacters } from "node:util";
import type { Cluster } from "../../deploy/local/local-cluster";
import { ClusterNode } from "../../deploy/local/cluster-node";
import { readOptions } from "../../deploy/local/options";
import { installed } from "../../deploy/local/servers";
import { Child } from "../../deploy/local/servers/child";
import { Daemon, type OnDeath } from "../../deploy/local/servers/daemon";
import { freePort } from "../../deploy/local/servers/ports";
import { Supervisor } from "../../deploy/local/supervisor";
import { afterFile } from "../support/cleanup";
import { startCluster } from "../support/cluster";
import { eventually, within } from "../support/eventually";
import { ROOT } from "../support/server";
import { baseEnvironment } from "../support/settings";
import { describeCluster, mongoUrl, natsUrl } from "../support/servers";
import { temporaryFolder } from "../support/temp";
import { together } from "../support/together";

const PROGRAM = ["--import", "tsx", "deploy/local/cluster.ts"];

/** The command in a terminal of its own. */
class Terminal {
  output = "";
  readonly ended: Promise<number | null>;
  private readonly child;

  constructor(env: Record<string, string>) {
    const command = ["exec", process.execPath, ...PROGRAM].join(" ");
    this.child = spawn("script", ["-qefc", command, "/dev/null"], { cwd: ROOT, env: { ...baseEnvironment(), ...env } });
    this.child.stdout.on("data", data => (this.output += stripVTControlCharacters(String(data))));
    this.ended = once(this.child, "close").then(([code]) => code as number | null);
    // Without its terminal the command ends, and the cluster with it.
    afterFile(() => this.child.kill("SIGKILL"));
  }

  async line(pattern: RegExp): Promise<void> {
    const seen = (): boolean => pattern.test(this.output);
    const ended = this.ended.then(code => {
      if (!seen()) throw new Error(`it ended with ${code} before ${String(pattern)}:\n${this.output}`);
    });
    await Promise.race([eventually(String(pattern), seen, Boolean, 90_000), ended]);
  }

  /** As a terminal does it to whom npm and tsx pass it on too: once by the user, again a moment later. */
  controlC(): void {
    this.child.stdin.write("\x03");
    setTimeout(() => this.child.stdin.write("\x03"), 10);
  }
}

/** The command, where it is to end by itself. */
async function command(env: Record<string, string>): Promise<{ code: number | null; told: string }> {
  const options = { cwd: ROOT, env: { ...baseEnvironment(), ...env }, timeout: 60_000 };
  const ended = promisify(execFile)(process.execPath, PROGRAM, options).then(
    output => ({ ...output, code: 0 }),
    (failed: { stdout: string; stderr: string; code: number | null }) => failed,
  );
  const { stdout, stderr, code } = await ended;
  const told = `${stdout}${stderr}`.split("\n").filter(line => line !== "" && !line.startsWith("npm warn"));
  return { code, told: told.join("\n") };
}

describeCluster("npm run cluster", () => {
  test("keeps its data folder and its port to itself, and one Ctrl-C stops everything in order with exit 0", async () => {
    const servers = { MONGO_URL: await mongoUrl() };
    const env = { ...servers, DATA_DIR: temporaryFolder(), PORT: String(await freePort()), HOST: "203.0.113.1" };
    const terminal = new Terminal(env);
    await terminal.line(/^ready http/m);

    const sameFolder = await command({ ...env, PORT: String(await freePort()) });
    expect(sameFolder).toEqual({ code: 1, told: expect.stringMatching(/^DATA_DIR \S+ is in use by process \d+$/) });
    const samePort = await command({ ...env, DATA_DIR: temporaryFolder() });
    expect(samePort).toEqual({ code: 1, told: `port ${env.PORT} is taken by another process` });
    expect((await fetch(`http://127.0.0.1:${env.PORT}/api/health`)).status).toBe(200);

    terminal.controlC();
    expect(await within(40_000, "the end", terminal.ended)).toBe(0);
    // The terminal shows what was typed wherever the output happens to be.
    const lines = terminal.output.replaceAll("^C", "");
    const order = [...lines.matchAll(/^(\S+) .*rookery: stopping/gm)].map(([, name]) => name);
    expect(order.slice(0, 3).sort()).toEqual(["api-gateway", "ws-gateway-1", "ws-gateway-2"]);
    expect(order.slice(3).sort()).toEqual(["services-1", "services-2"]);
    expect(terminal.output).not.toContain("died:");
  }, 240_000);

  together(
    {
      "says in one line that a MongoDB from outside does not answer": async () => {
        const silent = createServer();
        await new Promise<void>(resolve => silent.listen(0, "127.0.0.1", resolve));
        const host = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
        const MONGO_URL = `mongodb://somebody:secret@${host}/rookery?connectTimeoutMS=30000`;
        const { code, told } = await command({
          MONGO_URL,
          DATA_DIR: temporaryFolder(),
          PORT: String(await freePort()),
        });
        silent.close();
        expect(code).toBe(1);
        expect(told.split("\n").filter(line => !line.startsWith("nats "))).toEqual([
          expect.stringMatching(/^MONGO_URL cannot be used: /),
        ]);
        expect(told).not.toContain("secret");
      },
      "a node whose store is away is waited for and says what it waits for": async () => {
        const lines: string[] = [];
        const env = {
          ...baseEnvironment(),
          HOST: "127.0.0.1",
          DATA_DIR: temporaryFolder(),
          JWT_SECRET: "a-secret-of-this-test-and-of-nobody-else",
          TRANSPORTER: await natsUrl(),
          NAMESPACE: "local-cluster-test",
          MONGO_URL: `mongodb://127.0.0.1:${await freePort()}/away`,
        };
        const died = jest.fn();
        const options = { env, onLine: (line: string) => lines.push(line), onDeath: died };
        const node = await ClusterNode.create({ name: "auth", services: ["auth"] }, options);
        const start = node.start().catch((error: unknown) => String(error));
        await eventually(
          "its word",
          () => lines.find(line => line === "not ready yet, waits for: store"),
          Boolean,
          40_000,
        );
        expect(node.isRunning).toBe(true);
        await node.stop();
        expect(await start).toMatch(/ended at its start/);
        expect(died).not.toHaveBeenCalled();
      },
    },
    60_000,
  );
});

const describeServers = installed.nats && installed.mongo && installed.nginx ? describe : describe.skip;

describeServers("what dies in a cluster", () => {
  let cluster: Cluster;
  let output: string[];

  beforeAll(async () => {
    ({ cluster, output } = await startCluster());
  }, 120_000);

  const daemons: [string, () => Daemon | null][] = [
    ["ws-gateway-1", () => cluster.node("ws-gateway-1")],
    ["nginx", () => cluster.nginx],
    ["nats-server", () => cluster.nats],
    ["ferretdb", () => cluster.mongo?.gateway ?? null],
    ["postgres", () => cluster.mongo?.store ?? null],
  ];

  test.each(daemons)(
    "is named and comes back by itself: %s",
    async (name, of) => {
      const daemon = of() as Daemon;
      const { pid } = daemon;
      await daemon.kill9();
      await eventually("it runs again", () => daemon.isRunning && daemon.pid !== pid);
      await cluster.untilHealthy();
      expect(output).toContainEqual(
        expect.stringMatching(new RegExp(`^${name}: died: .*; starting again in \\d+ ms$`)),
      );
    },
    90_000,
  );

  test("is not taken for healthy because somebody else answers on its port", async () => {
    const nginx = cluster.nginx as Daemon;
    const { port } = new URL(cluster.url);
    await nginx.stop();
    const other = createHttpServer((_, response) => response.end("ok"));
    await new Promise<void>(resolve => other.listen(Number(port), "127.0.0.1", resolve));
    expect((await fetch(`${cluster.url}/api/health`)).status).toBe(200);
    expect(await cluster.health()).toMatchObject({ status: 0 });
    await expect(nginx.start()).rejects.toThrow(/^nginx ended at its start:[^]*Address already in use/);
    other.closeAllConnections();
    await new Promise(resolve => other.close(resolve));
    await nginx.start();
    await cluster.untilHealthy();
  });
});

/** A process that is ready at its first line, and does what it is told to. */
class Script extends Daemon {
  private ready = false;

  constructor(
    private readonly code: string,
    onDeath: OnDeath,
  ) {
    super("script", onDeath);
  }

  protected launch(): Child {
    this.ready = false;
    const onLine = (): void => void (this.ready = true);
    return Child.start(this.name, process.execPath, ["-e", this.code], { onLine });
  }

  protected async ask(): Promise<void> {
    if (!this.ready) throw new Error("no line");
  }
}

describe("a supervisor", () => {
  const told: string[] = [];
  const onLine = (_: string, line: string): number => told.push(line);
  const supervisor = new Supervisor({ onLine, pause: 10, longestPause: 40 });
  afterEach(() => told.splice(0));
  afterAll(() => supervisor.stop());

  test("starts what dies again and again ever more seldom, up to a limit", async () => {
    const dies = new Script("console.log('ready'); setTimeout(() => process.exit(3), 50)", supervisor.died);
    await dies.start();
    await eventually(
      "five deaths",
      () => told.length,
      n => n >= 5,
    );
    await dies.stop();
    const pauses = [10, 20, 40, 40, 40];
    expect(told.slice(0, 5)).toEqual(pauses.map(pause => `died: exit 3; starting again in ${pause} ms`));
  });

  test("tries again what does not even start", async () => {
    const limps = new Script(
      "console.log('ready'); process.stdin.resume(); setInterval(() => 0, 1000)",
      supervisor.died,
    );
    await limps.start();
    Object.assign(limps, { code: "process.exit(4)" });
    await limps.kill9();
    const failed = "script ended at its start; starting again in 20 ms";
    await eventually("a failed start", () => told.includes(failed));
    expect(told[0]).toBe("died: SIGKILL; starting again in 10 ms");
    await limps.stop();
  });

  test("only tells if it is not to start anything, and says nothing of what was asked to stop", async () => {
    const watching = new Supervisor({ onLine, restart: false });
    const [dies, stops] = [1, 2].map(
      () => new Script("console.log('ready'); setInterval(() => 0, 1000)", watching.died),
    );
    await Promise.all([dies?.start(), stops?.start()]);
    await stops?.stop();
    await dies?.kill9();
    await eventually("its death", () => told.length > 0);
    expect(told).toEqual(["died: SIGKILL"]);
    expect(dies?.isRunning).toBe(false);
  });
});

describe("the command line", () => {
  test("passes settings on to nodes, but none that belongs to the cluster", () => {
    const own = {
      HOST: "0.0.0.0",
      PORT: "4000",
      SERVICES: "auth",
      DATA_DIR: "/x",
      NATS_URL: "nats://n",
      MONGO_URL: "m",
    };
    expect(readOptions(["--each", "--no-restart"], { ...own, LOG_LEVEL: "warn", EMPTY: "" })).toEqual({
      dataDir: "/x/cluster",
      port: 4000,
      each: true,
      restart: false,
      natsUrl: "nats://n",
      mongoUrl: "m",
      env: { LOG_LEVEL: "warn" },
    });
    expect(readOptions([], {})).toMatchObject({ port: 3000, each: false, restart: true, env: {} });
    expect(readOptions(["-h"], {})).toBe("help");
  });

  test.each(["abc", "-1", "65536", "1e3", "3000.5"])("refuses PORT=%s in one line", PORT => {
    expect(() => readOptions([], { PORT })).toThrow(/^PORT must be a number from 0 .*$/);
  });

  test("refuses what it does not know", () => {
    expect(() => readOptions(["--eahc"], {})).toThrow(/--eahc/);
  });
});
