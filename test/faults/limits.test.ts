import type { Cluster } from "../../deploy/local/local-cluster";
import { startCluster } from "../support/cluster";
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
    const before = await spend(50, from);
    expect(before).toBe(100);
    await eventually(
      "both know",
      () => Promise.all(gateways.map(gateway => request(gateway, from))),
      left => left.every(one => one !== null && one < REQUESTS - 100),
    );
    const after = await spend(150, from);
    // What is not answered in time is counted twice rather than not at all.
    expect(before + after).toBeGreaterThan(REQUESTS / 2);
    expect(before + after).toBeLessThanOrEqual(REQUESTS + 2 * SHARE);
  });

  test("of sign-ins hold exactly", async () => {
    const from = address();
    const login = (gateway: string) =>
      request(gateway, from, "/api/auth/login", { username: "nobody-at-all", password: "x" });
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => login(gateways[n % 2] as string)));
    expect(answers.filter(left => left !== null).length).toBeLessThanOrEqual(SIGN_INS);
    expect(answers.filter(left => left !== null).length).toBeGreaterThanOrEqual(SIGN_INS - 10);
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
  }, 60_000);

  test("are stricter without NATS, not open, and are shared again when it is back", async () => {
    const [before, fresh] = [address(), address()];
    const spent = await spend(80, before);
    await cluster.nats?.kill9();
    expect(spent + (await spend(REQUESTS, before))).toBeLessThanOrEqual(REQUESTS + 2 * SHARE);
    expect(await spend(REQUESTS, fresh)).toBeLessThanOrEqual(REQUESTS);
    await cluster.nats?.start();
    await cluster.untilHealthy();
    const later = address();
    await eventually(
      "both count together",
      async () => {
        await spend(AT_ONCE, later, gateways.slice(0, 1));
        return Promise.all(gateways.map(gateway => request(gateway, later)));
      },
      ([one = null, two = null]) => one !== null && two !== null && Math.abs(one - two) < AT_ONCE,
      30_000,
    );
  }, 90_000);
});
