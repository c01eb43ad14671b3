import { expectStatus, say, Stage } from "../support/client";
import { eventually } from "../support/eventually";
import { describeEmbedded, startServer } from "../support/server";

const ROOMS = 40;
/** Of these so many are left, at least, when the process is killed: more than it gets through before it notices. */
const LEFT = 10;

describeEmbedded("kill -9 in the middle of an erasure", () => {
  test("the next start ends it: nothing is left of him anywhere", async () => {
    const server = await startServer();
    const stage = await Stage.on(server);
    const [user, peer] = [await stage.user("leaver"), await stage.user("peer")];
    const rooms: string[] = [];
    while (rooms.length < ROOMS)
      rooms.push(...(await Promise.all([1, 2, 3, 4].map(() => stage.channel([user, peer])))));
    const said = await Promise.all(rooms.map(room => say(user, room, "a secret")));
    await say(peer, rooms[0] as string, `hello @${user.username}`);
    const state = async () => (await stage.admin.get(`/api/users/${user.id}/erasure`)).body;

    expectStatus(await user.delete(`/api/users/${user.id}?erase=true`), 204);
    const before = await eventually("it is under way", state, ({ rooms: done }) => done > 0);
    await server.process.kill();
    expect(before).toMatchObject({ state: "running" });
    expect(before.rooms).toBeLessThan(ROOMS - LEFT);

    await server.process.start();
    const after = await eventually("it is done", state, ({ state: now }) => now === "done");
    expect(after.rooms).toBe(ROOMS);
    for (const { id } of said)
      expect((await peer.get(`/api/messages/${id}`)).body).toMatchObject({ text: "", deletedAt: expect.any(String) });
    expectStatus(await peer.get(`/api/users/${user.id}`), 404);
    await stage.end();
  });
});
