import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { ServiceBroker, type BrokerOptions } from "moleculer";
import { loadConfig } from "../../../config/config";
import { loggerOptions, requestScope } from "../../../config/log";
import { redact } from "../../../config/log.redact";
import { SECRET } from "../../support/broker";
import { eventually } from "../../support/eventually";
import { temporaryFolder } from "../../support/temp";

type Log = ServiceBroker["logger"];

/** What `use` makes the logger write to stdout. */
async function written(
  env: Record<string, string>,
  use: (log: Log, broker: ServiceBroker) => void | Promise<void>,
  linked?: () => boolean,
): Promise<string> {
  let text = "";
  const spy = jest.spyOn(process.stdout, "write").mockImplementation(chunk => {
    text += String(chunk);
    return true;
  });
  try {
    const config = loadConfig({ JWT_SECRET: SECRET, ...env });
    const logger = loggerOptions(config, linked);
    const broker = new ServiceBroker({
      logger,
      skipProcessEventRegistration: true,
      internalServices: false,
    } as BrokerOptions);
    await use(broker.getLogger("chat"), broker);
    await broker.stop();
  } finally {
    spy.mockRestore();
  }
  return text;
}

const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .map(line => JSON.parse(line) as Record<string, unknown>);

describe("a log line", () => {
  it("in production is one JSON object with time, level, module and fields", async () => {
    const text = await written({ NODE_ENV: "production" }, log => log.info("joined", { room: "r1", sockets: 3 }));
    expect(jsonLines(text)).toEqual([
      { level: "info", time: expect.stringMatching(/^\d{4}-.*Z$/) as string, module: "chat", message: "joined", room: "r1", sockets: 3 }, // prettier-ignore
    ]);
  });

  it("in development can be read", async () => {
    const text = await written({}, log => log.warn("slow down", { queue: 3, why: "too many", none: null }));
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}chat: slow down queue=3 why="too many" none=null\n$/);
  });

  it("shows an error with its stack, an expected one without", async () => {
    const text = await written({}, log => {
      log.error("broken", new TypeError("no such thing"));
      log.error("refused", Object.assign(new Error("port taken"), { expected: true }));
    });
    expect(text).toMatch(/ERROR chat: broken name=TypeError\n {4}TypeError: no such thing\n {4}at /);
    expect(text.trimEnd().split("\n").at(-1)).toMatch(/ERROR chat: refused name=Error message="port taken"$/);
  });

  it("of a request carries its id", async () => {
    const text = await written({ LOG_FORMAT: "json" }, log =>
      requestScope.run({ requestId: "req-1" }, async () => {
        await Promise.resolve();
        log.info("inside");
      }),
    );
    expect(jsonLines(text)[0]).toMatchObject({ message: "inside", requestId: "req-1" });
  });

  it("about how the framework is put together is at debug", async () => {
    const nothing = await written({}, (_log, broker) => broker.start());
    expect(nothing).toBe("");
    const everything = await written({ LOG_LEVEL: "debug" }, (_log, broker) => broker.start());
    expect(everything).toContain("middleware(s)");
  });

  it("about a poll without an answer is at debug, about any other call a warning", async () => {
    const text = await written({}, (_log, broker) => {
      for (const action of ["auth.revocations", "node.health", "auth.login"])
        broker.getLogger("broker").warn(`Request '${action}' is timed out.`, { timeout: 1_000 });
    });
    expect(text).toMatch(/^\S+ WARN {2}broker: Request 'auth\.login' is timed out\. timeout=1000\n$/);
  });

  it("about a lost node is one; none while this process itself is cut off, nor when it is not any more", async () => {
    let linked = true;
    const lose = (broker: ServiceBroker, node: string): void => {
      broker.getLogger("Discovery").warn(`Heartbeat is not received from '${node}' node.`);
      broker.getLogger("registry").warn(`Node '${node}' disconnected unexpectedly.`);
    };
    const back = (broker: ServiceBroker, node: string): void =>
      broker.getLogger("registry").info(`Node '${node}' reconnected.`);
    const text = await written(
      {},
      (_log, broker) => {
        lose(broker, "a");
        linked = false;
        lose(broker, "b");
        linked = true;
        for (const node of ["a", "b"]) back(broker, node);
        lose(broker, "b");
        back(broker, "b");
      },
      () => linked,
    );
    const lines = text.trimEnd().split("\n");
    expect(lines.map(line => line.slice(13))).toEqual([
      "WARN  registry: Node 'a' disconnected unexpectedly.",
      "INFO  registry: Node 'a' reconnected.",
      "WARN  registry: Node 'b' disconnected unexpectedly.",
      "INFO  registry: Node 'b' reconnected.",
    ]);
  });
});

