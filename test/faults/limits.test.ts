import type { Cluster } from "../../deploy/local/local-cluster";
import { LIMITS } from "../../services/core/limits";
import { Stage, unique } from "../support/client";
import { addressesOf, serverOf, startCluster } from "../support/cluster";
import { eventually } from "../support/eventually";
import { describeCluster, mongoUrl } from "../support/servers";

const REQUESTS = 200;
const SIGN_INS = 30;
/** By so much one of two gateways may miss the limit. */
const SHARE = REQUESTS / 20;
const AT_ONCE = 20;

describeCluster("limits over two api-gateways", () => {
  let cluster: Cluster;
  const gateways = ["api-gateway-1", "api-gateway-2"];
  let host = 0;

  beforeAll(async () => {
    const env = { RATE_LIMIT: "on", LIMIT_REQUESTS_PER_MINUTE: String(REQUESTS) };
    ({ cluster } = await startCluster({ twins: true, restart: false, env, mongoUrl: await mongoUrl() }));
  }, 120_000);

  /** Somebody who has not been here in this minute. */
  const address = (): string => `198.51.100.${++host}`;

  /** From an address over a gateway; what the header says is left, null if it was refused. */
  const request = async (
    gateway: string,
    from: string,
    path = "/api/config",
    body?: object,
  ): Promise<number | null> => {
    const answer = await fetch(`http://127.0.0.1:${cluster.node(gateway).port}${path}`, {
      headers: { "x-forwarded-for": from, "content-type": "application/json" },
      ...(body && { method: "POST", body: JSON.stringify(body) }),
    });
    await answer.arrayBuffer();
    if (answer.status === 429) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    return answer.status === 429 ? null : Number(answer.headers.get("ratelimit-remaining"));
  };

  /** So many from there over each of the gateways, as fast as they are answered; how many were let through. */
  const spend = async (each: number, from: string, over = gateways): Promise<number> => {
    let through = 0;
    const walk = async (gateway: string): Promise<void> => {
      for (let n = 0; n < each / AT_ONCE; n++) if ((await request(gateway, from)) !== null) through++;
    };
    await Promise.all(over.flatMap(gateway => Array.from({ length: AT_ONCE }, () => walk(gateway))));
    return through;
  };

  test("hold for both together, and what is left is told by either", async () => {
    const from = address();
    const before = await spend(40, from);
    expect(before).toBe(80);
    await eventually(
      "both know",
      () => Promise.all(gateways.map(gateway => request(gateway, from))),
      left => left.every(one => one !== null && one < REQUESTS - 80),
    );
    const after = await spend(150, from);
    // What is not answered in time is counted twice rather than not at all.
    expect(before + after).toBeGreaterThan(REQUESTS / 2);
    expect(before + after).toBeLessThanOrEqual(REQUESTS + 2 * SHARE);
  });

  test("of sign-ins hold exactly (S13: REST)", async () => {
    const from = address();
    const login = (gateway: string) =>
      request(gateway, from, "/api/auth/login", { username: unique("nobody"), password: "x" });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => login(gateways[n % 2] as string)));
    expect(answers.filter(left => left !== null).length).toBeLessThanOrEqual(SIGN_INS);
    expect(answers.filter(left => left !== null).length).toBeGreaterThanOrEqual(SIGN_INS - 10);
  });

  test("of sends hold over all writers and both gateways", async () => {
    const stage = await Stage.on(serverOf(addressesOf(cluster), { output: "", end: async () => [] }));
    const ann = await stage.user("ann");
    // So many that each of two writers surely has some.
    const rooms = await Promise.all(Array.from({ length: 8 }, () => stage.channel([ann])));
    const sockets = [await ann.socket(rooms), await ann.socket(rooms)];
    const began = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 160 }, (_, n) =>
        sockets[n % 2]?.request({ t: "send", room: rooms[n % rooms.length], text: `m${n}` }),
      ),
    );
    const seconds = (performance.now() - began) / 1_000;
    const sent = answers.filter(answer => answer?.t === "ok").length;
    expect(sent).toBeGreaterThanOrEqual(LIMITS.sendBurst / 2);
    expect(sent).toBeLessThanOrEqual(1.1 * (LIMITS.sendBurst + LIMITS.sendsPerSecond * seconds));
    await stage.end();
  });

  test("hold when one is killed in the middle, but for its share", async () => {
    const [victim = "", survivor = ""] = gateways;
    const [one, both, other] = [address(), address(), address()];
    const before = [await spend(150, one, [victim]), await spend(80, both), await spend(150, other, [survivor])];
    await cluster.node(victim).kill9();
    for (const [n, from] of [one, both, other].entries()) {
      const after = await spend(REQUESTS, from, [survivor]);
      expect((before[n] as number) + after).toBeLessThanOrEqual(REQUESTS + 2 * SHARE);
    }
    await cluster.node(victim).start();
    await cluster.untilHealthy();
  });

  test("are stricter without NATS, not open, and are shared again when it is back", async () => {
    const [before, fresh] = [address(), address()];
    const spent = await spend(80, before);
    await cluster.nats?.kill9();
    expect(spent + (await spend(REQUESTS, before))).toBeLessThanOrEqual(REQUESTS + 2 * SHARE);
    expect(await spend(REQUESTS, fresh)).toBeLessThanOrEqual(REQUESTS);
    await cluster.nats?.start();
    await cluster.untilHealthy();
    await eventually(
      "both count together",
      async () => {
        const from = address();
        await spend(4 * AT_ONCE, from, gateways.slice(0, 1));
        let left: number | null = null;
        for (let n = 0; n < AT_ONCE; n++) left = await request("api-gateway-2", from);
        return left;
      },
      left => left !== null && left < REQUESTS - 2 * AT_ONCE,
    );
  }, 90_000);
});
