import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ServiceBroker, type BrokerOptions, type Context, type ServiceSchema } from "moleculer";
import { connect, type NatsConnection } from "nats";
import { loadConfig } from "../../config/config";
import { SERVICE_NAMES, type ServiceName } from "../../config/variables";
import { nodeOptions } from "../../config/node";
import { startNats, type NatsServer } from "../../deploy/local/servers";
import { SECRET } from "../support/broker";
import { describeNats } from "../support/servers";
import { temporaryFolder } from "../support/temp";

const USERS = [...SERVICE_NAMES, "repl"];
const password = (user: string): string => `secret-of-${user}`;

/** The file of the cluster with passwords of ours, without its monitoring port: a server of a test has no use for one. */
function configuration(): string {
  const text = readFileSync(resolve(__dirname, "../../deploy/nats/nats.conf"), "utf8").replace(/^http:.*$/m, "");
  const passwords = USERS.map(user => `NATS_PASSWORD_${user.toUpperCase().replaceAll("-", "_")}: ${password(user)}\n`);
  const file = join(temporaryFolder(), "nats.conf");
  writeFileSync(file, passwords.join("") + text);
  return file;
}

describeNats("the permissions of the NATS users", () => {
  let server: NatsServer;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    server = await startNats({ config: configuration() });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(() => server.stop());

  const urlFor = (user: string): string => `nats://${user}:${password(user)}@127.0.0.1:${server.port}`;

  /** A node as its container has it: the service's name is its user and the first part of its id. */
  async function node(name: ServiceName, schema: ServiceSchema): Promise<ServiceBroker> {
    const config = loadConfig({
      DATA_DIR: temporaryFolder(),
      JWT_SECRET: SECRET,
      TRANSPORTER: urlFor(name),
      MONGO_URL: "mongodb://127.0.0.1:9/nobody",
      SERVICES: name,
    });
    const broker = new ServiceBroker({
      ...nodeOptions(config),
      logger: false,
      metrics: false,
      skipProcessEventRegistration: true,
    } as BrokerOptions);
    broker.createService(schema);
    closing.push(() => broker.stop());
    await broker.start();
    return broker;
  }

  async function client(user: string): Promise<Client> {
    const connection = await connect({ servers: `127.0.0.1:${server.port}`, user, pass: password(user) });
    closing.push(() => connection.close());
    return new Client(connection);
  }

  it("let nobody in without a password of his own (S58: NATS)", async () => {
    const servers = `127.0.0.1:${server.port}`;
    await expect(connect({ servers, reconnect: false })).rejects.toThrow(/Authorization/i);
    await expect(connect({ servers, user: "auth", pass: password("users"), reconnect: false })).rejects.toThrow(
      /Authorization/i,
    );
  });

  it("let a service ask those it needs, and be answered", async () => {
    await node("users", echo("users", "record"));
    const auth = await node("auth", echo("auth", "login"));
    await auth.waitForServices("users");
    await expect(auth.call("users.record", { text: "who?" })).resolves.toEqual({ text: "who?" });
  });

  it.each([
    ["presence", "MOL-rookery.REQ.auth.somewhere"],
    ["presence", "MOL-rookery.REQ.users.somewhere"],
    ["files", "MOL-rookery.REQ.auth.somewhere"],
    ["rooms", "MOL-rookery.EVENT.ws-gateway.somewhere"],
    ["rooms", "rookery.room.somewhere"],
    ["auth", "rookery.room.somewhere"],
    ["repl", "MOL-rookery.EVENT.ws-gateway.somewhere"],
    ["api-gateway", "something.else"],
  ])("keep %s from telling %s (S59: NATS)", async (user, subject) => {
    const speaker = await client(user);
    expect(await speaker.mayTell(subject)).toBe(false);
  });

  it.each([
    ["messages", "MOL-rookery.REQ.auth.>"],
    ["users", "MOL-rookery.RES.auth.>"],
    ["messages", "rookery.room.*"],
    ["files", "rookery.room.*"],
    ["repl", "MOL-rookery.REQ.>"],
    ["ws-gateway", ">"],
  ])("keep %s from hearing %s (S59: NATS)", async (user, subject) => {
    const listener = await client(user);
    expect(await listener.mayHear(subject)).toBe(false);
  });

  it("carry rooms from messages and the gateways to the gateways alone (S59: NATS)", async () => {
    const gateway = await client("ws-gateway");
    expect(await gateway.mayHear("rookery.room.one")).toBe(true);
    for (const user of ["messages", "ws-gateway"]) {
      const speaker = await client(user);
      expect(await speaker.mayTell("rookery.room.one")).toBe(true);
    }
    await gateway.connection.flush();
    expect(gateway.heard).toEqual(["rookery.room.one", "rookery.room.one"]);
  });
});

const echo = (name: string, action: string): ServiceSchema => ({
  name,
  actions: {
    [action]: {
      auth: "internal",
      visibility: "public",
      params: { text: "string" },
      handler: (ctx: Context) => ctx.params,
    },
  },
});

/** A bare client, and what the server refuses it. */
class Client {
  readonly heard: string[] = [];
  private refused = 0;

  constructor(readonly connection: NatsConnection) {
    void this.watch();
  }

  async mayTell(subject: string): Promise<boolean> {
    return this.allows(() => this.connection.publish(subject, "forged"));
  }

  async mayHear(subject: string): Promise<boolean> {
    return this.allows(() =>
      this.connection.subscribe(subject, {
        callback: (error, message) => void (error ?? this.heard.push(message.subject)),
      }),
    );
  }

  /** The server's refusal comes before its answer to a ping sent later. */
  private async allows(attempt: () => unknown): Promise<boolean> {
    const before = this.refused;
    attempt();
    await this.connection.flush();
    // What was read reaches its reader in a turn of its own.
    await new Promise(resolve => setImmediate(resolve));
    return this.refused === before;
  }

  private async watch(): Promise<void> {
    for await (const { type, permissionContext } of this.connection.status())
      if (String(type) === "error" && permissionContext) this.refused += 1;
  }
}
