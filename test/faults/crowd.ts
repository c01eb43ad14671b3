import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "../support/client";
import { eventually } from "../support/eventually";
import { SocketClient } from "../support/socket";

/** Sockets that are opened at a time. */
const TOGETHER = 100;
/** Milliseconds in which all who lost their gateway are back. */
const BACK = 60_000;

/** Many sockets of one person at one gateway, in one room. */
export class Crowd {
  private constructor(
    readonly sockets: readonly SocketClient[],
    readonly client: Client,
    readonly room: string,
  ) {}

  static async at(gateway: string, client: Client, size: number): Promise<Crowd> {
    const made = await client.post("/api/conversations", { type: "group", members: [], name: "crowd" });
    const room = made.body.id as string;
    const sockets: SocketClient[] = [];
    while (sockets.length < size) {
      const more = Array.from({ length: Math.min(TOGETHER, size - sockets.length) }, () => SocketClient.open(gateway));
      const open = await Promise.all(more);
      await Promise.all(open.map(socket => socket.hello(client.token as string, { [room]: null })));
      sockets.push(...open);
    }
    return new Crowd(sockets, client, room);
  }

  cut(): void {
    for (const socket of this.sockets) socket.cut();
  }

  /** Sends over each until it is closed; what every answer was. */
  async talk(): Promise<string[]> {
    const talks = this.sockets.map(async (socket, who) => {
      const answers: string[] = [];
      for (let n = 0; !socket.closed; n++) {
        const sent = socket.request({ t: "send", room: this.room, text: "x", clientId: `${who}-${n}` });
        answers.push(
          await sent.then(
            ({ t }) => t,
            () => "closed",
          ),
        );
        await Promise.race([socket.untilClosed(), pause(500)]);
      }
      return answers;
    });
    return (await Promise.all(talks)).flat();
  }
}

/** F14: a gateway that stops while others go on serves each socket until its turn, and the turns are spread. */
export async function sentAway(crowd: Crowd, stop: () => Promise<{ code: number | null } | undefined>): Promise<void> {
  const since = performance.now();
  const closings = crowd.sockets.map(socket =>
    socket.untilClosed().then(({ code }) => ({ code, at: performance.now() - since })),
  );
  const talk = crowd.talk();
  const exit = await stop();
  expect(exit).toMatchObject({ code: 0 });
  expect(performance.now() - since).toBeLessThan(15_000);
  const closed = await Promise.all(closings);
  expect(new Set(closed.map(({ code }) => code))).toEqual(new Set([4001]));
  expect(new Set(closed.map(({ at }) => Math.floor(at / 1_000))).size).toBeGreaterThan(4);
  for (const socket of crowd.sockets) expect(socket.all("reconnect")).toHaveLength(1);
  // Only the last word of each may have come too late to be answered.
  const answers = await talk;
  expect(answers.filter(answer => answer === "closed").length).toBeLessThanOrEqual(crowd.sockets.length);
  expect(new Set(answers)).toEqual(new Set(answers.includes("closed") ? ["ok", "closed"] : ["ok"]));
}

/** F13: all sockets of a gateway that dies come to whoever is left, at once, and each goes on where it was. */
export async function comesBack(
  crowd: Crowd,
  gateways: readonly string[],
  kill: () => Promise<unknown>,
): Promise<void> {
  const { client, room } = crowd;
  const before = (await client.post(`/api/channels/${room}/messages`, { text: "before" })).body.offset as number;
  await Promise.all(crowd.sockets.map(socket => socket.event(room, before)));
  await kill();
  const missed = (await client.post(`/api/channels/${room}/messages`, { text: "meanwhile" })).body.offset as number;
  const back: SocketClient[] = [];
  const returns = crowd.sockets.map(async (_, at) => {
    for (let attempt = at; ; attempt++) {
      const door = gateways[attempt % gateways.length] as string;
      const socket = await SocketClient.open(door).catch(() => null);
      const welcome = await socket?.hello(client.token as string, { [room]: before }).catch(() => null);
      if (socket && welcome?.t === "welcome") return void back.push(socket);
      socket?.cut();
      await pause((welcome?.retryAfterMs as number | undefined) ?? 200 + Math.random() * 400);
    }
  });
  await eventually(
    "all are back",
    () => back.length,
    count => count === crowd.sockets.length,
    BACK,
  );
  await Promise.all(returns);
  await Promise.all(back.map(socket => socket.event(room, missed)));
  for (const socket of back) {
    expect(socket.events(room).map(({ offset }) => offset as number)).toEqual([missed]);
    socket.cut();
  }
}
