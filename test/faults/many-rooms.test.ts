import { say, Stage } from "../support/client";
import { startServer } from "../support/server";

const ROOMS = 500;

describe("500 rooms in one hello", () => {
  test("are all live, all resumed without a gap, and one more is INVALID", async () => {
    const stage = await Stage.on(await startServer());
    const user = await stage.user("many");
    const rooms: string[] = [];
    for (let n = 0; n < ROOMS + 1; n += 20)
      rooms.push(...(await Promise.all(Array.from({ length: Math.min(20, ROOMS + 1 - n) }, () => stage.channel()))));
    const one = rooms.pop() as string;

    const socket = await user.connect();
    const welcome = await socket.hello(user.token as string, Object.fromEntries(rooms.map(room => [room, null])));
    const states = Object.values<{ state: string }>(welcome.rooms);
    expect(states).toHaveLength(ROOMS);
    expect(states.every(({ state }) => state === "live")).toBe(true);
    expect(await socket.sub([one])).toMatchObject({ t: "err", code: "INVALID" });

    const first = await Promise.all(rooms.map(room => say(stage.admin, room, "live")));
    for (const message of first) await socket.event(message.channelId, message.offset);
    const from = Object.fromEntries(socket.position);
    await socket.close();

    const missed = await Promise.all(rooms.map(room => say(stage.admin, room, "missed")));
    const back = await user.connect();
    const again = await back.hello(user.token as string, from, { epoch: welcome.epoch });
    for (const message of missed) {
      expect(again.rooms[message.channelId].state).toBe("replayed");
      await back.event(message.channelId, message.offset);
      expect(back.events(message.channelId).map(event => event.data)).toEqual([message]);
    }
    const tooMany = await user.connect();
    const refused = await tooMany.hello(
      user.token as string,
      Object.fromEntries([...rooms, one].map(room => [room, null])),
    );
    expect(refused).toMatchObject({ t: "err", code: "INVALID" });
    await stage.end();
  });
});
