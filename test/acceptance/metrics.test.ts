import { Stage, say } from "../support/client";
import { describeOwn, startServer } from "../support/server";
import { Rest } from "../support/rest";

describeOwn("metrics", () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  afterAll(() => stage.end());

  const metrics = async (): Promise<string> => {
    const answer = await new Rest(new URL(stage.server.process.metricsUrl).origin).get("/metrics");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toContain("text/plain");
    return answer.body as string;
  };

  test("are Prometheus text on METRICS_PORT", async () => {
    const user = await stage.user();
    await say(user, await stage.channel([user]), "counted");
    const lines = (await metrics()).split("\n").filter(line => line !== "");
    expect(lines.length).toBeGreaterThan(50);
    for (const line of lines)
      expect(line).toMatch(/^(# (HELP|TYPE) |[a-zA-Z_:][\w:]*(\{.*\})? (-?[\d.]+(e[+-]?\d+)?|NaN|[+-]Inf)( \d+)?$)/);
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
    const text = await metrics();
    for (const secret of [user.id, user.username, room, user.token as string]) expect(text).not.toContain(secret);
  });
});