describe("no secret is ever logged", () => {
  const canary = "c4nary";
  const holders: [string, unknown[]][] = [
    ["an object", ["x", { password: canary, refreshToken: canary, accessToken: canary, jwtSecret: canary }]],
    ["nested objects", [{ a: { b: [{ headers: { Authorization: `Bearer ${canary}`, cookie: canary } }] } }]],
    ["odd spellings", [{ PASSWORD: canary, api_key: canary, "x-auth-token": [canary], Secret: { deep: canary } }]],
    ["a map", [new Map([["token", canary]])]],
    ["text like a query", [`GET /hubs/chat?access_token=${canary}&id=1`]],
    ["text like a header", [`authorization: Bearer ${canary}`, `Authorization: Basic ${canary}`]],
    ["JSON in a text", [`body {"username":"a","password":"${canary} with \\"blanks\\" ${canary}"}`]],
    ["JSON in a field", [{ body: JSON.stringify({ refreshToken: canary }) }]],
    ["JSON in JSON", [{ body: JSON.stringify({ inner: JSON.stringify({ password: canary }) }) }]],
    ["a token by its form", [`eyJhbGciOiJIUzI1NiJ9.eyJ${canary}.${canary}`]],
    ["a URL", ["connecting to mongodb://me:" + canary + "@host/db"]],
    ["an error's message", [new Error(`bad password=${canary}`)]],
    ["an error's data", [Object.assign(new Error("not valid"), { data: [{ field: "password", actual: canary }] })]],
    ["an error's cause", [new Error("x", { cause: new Error(`token: ${canary}`) })]],
    ["a getter", [Object.defineProperty({}, "token", { enumerable: true, get: () => canary })]],
    ["bytes", [{ body: Buffer.from(canary) }]],
    ["a key", [{ [`token=${canary}`]: 1 }]],
  ];

  it.each(holders)("not from %s", async (_what, args) => {
    for (const LOG_FORMAT of ["json", "pretty"]) {
      const file = join(temporaryFolder(), "log");
      const text = await written({ LOG_FORMAT, LOG_FILE: file }, log => log.error(...args));
      expect(text.length).toBeGreaterThan(20);
      expect(text).not.toContain(canary);
      expect(readFileSync(file, "utf8")).not.toContain(canary);
    }
  });

  it("while what is harmless stays", () => {
    const harmless = { accessTtl: 600, tokenCount: 3, signedIn: true, note: "the password was wrong", tokens: null };
    expect(redact(harmless)).toEqual(harmless);
  });
});

describe("no value can forge a line", () => {
  const forged = "x\r\n10:00:00.000 INFO  auth: admin signed in\u2028ready http://evil\u001b[2J\u009b1m\u202e";

  it.each(["json", "pretty"])("in %s", async LOG_FORMAT => {
    const text = await written({ LOG_FORMAT }, log => {
      log.info(forged, { value: forged, [forged]: 1 });
      log.error("broken", Object.assign(new Error(forged), { stack: `Error: ${forged}`, code: forged, name: forged }));
    });
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/);
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(
        LOG_FORMAT === "json" ? /^\{"level":/ : /^(\d\d:\d\d:\d\d\.\d{3} (INFO|ERROR) +chat: | {4})/,
      );
    expect(text).not.toMatch(/^(ready|10:00:00\.000)/m);
  });
});

it("a record of any size and shape is cut, not a burden", () => {
  const circle: Record<string, unknown> = {};
  for (let i = 0; i < 1000; i++) circle[`k${i}`] = circle;
  expect(JSON.stringify(redact(circle)).length).toBeLessThan(20_000);
  expect(JSON.stringify(redact({ text: "a".repeat(1e6) })).length).toBeLessThan(10_000);
  const trap = Object.defineProperty({}, "x", { enumerable: true, get: () => { throw new Error("no"); } }); // prettier-ignore
  expect(redact(trap)).toBe("[unprintable]");
});

it("LOG_FILE gets JSON lines beside readable ones on stdout, and is opened anew on SIGHUP", async () => {
  const file = join(temporaryFolder(), "logs", "rookery.log");
  const text = await written({ LOG_FILE: file }, async log => {
    log.info("one");
    renameSync(file, `${file}.1`);
    process.emit("SIGHUP", "SIGHUP");
    let lines = 0;
    await eventually("a new file", () => {
      log.info("two", { lines: lines++ });
      try {
        return readFileSync(file, "utf8");
      } catch {
        return "";
      }
    });
  });
  expect(jsonLines(readFileSync(`${file}.1`, "utf8"))[0]).toMatchObject({ message: "one" });
  expect(jsonLines(readFileSync(file, "utf8"))[0]).toMatchObject({ message: "two" });
  expect(text).toMatch(/INFO {2}chat: one\n/);
});
