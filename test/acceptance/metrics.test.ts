import { Stage, say } from "../support/client";
import { describeOwn, startServer } from "../support/server";
import { Rest } from "../support/rest";

describeOwn("metrics", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  afterAll(() => stage.end());

  /** Of every process. */
  const metrics = (): Promise<string[]> =>
    Promise.all(
      stage.server.metricsUrls.map(async url => {
        const answer = await new Rest(new URL(url).origin).get("/metrics");
        expect(answer.status).toBe(200);
        expect(answer.headers.get("content-type")).toContain("text/plain");
        return answer.body as string;
      }),
    );

  test("are Prometheus text on METRICS_PORT", async () => {
    const user = await stage.user();
    await say(user, await stage.channel([user]), "counted");
    const texts = await metrics();
    expect(texts.length).toBeGreaterThan(0);
    for (const lines of texts.map(text => text.split("\n").filter(line => line !== ""))) {
      expect(lines.length).toBeGreaterThan(50);
      for (const line of lines)
        expect(line).toMatch(/^(# (HELP|TYPE) |[a-zA-Z_:][\w:]*(\{.*\})? (-?[\d.]+(e[+-]?\d+)?|NaN|[+-]Inf)( \d+)?$)/);
    }
  });

  test("are never on the origin", async () => {
    for (const path of ["/metrics", "/api/metrics", "/metrics/"]) {
      const answer = await stage.admin.get(path);
      expect(JSON.stringify(answer.body)).not.toContain("# TYPE");
      expect(answer.status).toBe(404);
    }
  });

  test("name no user, room or token", async () => {
    const user = await stage.user();
    const room = await stage.channel([user]);
    await say(user, room, "counted");
    await user.get(`/api/channels/${room}`);
    const text = (await metrics()).join();
    for (const secret of [user.id, user.username, room, user.token as string]) expect(text).not.toContain(secret);
  });
});
