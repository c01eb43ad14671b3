import { spawn, type ChildProcess } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { freePort } from "../../deploy/local/servers/ports";
import { SECRET } from "../support/broker";
import { within } from "../support/eventually";
import { baseEnvironment } from "../support/server";
import { describeCluster, natsUrl } from "../support/servers";
import { temporaryFolder } from "../support/temp";

const ROOT = join(__dirname, "../..");
const NODE = join(__dirname, "children/node.ts");
const START = join(ROOT, "config/start.ts");
const READY = /^ready http:\/\//m;

/** A process of the product's own start, with small services. */
class Run {
  stdout = "";
  stderr = "";
  private readonly child: ChildProcess;
  private readonly closed: Promise<number | null>;

  constructor(args: string[], env: Record<string, string> = {}, program = NODE) {
    this.child = spawn(process.execPath, ["--disable-proto=delete", "--import", "tsx", program, ...args], {
      cwd: ROOT,
      env: { ...baseEnvironment(), PORT: "0", WS_PORT: "0", METRICS_PORT: "0", DATA_DIR: temporaryFolder(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", data => (this.stdout += String(data)));
    this.child.stderr?.on("data", data => (this.stderr += String(data)));
    this.closed = new Promise(resolve => this.child.on("close", code => resolve(code)));
    runs.push(this);
  }

  /** Resolves when stdout has a line like this; fails with everything written if the process ends before. */
  line(pattern: RegExp): Promise<this> {
    const { stdout } = this.child;
    const shown = new Promise<boolean>(resolve => {
      const look = (): void => void (pattern.test(this.stdout) && resolve(true));
      stdout?.on("data", look);
      look();
    });
    const ended = this.closed.then(() => pattern.test(this.stdout));
    const found = Promise.race([shown, ended]).then(seen => {
      if (!seen) throw new Error(`it ended without ${String(pattern)}:\n${this.stdout}${this.stderr}`);
      return this;
    });
    return within(20_000, `${String(pattern)} in stdout`, found);
  }

  signal(name: NodeJS.Signals): this {
    this.child.kill(name);
    return this;
  }

  end(): Promise<number | null> {
    return within(20_000, "the end of the process", this.closed);
  }
}

const runs: Run[] = [];
afterAll(() => {
  for (const run of runs) run.signal("SIGKILL");
});

describe("a start", () => {
  it("says what it is in few lines, then that it is ready, on stdout", async () => {
    const run = await new Run(["good"]).line(READY);
    const lines = run.stdout.trimEnd().split("\n");
    expect(lines.at(-1)).toBe("ready http://127.0.0.1:0");
    expect(lines.length).toBeLessThanOrEqual(8);
    expect(run.stdout).toMatch(/INFO {2}rookery: version \d+\.\d+\.\d+ shape=embedded .*store=/);
    expect(run.stdout).toMatch(/INFO {2}rookery: serving page=http.* docs=http.*\/api\/docs metrics=http.*\/metrics/);
    expect(run.stderr).not.toMatch(/error/i);
    expect(await run.signal("SIGTERM").end()).toBe(0);
  });

  it("keeps the two promised lines plain beside JSON, with the real port and the made password", async () => {
    const run = await new Run(["made"], { LOG_FORMAT: "json" }).line(/^admin password: /m);
    const lines = run.stdout.trimEnd().split("\n");
    expect(lines.slice(-2)).toEqual(["ready http://127.0.0.1:4711", "admin password: made-up-password"]);
    for (const line of lines.slice(0, -2)) expect(JSON.parse(line)).toMatchObject({ level: "info" });
    expect(await run.signal("SIGINT").end()).toBe(0);
  });

  it("with an IPv6 host says so in brackets", async () => {
    const run = await new Run(["good"], { HOST: "::1" }).line(READY);
    expect(run.stdout).toContain("ready http://[::1]:0\n");
    await run.signal("SIGTERM").end();
  });

  it("serves metrics where its line says", async () => {
    const run = await new Run(["good"]).line(READY);
    const url = /metrics=(\S+)/.exec(run.stdout)?.[1] as string;
    expect(await (await fetch(url)).text()).toContain("rookery_sockets_open");
    await run.signal("SIGTERM").end();
  });
});

describeCluster("a start of a node of a cluster", () => {
  it.each([
    ["ws-gateway", /^ready ws:\/\/127\.0\.0\.1:(\d+)\/ws$/m, "sockets=ws://"],
    ["api-gateway", /^ready http:\/\/127\.0\.0\.1:\d+$/m, "page=http://"],
    ["presence", /^ready presence\.[\w-]+$/m, "services=presence"],
  ])("names the door of %s, and no other", async (service, ready, door) => {
    const env = {
      TRANSPORTER: await natsUrl(),
      MONGO_URL: "mongodb://127.0.0.1:9/nobody",
      JWT_SECRET: SECRET,
      SERVICES: service,
      WS_PORT: String(await freePort()),
    };
    const run = await new Run([], env, START).line(ready);
    const said = /rookery: serving (.*)/.exec(run.stdout)?.[1] ?? "";
    expect(said).toContain(door);
    expect([said.includes("page="), said.includes("sockets=")]).toEqual([
      service === "api-gateway",
      service === "ws-gateway",
    ]);
    if (service === "ws-gateway") expect(ready.exec(run.stdout)?.[1]).toBe(env.WS_PORT);
    expect(await run.signal("SIGTERM").end()).toBe(0);
  });
});

describe("a start that fails is one line that names the cause, and exit 1", () => {
  const plain = async (run: Run): Promise<string> => {
    expect(await run.end()).toBe(1);
    expect(run.stdout).not.toMatch(READY);
    expect(run.stderr + run.stdout).not.toMatch(/^\s+at /m);
    return run.stderr;
  };

  it("bad configuration", async () => {
    const text = await plain(new Run(["good"], { PORT: "eighty", LIMIT_TXT: "1" }));
    expect(text).toMatch(/^Configuration is not valid:\n {2}LIMIT_TXT: .*\n {2}PORT: .*\n$/);
  });

  it("an unknown service", async () => {
    expect(await plain(new Run([], { SERVICES: "auth,billing" }, join(ROOT, "config/start.ts")))).toContain("billing");
  });

  it("a taken metrics port", async () => {
    const other = createServer();
    await new Promise<void>(resolve => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const text = await plain(new Run(["good"], { METRICS_PORT: String(port) }));
    expect(text).toBe(`METRICS_PORT ${port} on 127.0.0.1 is taken by another process\n`);
    await new Promise(resolve => other.close(resolve));
  });

  it("a taken port", async () => {
    expect(await plain(new Run(["crowded"]))).toMatch(/^port 127\.0\.0\.1:\d+ is taken by another process\n$/);
  });

  it("a mistake that a service names", async () => {
    expect(await plain(new Run(["mistaken"]))).toBe("the folder is in use\n");
  });

  it("but a defect shows where it is, without secrets", async () => {
    const run = new Run(["broken"]);
    expect(await run.end()).toBe(1);
    expect(run.stderr).toMatch(/^TypeError: a defect, password=\[redacted\]\n\s+at /);
    expect(run.stderr + run.stdout).not.toContain("canary");
  });

  it("and what was opened is closed again", async () => {
    const run = new Run(["halfway"]);
    expect(await run.end()).toBe(1);
    expect(run.stdout).toMatch(/opened[^]*closed again/);
  });
});

describe("an action that does not say who may call it", () => {
  it.each([
    ["undeclared", /careless\.open declares no policy/],
    ["leaky", /careless\.inner is internal and must not be published/],
  ])("ends the start by name: %s", async (behaviour, problem) => {
    const run = new Run([behaviour]);
    expect(await run.end()).toBe(1);
    expect(run.stderr).toMatch(problem);
    expect(run.stdout).not.toMatch(READY);
  });
});

describe("a stop", () => {
  it("closes the doors before anything else", async () => {
    const run = await new Run(["ordered"]).line(READY);
    expect(await run.signal("SIGTERM").end()).toBe(0);
    const order = run.stdout.match(/^(door|messages|rooms) stop.*$/gm) ?? [];
    expect(order.slice(0, 2)).toEqual(["door stops accepting", "door stopped"]);
    expect(order.slice(2).sort()).toEqual(["messages stopped", "rooms stopped"]);
  });

  it("waits for calls under way", async () => {
    const run = await new Run(["busy"]).line(/^working/m);
    expect(await run.signal("SIGTERM").end()).toBe(0);
    expect(run.stdout).toMatch(/^worked$/m);
  });

  it("that hangs is cut off with exit 1 and a line", async () => {
    const run = await new Run(["hung", "300"]).line(READY);
    expect(await run.signal("SIGTERM").end()).toBe(1);
    expect(run.stdout).toMatch(/FATAL rookery: the stop took longer than 0\.3 s/);
  });

  it("is not waited for after a second signal, but the same one passed on twice is one", async () => {
    const run = await new Run(["hung"]).line(READY);
    await run
      .signal("SIGINT")
      .signal("SIGINT")
      .line(/stopping/);
    const again = setInterval(() => run.signal("SIGINT"), 100);
    expect(await run.end()).toBe(1);
    clearInterval(again);
    expect(run.stdout).not.toContain("FATAL");
  });
});

describe("what nobody caught", () => {
  it("as a rejection is told and counted, and the process lives on", async () => {
    const run = await new Run(["rejecting"]).line(/ERROR rookery: unhandled rejection[^]*forgotten/);
    await run.line(READY);
    const url = /metrics=(\S+)/.exec(run.stdout)?.[1] as string;
    expect(await (await fetch(url)).text()).toMatch(/^rookery_unhandled_rejections_total.* 1$/m);
    expect(await run.signal("SIGTERM").end()).toBe(0);
  });

  it("as an exception is told and ends the process with 1", async () => {
    const run = new Run(["throwing"]);
    expect(await run.end()).toBe(1);
    expect(run.stdout).toMatch(/FATAL rookery: uncaught exception[^]*Error: uncaught/);
  });
});
