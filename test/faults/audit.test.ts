import { Stage } from "../support/client";
import { describeEmbedded, startServer } from "../support/server";

const ROUNDS = 2;

describeEmbedded("kill -9 right after somebody was refused", () => {
  test("the audit log has it (S63: REST)", async () => {
    const server = await startServer();
    const stage = await Stage.on(server);
    const ann = await stage.user("ann");
    const read = async (query: string) =>
      (await stage.admin.get(`/api/audit?${query}`)).body.items.map(({ type }: { type: string }) => type);
    for (let round = 1; round <= ROUNDS; round++) {
      const answer = await stage.nobody.post("/api/auth/login", { username: ann.username, password: "not-hers" });
      expect(answer.status).toBe(401);
      await server.process.kill();
      await server.process.start();
      expect(await read(`object=${ann.id}&result=refused`)).toHaveLength(round);
    }
    expect((await ann.post("/api/channels", { name: "mine" })).status).toBe(403);
    await server.process.kill();
    await server.process.start();
    expect(await read(`actor=${ann.id}&type=access.denied`)).toEqual(["access.denied"]);
    await stage.end();
  });
});
