import { Stage } from "../support/client";
import { eventually } from "../support/eventually";
import { RawSocket } from "../support/raw-socket";
import { describeOwn, startServer } from "../support/server";

/** Rooms, and messages in each: more bytes than kernel and server hold for one socket, less a room than is ever replayed. */
const ROOMS = 30;
const MESSAGES = 60;
/** 12 KB of UTF-8. */
const TEXT = "鴉".repeat(4_000);

describeOwn("a slow reader", () => {
  test("is closed, hurts nobody, and resumes without a gap", async () => {
    const stage = await Stage.on(await startServer());
    const { admin, server } = stage;
    const slow = await stage.user("slow");
    const rooms: string[] = [];
    for (let n = 0; n < ROOMS; n += 1) rooms.push(await stage.channel([slow]));
    const from: Record<string, number> = {};
    const probe = await slow.connect();
    const welcome = await probe.hello(slow.token as string, Object.fromEntries(rooms.map(room => [room, null])));
    for (const room of rooms) from[room] = welcome.rooms[room].offset;

    const stuck = await RawSocket.open(Number(new URL(server.url).port), {
      headers: { "Sec-WebSocket-Protocol": "rookery.v1" },
    });
    stuck.text(JSON.stringify({ t: "hello", i: 1, token: slow.token, rooms: from }));
    await stuck.take(1);
    stuck.tcp.pause();

    const health: number[] = [];
    const writer = await admin.socket();
    const heads = new Map<string, number>();
    for (let n = 0; n < MESSAGES; n += 1) {
      const answers = await Promise.all(rooms.map(room => writer.request({ t: "send", room, text: TEXT })));
      answers.forEach((answer, index) => heads.set(rooms[index] as string, answer.message.offset));
      health.push((await stage.nobody.get("/api/health")).status);
    }
    expect(new Set(health)).toEqual(new Set([200]));
    // The other socket of the same user got everything; the slow one is gone.
    for (const room of rooms) await probe.event(room, heads.get(room) as number);
    stuck.tcp.resume();
    await eventually("the slow one is closed", () => stuck.ended);
    // What it did get is a beginning without a hole: nobody is skipped in silence.
    const events = stuck.texts
      .flatMap(text => text.split("\n").map(line => JSON.parse(line) as { t: string; room: string; offset: number }))
      .filter(frame => frame.t === "event");
    expect(events.length).toBeLessThan(ROOMS * MESSAGES);
    for (const room of rooms) {
      const offsets = events.filter(event => event.room === room).map(event => event.offset);
      expect(offsets).toEqual(offsets.map((_, n) => (from[room] as number) + n + 1));
    }
    if (stuck.closeCode !== undefined) expect([4008, 1006]).toContain(stuck.closeCode);

    // Back where it was: the client itself fails on a gap or a repeat.
    const back = await slow.connect();
    const { rooms: states } = await back.hello(slow.token as string, from);
    for (const room of rooms)
      expect(states[room]).toEqual({ state: "replayed", offset: heads.get(room), seq: MESSAGES });
    for (const room of rooms) {
      await back.event(room, heads.get(room) as number);
      expect(back.events(room)).toHaveLength(MESSAGES);
    }
    await stage.end();
  }, 90_000);
});
