import { parseArgs } from "node:util";
import { SignalrClient } from "../test/support/signalr";
import { SocketClient } from "../test/support/socket";
import { SocketioClient } from "../test/support/socketio";
import { Rest } from "../test/support/rest";
import { quantile } from "./load/meter";
import { clusterMissing, startCluster } from "./subjects/cluster";
import { mustBeBuilt } from "./subjects/product";
import { temporaryFolder } from "./support/ground";
import { fixed, printTable } from "./support/table";
import { run } from "./support/undo";

const USAGE = `node --import tsx bench/revocation.ts [--rounds 20]
Milliseconds from asking for what ends a session until its sockets are closed: on each of three wires at each of two
gateways of a cluster, until REST refuses its token, and until what was asked for is answered.`;

/** What ends sessions, or their tokens. */
const ENDINGS: Record<string, (person: Person, admin: Rest) => Promise<{ status: number }>> = {
  logout: ({ rest }) => rest.post("/api/auth/logout", {}),
  "other roles": ({ id }, admin) => admin.patch(`/api/users/${id}`, { roles: ["User", "Moderator"] }),
  ban: ({ id }, admin) => admin.post(`/api/users/${id}/deactivate`, {}),
  deletion: ({ id }, admin) => admin.delete(`/api/users/${id}`),
};

interface Person {
  id: string;
  rest: Rest;
  token: string;
}
/** A connection, and when it ended (monotonic milliseconds). */
type Opened = { where: string; ended: Promise<number> };

const PASSWORD = "a-good-password";
/** Milliseconds between two tries of a token. */
const LOOK = 2;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "20" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help) return console.log(USAGE);
  if (clusterMissing) return console.log(clusterMissing);
  mustBeBuilt();
  const { cluster } = await startCluster(temporaryFolder("revocation"));
  const login = await new Rest(cluster.url).post("/api/auth/login", {
    username: "admin",
    password: cluster.adminPassword,
  });
  const admin = new Rest(cluster.url, login.body.accessToken);
  const rows: string[][] = [];
  for (const [name, end] of Object.entries(ENDINGS)) {
    const times = new Map<string, number[]>();
    for (let round = 0; round < Number(values.rounds); round += 1)
      for (const [where, ms] of await once(cluster.url, cluster.gatewayUrls, admin, end, `${name.slice(0, 3)}${round}`))
        times.set(where, [...(times.get(where) ?? []), ms]);
    for (const [where, all] of times)
      rows.push([name, where, fixed(quantile(all, 0.5), 1), fixed(Math.max(...all), 1)]);
  }
  printTable("ms until it is felt", ["", "where", "p50", "max"], rows);
}

async function once(
  url: string,
  gateways: readonly string[],
  admin: Rest,
  end: (person: Person, admin: Rest) => Promise<{ status: number }>,
  name: string,
): Promise<[string, number][]> {
  const body = { username: name, email: `${name}@example.org`, password: PASSWORD };
  const made = await new Rest(url).post("/api/auth/register", body);
  if (made.status !== 201) throw new Error(`register: ${made.status} ${JSON.stringify(made.body)}`);
  const token = made.body.accessToken as string;
  const person = { id: made.body.user.id as string, rest: new Rest(url, token), token };
  const opened: Opened[] = [];
  for (const [at, gateway] of gateways.entries()) opened.push(...(await openAll(gateway, token, `gateway ${at + 1}`)));
  const since = performance.now();
  const { status } = await end(person, admin);
  if (status >= 300) throw new Error(`${name}: ${status}`);
  const answered = performance.now();
  const refused = async (): Promise<number> => {
    while ((await person.rest.get("/api/users/me")).status !== 401)
      await new Promise(resolve => setTimeout(resolve, LOOK));
    return performance.now();
  };
  const all = [
    ...opened,
    { where: "REST", ended: refused() },
    { where: "(answered)", ended: Promise.resolve(answered) },
  ];
  return Promise.all(all.map(async ({ where, ended }): Promise<[string, number]> => [where, (await ended) - since]));
}

/** @param wsUrl of its native socket */
async function openAll(wsUrl: string, token: string, name: string): Promise<Opened[]> {
  const gateway = new URL(wsUrl.replace(/^ws/, "http")).origin;
  const socket = await SocketClient.open(wsUrl);
  await socket.hello(token);
  const hub = await SignalrClient.open(gateway, token);
  const client = await SocketioClient.open(gateway, token, { reconnection: false });
  const now = (): number => performance.now();
  return [
    { where: `native, ${name}`, ended: socket.untilClosed(30_000).then(now) },
    { where: `SignalR, ${name}`, ended: new Promise(resolve => hub.hub.onclose(() => resolve(now()))) },
    {
      where: `Socket.IO, ${name}`,
      ended: new Promise(resolve => client.socket.once("disconnect", () => resolve(now()))),
    },
  ];
}

run(main);
