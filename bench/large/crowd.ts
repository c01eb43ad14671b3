import { Agent, request } from "node:http";
import WebSocket from "ws";

/** What a crowd asks of one room, with as little of a client as does. */
export class Door {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(readonly port: number) {}

  /** Resolves to the parsed answer; rejects for any status that is no success. */
  call<T>(method: "GET" | "POST", path: string, token: string, body?: object): Promise<T> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) };
      const asked = request({ port: this.port, method, path, headers, agent: this.agent }, answer => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("end", () => {
          if ((answer.statusCode ?? 500) < 300) resolve((text === "" ? null : JSON.parse(text)) as T);
          else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 200)}`));
        });
      });
      asked.on("error", reject).end(body && JSON.stringify(body));
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

/** What has come to all readers of a kind. */
export interface Heard {
  frames: number;
}

/** A reader of the room; resolves once it is subscribed. */
export async function reader(
  port: number,
  token: string,
  room: string,
  mode: "active" | "passive",
  heard: Heard,
): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, "rookery.v1");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("open", () => {
      socket.send(JSON.stringify({ t: "hello", i: 1, token }));
      socket.send(JSON.stringify({ t: "sub", i: 2, rooms: [room], mode }));
    });
    socket.on("message", function subscribed(data: Buffer) {
      const answer = data
        .toString()
        .split("\n")
        .map(line => JSON.parse(line) as { i?: number; t: string; rooms?: Record<string, { mode?: string }> })
        .find(({ i }) => i === 2);
      if (!answer) return;
      if (answer.t !== "ok" || (mode === "passive") !== (answer.rooms?.[room]?.mode === "passive"))
        reject(new Error(JSON.stringify(answer)));
      socket.off("message", subscribed);
      resolve();
    });
  });
  // Counted by what separates them: a parse for each would make this the limit.
  socket.on("message", (data: Buffer) => {
    heard.frames++;
    for (let at = data.indexOf(10); at !== -1; at = data.indexOf(10, at + 1)) heard.frames++;
  });
  return socket;
}

/** Sends for so long with so many under way, and resolves to how many were acknowledged. */
export async function sendFor(
  port: number,
  token: string,
  room: string,
  { seconds, window, text }: { seconds: number; window: number; text: string },
): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, "rookery.v1");
  let acknowledged = 0;
  await new Promise<void>((resolve, reject) => {
    let i = 1;
    let underWay = 0;
    let until = Infinity;
    const send = (): void => {
      underWay++;
      socket.send(JSON.stringify({ t: "send", i: ++i, room, text }));
    };
    socket.once("error", reject);
    socket.once("open", () => socket.send(JSON.stringify({ t: "hello", i: 1, token })));
    socket.on("message", (data: Buffer) => {
      for (const line of data.toString().split("\n")) {
        const answer = JSON.parse(line) as { t: string };
        if (answer.t === "welcome") {
          until = performance.now() + seconds * 1_000;
          for (let n = 0; n < window; n++) send();
        }
        if (answer.t === "err") return reject(new Error(line));
        if (answer.t !== "ok") continue;
        underWay--;
        acknowledged++;
        if (performance.now() < until) send();
        else if (underWay === 0) resolve();
      }
    });
  });
  socket.close();
  return acknowledged;
}

/** Does something for each, so many at a time. */
export async function forAll<T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < all.length; at = next++) await work(all[at] as T);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
