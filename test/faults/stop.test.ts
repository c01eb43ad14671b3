import { Stage, type Client } from "../support/client";
import { describeOwn, startServer } from "../support/server";
import { eventually } from "../support/eventually";
import { judge, Sender, wholeHistory } from "./traffic";

describeOwn("SIGTERM in the middle of traffic", () => {
  test("what is under way is answered, the exit is 0 within 15 s, nothing acknowledged is lost, sockets are told", async () => {
    const server = await startServer();
    const stage = await Stage.on(server);
    const people = await stage.users("a", "b", "c", "d");
    const room = await stage.channel(people);
    const reader = await (people[0] as Client).socket([room]);
    const senders = people.map((client, n) => new Sender(client, room, `s${n}`, n % 2 ? "socket" : "rest"));
    for (const _round of [1, 2]) {
      const before = senders.reduce((sum, sender) => sum + sender.acknowledged.length, 0);
      const running = senders.map(sender => sender.run());
      await eventually(
        "traffic",
        () => senders.reduce((sum, sender) => sum + sender.acknowledged.length, 0) - before,
        n => n >= 60,
      );
      const exit = await server.process.stop();
      expect(exit).toMatchObject({ code: 0, signal: null });
      expect(exit.ms).toBeLessThan(15_000);
      await Promise.all(running);
      await server.process.start();
    }
    const closed = await reader.untilClosed();
    expect([1001, 1012, 4001]).toContain(closed.code);
    expect(reader.all("reconnect").length).toBeGreaterThan(0);
    for (const sender of senders) await sender.settle();
    judge(senders, await wholeHistory(people[0] as Client, room));
    await stage.end();
  }, 60_000);
});
