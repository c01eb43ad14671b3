import { Stage, type Client } from "../support/client";
import { startServer } from "../support/server";
import type { SocketClient } from "../support/socket";

/** Who finds nobody knows those he is in a room with. */
describe("a guest of the installation", () => {
  let stage: Stage;
  let ann: Client;
  let guest: Client;

  beforeAll(async () => {
    stage = await Stage.on(await startServer());
  });
  beforeEach(async () => {
    ann = await stage.user("ann");
    guest = await stage.withRoles("guest", ["Guest"]);
  });
  afterAll(() => stage.end());

  const meet = async (): Promise<void> => void (await stage.channel([ann, guest], { isPrivate: true }));
  const told = (socket: SocketClient) =>
    socket.all("presence").flatMap(({ changes }) => changes as { user: string; status: string }[]);

  test("is not told whether a stranger is there, and is as soon as he knows him", async () => {
    await ann.socket();
    const socket = await guest.socket();
    const seen = await stage.user("looker");
    const other = await seen.socket();
    await other.request({ t: "watch", users: [ann.id] });
    await other.until("ann is online", () => told(other).some(({ status }) => status === "online"));
    const watch = async (): Promise<void> =>
      void expect(await socket.request({ t: "watch", users: [ann.id] })).toMatchObject({ t: "ok" });
    await watch();
    await socket.until("an answer", () => told(socket).length > 0);
    await socket.settle();
    expect(told(socket)).toEqual([{ user: ann.id, status: "offline" }]);
    await meet();
    await watch();
    await socket.until("ann is online", () => told(socket).at(-1)?.status === "online");
  });

  test("cannot block a stranger, and so learns nothing of him", async () => {
    const block = () => guest.put(`/api/blocks/${ann.id}`);
    expect(await block()).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect((await guest.get("/api/blocks")).body).toMatchObject({ items: [], total: 0 });
    await meet();
    expect((await block()).status).toBe(204);
  });
});
